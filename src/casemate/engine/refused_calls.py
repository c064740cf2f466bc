"""System calls that a sandbox refused, as far as its runtime tells without being asked to trace.

1. gVisor notes each system call that its kernel lacks, once, in `gvisor.log` next to the containers' logs (runsc's
   user log). Calls that it denies for want of a right are not among them.
2. A seccomp filter that kills shows as an end by SIGSYS. One that answers with an error, as the default profile does,
   leaves no trace outside of the process.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

GVISOR_LOG = "gvisor.log"
_UNSUPPORTED = re.compile(r"Unsupported syscall (\w+)")
_KILLED_BY_SECCOMP = 128 + 31


def of_gvisor(folders: Iterable[Path]) -> tuple[str, ...]:
    """Names of the calls that gVisor's kernel lacks, from the Pods' log folders (rule 1)."""
    found: set[str] = set()
    for folder in folders:
        log = folder / GVISOR_LOG
        if log.is_file():
            found.update(_UNSUPPORTED.findall(log.read_text(encoding="utf-8", errors="replace")))
    return tuple(sorted(found))


def killed(exit_codes: Iterable[int]) -> bool:
    """Whether a seccomp filter killed one of the containers (rule 2)."""
    return _KILLED_BY_SECCOMP in exit_codes
