"""The node's own kernel: what a sandbox's is compared with."""

from __future__ import annotations

import platform
from pathlib import Path

from casemate.engine import node
from casemate.prove.facts import NodeKernel
from casemate.prove.tasks import namespaces

_CONFINING = ("apparmor", "selinux")


def look() -> NodeKernel:
    """The kernel that this process runs on, which must be the node's."""
    return NodeKernel(
        boot_id=boot_id(),
        release=platform.release(),
        namespaces=_namespaces(),
        modules=tuple(each for each in node.gather().lsms if each in _CONFINING and not _permissive(each)),
    )


def boot_id() -> str:
    """What tells this boot of the node from all others."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _permissive(module: str) -> bool:
    """Whether SELinux only writes down what it would refuse (selinuxfs)."""
    enforce = Path("/sys/fs/selinux/enforce")
    return module == "selinux" and enforce.exists() and enforce.read_text(encoding="ascii").strip() != "1"


def _namespaces() -> dict[str, int]:
    """The node's own: process 1's; where we may not look at that (no ptrace), ours, which then must be the node's."""
    try:
        return namespaces(1)
    except OSError:
        return namespaces("self")
