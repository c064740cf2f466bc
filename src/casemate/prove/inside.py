"""What the prober says from inside (`native/probe`), decoded. It may lower a boundary, never raise it.

Calls that Linux has and gVisor's kernel refuses as unknown: pkg/sentry/syscalls/linux/linux64.go of google/gvisor.
"""

from __future__ import annotations

import msgspec

from casemate.errors import RuntimeFault

GVISOR_LACKS = ("userfaultfd", "copy_file_range", "vmsplice", "kcmp", "pkey_alloc", "fanotify_init")
"""What gVisor's kernel answers ENOSYS to."""


class Kernel(msgspec.Struct, frozen=True, rename="camel"):
    """What the kernel in there says of itself; an error's name where it says nothing."""

    release: str
    version: str
    boot_id: str
    log: str


class Machine(msgspec.Struct, frozen=True, rename="camel"):
    """The hardware as seen from there. `processes` are those that it sees, itself included."""

    vendor: str
    hypervisor: str
    dmi: str
    devices: tuple[str, ...]
    processes: int


class Report(msgspec.Struct, frozen=True, rename="camel"):
    """All of it. In `surface`, `calls` and `escapes` an empty text means that it succeeded, else it is the error."""

    nonce: str
    kernel: Kernel
    machine: Machine
    surface: dict[str, str]
    calls: dict[str, str]
    escapes: dict[str, str]


def decode(line: bytes) -> Report:
    """The prober's report. Raises `RuntimeFault` for anything else."""
    try:
        return msgspec.json.decode(line, type=Report)
    except msgspec.DecodeError as error:
        raise RuntimeFault(f"what answered is not the prober: {error}") from None
