"""Runs inside the guest: what casemate sees there of each `sleep`, by its seconds, as one line of JSON.

All that a hardened Pod needs beside a security module is given here; the label is what the guest's kernel says.
"""

from __future__ import annotations

import json
from dataclasses import replace

from casemate.prove import node_kernel, tasks
from casemate.prove.confinement import confinement, hardened
from casemate.prove.facts import NodeKernel, Processes
from casemate.prove.kinds import Kind
from casemate.prove.tasks import Digests, Task


def _observed(task: Task, node: NodeKernel) -> dict[str, str]:
    own = dict.fromkeys(task.namespaces, 1)
    confined = replace(
        task, uid_map=(0, 100000, 65536), seccomp=2, filters=1, no_new_privileges=True, effective=0, namespaces=own
    )
    processes = Processes((confined,), 0, 0, None, "", node)
    module = next((each for each in confinement(processes, Kind.CONTAINER) if each.id == "security-module"), None)
    judged = hardened(processes)
    return {
        "label": task.label,
        "module": module.value if module else "",
        "shown": str(judged.supports),
        "hardening": judged.value,
    }


def main() -> None:
    """Print what is seen of every `sleep`."""
    node = node_kernel.look()
    found = {}
    for seen in tasks.scan():
        if seen.arguments.startswith(b"sleep\0") and (task := tasks.look(seen.pid, Digests())):
            found[task.arguments[1]] = _observed(task, node)
    print("LABELS", json.dumps({"modules": node.modules, "tasks": found}))


main()
