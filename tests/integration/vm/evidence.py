"""Facts of a sandbox whose monitor runs here, gathered as `casemate.prove.handlers` does from a handler's."""

from __future__ import annotations

import secrets
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from guests import QEMU, Guest

from casemate.engine.install import tools
from casemate.prove import inside, node_kernel, tasks, vmm
from casemate.prove.facts import Challenge, Control, Facts, Found, Processes
from casemate.prove.kinds import is_monitor
from casemate.prove.programs import examine
from casemate.prove.tasks import Digests, Seen


@dataclass
class Asked:
    """The words that a guest was given, and what its prober reports."""

    word: str = field(default_factory=lambda: secrets.token_hex(32))
    command: str = field(default_factory=lambda: secrets.token_hex(32))
    report: bytes = b""


def ask(guest: Guest) -> Asked:
    """Challenge the guest, by a prober and by another beside it, as CRI's exec does."""
    asked = Asked()
    guest.tell(f"/probe {asked.word}")
    guest.tell(f"sleep 600 | /probe challenge {asked.command}")
    asked.report = guest.line(asked.word).encode()
    guest.line(asked.command)
    return asked


def gather(cgroup: str, asked: Asked, answered: Challenge | None = None) -> Facts:
    """The facts of the sandbox in this cgroup; the guest has answered, unless it is told otherwise."""
    seen = tasks.scan()
    mine = tasks.of_sandbox(seen, cgroup, Path(cgroup).name)
    return Facts(
        wasm_only=False,
        whole_node=tasks.sees_whole_node(),
        challenge=answered or Challenge("", _find(seen, mine, asked.word)),
        command=answered or Challenge("", _find(seen, mine, asked.command)),
        module=None,
        still_there=True,
        processes=_processes(mine),
        report=inside.decode(asked.report) if asked.report else None,
        prober="",
        prober_found="",
        control=_control(),
    )


def _find(seen: tuple[Seen, ...], mine: tuple[Seen, ...], word: str) -> tuple[Found, ...]:
    own = {each.pid for each in mine}
    return tuple(Found(each.pid, each.pid in own) for each in seen if each.carries(word))


def _processes(mine: tuple[Seen, ...]) -> Processes:
    digests, read = Digests(), []
    for each in mine:
        with suppress(ProcessLookupError):
            read.append(tasks.look(each.pid, digests))
    found = tuple(each for each in read if each)
    machines = tuple(vmm.look(each, digests) for each in found if is_monitor(each))
    return Processes(found, len(read) - len(found), 0, examine(QEMU, digests), "", node_kernel.look(), machines)


def _control() -> Control:
    """A challenge on the node itself, which must be found."""
    word = secrets.token_hex(32)
    program: Path = tools.probe().folder / "probe"
    with subprocess.Popen([program, "challenge", word], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout
        child.stdout.readline()
        found = [each.pid for each in tasks.scan() if each.carries(word)]
        child.kill()
    return Control(found == [child.pid], f"process {child.pid} of the node")
