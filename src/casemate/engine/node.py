"""What this machine is, as far as it decides which Pod fields can be honoured."""

from __future__ import annotations

import os
import platform
import socket
from pathlib import Path

from casemate.engine.translate.dns import ResolvConf, parse_resolv_conf
from casemate.model.handler import NodeFacts

_CAP_SYS_RESOURCE = 24
_SYSTEMD_RESOLV_CONF = Path("/run/systemd/resolve/resolv.conf")


def gather() -> NodeFacts:
    """The facts of this machine, read from the kernel's file systems."""
    return NodeFacts(
        name=platform.node() or "localhost",
        address=_address(),
        cgroups=cgroups(Path("/proc/self/mountinfo").read_text(encoding="utf-8")),
        lsms=_security_modules(),
        can_lower_oom_score=has_capability(_read("/proc/self/status"), _CAP_SYS_RESOURCE),
        user_namespaces=int(_read("/proc/sys/user/max_user_namespaces") or 0) > 0,
        seccomp=Path("/proc/sys/kernel/seccomp/actions_avail").exists(),
        cpus=len(os.sched_getaffinity(0)),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
    )


def host_resolv_conf(etc: Path = Path("/etc/resolv.conf"), systemd: Path = _SYSTEMD_RESOLV_CONF) -> ResolvConf:
    """The machine's resolver settings, for Pods.

    Loopback servers are no use to a Pod: systemd-resolved has the real ones behind its stub in a file of its own.
    """
    found = parse_resolv_conf(_read(str(etc)))
    if found.servers and all(each.startswith("127.") or each == "::1" for each in found.servers) and systemd.exists():
        return parse_resolv_conf(_read(str(systemd)))
    return found


def cgroups(mountinfo: str) -> str:
    """`v1`, `v2` or `hybrid`, from the text of /proc/self/mountinfo (proc(5)).

    Hybrid is what has version 1 controllers and version 2 mounted next to them.
    """
    kinds = {line.partition(" - ")[2].split(" ", 1)[0] for line in mountinfo.splitlines()}
    if "cgroup" in kinds:
        return "hybrid" if "cgroup2" in kinds else "v1"
    return "v2"


def has_capability(status: str, number: int) -> bool:
    """Whether the effective set in a text of /proc/self/status has the capability of that number."""
    for line in status.splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return False


def _security_modules() -> tuple[str, ...]:
    listed = tuple(filter(None, _read("/sys/kernel/security/lsm").strip().split(",")))
    if listed:
        return listed
    # securityfs is not mounted everywhere: ask the two that Pods can name.
    apparmor = _read("/sys/module/apparmor/parameters/enabled").strip() == "Y"
    selinux = Path("/sys/fs/selinux/enforce").exists()
    return tuple(name for name, active in (("apparmor", apparmor), ("selinux", selinux)) if active)


def _address() -> str:
    """The address from which this machine would reach others; nothing is sent. Loopback where none leads out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


def _read(file: str) -> str:
    try:
        return Path(file).read_text(encoding="utf-8")
    except OSError:
        return ""
