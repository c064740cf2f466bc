"""What gVisor's own options say of a sandbox: those that hand through what the boundary is there to keep.

The options stand in the arguments of the processes, where they differ from the default (runsc/config/flags.go of
google/gvisor); a value is what makes them weak.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

_WEAK: Mapping[str, tuple[str, ...]] = {
    "network": ("host",),
    "host-uds": ("open", "create", "all"),
    "host-fifo": ("open",),
    "character-device-policy": ("host", "passthrough"),
    "allow-packet-socket-write": ("true",),
    "allow-flag-override": ("true",),
    "allow-rootfs-tar-annotation": ("true",),
    "allow-suid": ("true",),
    "net-raw": ("true",),
    "iouring": ("true",),
    "profile": ("true",),
    "platform": ("ptrace",),
    "overlay2": ("none",),
    "file-access": ("shared",),
    "reproduce-nat": ("true",),
    "reproduce-nftables": ("true",),
    "rootless": ("true",),
    "nvproxy": ("true",),
    "tpuproxy": ("true",),
    "nvproxy-allow-unsupported-driver": ("true",),
}
"""Option → values that pass the host through, or loosen the Sentry's own confinement."""

_NEVER = "TESTONLY-"


def host_passing(arguments: Sequence[str]) -> tuple[str, ...]:
    """The options among the arguments that weaken the boundary, as they are written there."""
    return tuple(dict.fromkeys(_weak(arguments)))


def _weak(arguments: Sequence[str]) -> Iterator[str]:
    for each in arguments[1:]:
        name, given, value = each.lstrip("-").partition("=")
        value = value if given else "true"
        if not each.startswith("-"):
            continue
        if value in _WEAK.get(name, ()) or (name.startswith(_NEVER) and value not in ("", "false")):
            yield f"--{name}={value}"
