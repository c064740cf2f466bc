"""Which Linux capabilities a container ends up with.

1. Without a word, it is the runtime's default set (containerd and CRI-O agree on these but for three that CRI-O leaves
   out; the larger set counts).
2. `add: [ALL]` fills the set, else `drop: [ALL]` empties it; then single names are dropped, and single names added
   (containerd, internal/cri/server/container_create: the order of WithAddedCapabilities and WithDroppedCapabilities).
3. Names are read in any case. To add one, `CAP_` may stand before it (CRI-O takes it away); to drop one it may not:
   containerd puts it before every name, knows no CAP_CAP_NET_RAW, and drops nothing (pkg/cri/opts, WithCapabilities).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

_DEFAULT: Final = frozenset(
    {"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW"}
    | {"SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"}
)
_BEYOND: Final = frozenset(
    {"AUDIT_CONTROL", "AUDIT_READ", "BLOCK_SUSPEND", "BPF", "CHECKPOINT_RESTORE", "DAC_READ_SEARCH", "IPC_LOCK"}
    | {"IPC_OWNER", "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "NET_ADMIN", "NET_BROADCAST", "PERFMON"}
    | {"SYS_ADMIN", "SYS_BOOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO", "SYS_RESOURCE"}
    | {"SYS_TIME", "SYS_TTY_CONFIG", "SYSLOG", "WAKE_ALARM"}
)
EVERY: Final = " ".join(sorted(_DEFAULT | _BEYOND))
"""All 41 capabilities of Linux 6, a privileged container's, with spaces between."""


@lru_cache(maxsize=512)
def named(name: str) -> str:
    """An added capability as the API names it: upper case, without `CAP_`."""
    return name.upper().removeprefix("CAP_")


@lru_cache(maxsize=512)
def effective(add: tuple[str, ...], drop: tuple[str, ...]) -> str:
    """The capabilities of a container that is not privileged, with spaces between."""
    added, dropped = {named(each) for each in add}, {each.upper() for each in drop}
    start = _DEFAULT | _BEYOND if "ALL" in added else frozenset() if "ALL" in dropped else _DEFAULT
    return " ".join(sorted((start - dropped) | (added - {"ALL"})))


@lru_cache(maxsize=512)
def drops_all(drop: tuple[str, ...]) -> bool:
    """Whether nothing of the default set is kept."""
    return "ALL" in {each.upper() for each in drop}
