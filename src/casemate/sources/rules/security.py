"""Security contexts: profiles and contradictions."""

from __future__ import annotations

from casemate.model.kube.security import (
    AppArmorProfile,
    Capabilities,
    PodSecurityContext,
    SeccompProfile,
    SecurityContext,
)
from casemate.sources.problems import near_miss, printable
from casemate.sources.rules import formats as f
from casemate.sources.rules.place import Place

_IPC_SYSCTLS = ("kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")


CAPABILITIES = frozenset(
    (
        "AUDIT_CONTROL",
        "AUDIT_READ",
        "AUDIT_WRITE",
        "BLOCK_SUSPEND",
        "BPF",
        "CHECKPOINT_RESTORE",
        "CHOWN",
        "DAC_OVERRIDE",
        "DAC_READ_SEARCH",
        "FOWNER",
        "FSETID",
        "IPC_LOCK",
        "IPC_OWNER",
        "KILL",
        "LEASE",
        "LINUX_IMMUTABLE",
        "MAC_ADMIN",
        "MAC_OVERRIDE",
        "MKNOD",
        "NET_ADMIN",
        "NET_BIND_SERVICE",
        "NET_BROADCAST",
        "NET_RAW",
        "PERFMON",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYSLOG",
        "SYS_ADMIN",
        "SYS_BOOT",
        "SYS_CHROOT",
        "SYS_MODULE",
        "SYS_NICE",
        "SYS_PACCT",
        "SYS_PTRACE",
        "SYS_RAWIO",
        "SYS_RESOURCE",
        "SYS_TIME",
        "SYS_TTY_CONFIG",
        "WAKE_ALARM",
    )
)
"""capabilities(7), as Kubernetes writes them."""


def check_security(context: SecurityContext, place: Place, *, host_users: bool) -> None:
    """A container's security context."""
    _check_profiles(context.seccompProfile, context.appArmorProfile, place)
    if context.capabilities:
        _check_capabilities(context.capabilities, place.at("capabilities"))
    if context.procMount == "Unmasked" and host_users:
        place.at("procMount").note("Unmasked needs hostUsers: false")
    if context.allowPrivilegeEscalation is False:
        here = place.at("allowPrivilegeEscalation")
        if context.privileged:
            here.note("false contradicts privileged: true", "remove one of them")
        if context.capabilities and {"CAP_SYS_ADMIN", "SYS_ADMIN"} & set(context.capabilities.add):
            here.note("false contradicts the added capability SYS_ADMIN", "remove one of them")


def check_pod_security(context: PodSecurityContext, place: Place, *, host_network: bool, host_ipc: bool) -> None:
    """A Pod's security context."""
    _check_profiles(context.seccompProfile, context.appArmorProfile, place)
    seen: set[str] = set()
    for index, each in enumerate(context.sysctls):
        here = place.at("sysctls", index, "name")
        name = each.name.replace("/", ".")
        if name in seen:
            here.note(f'"{each.name}" is set twice')
        seen.add(name)
        if host_network and name.startswith("net."):
            here.note(f'"{each.name}" would change the host, as hostNetwork is true')
        if host_ipc and name.startswith(_IPC_SYSCTLS):
            here.note(f'"{each.name}" would change the host, as hostIPC is true')


def _check_capabilities(capabilities: Capabilities, place: Place) -> None:
    """Runtimes ignore a name that they do not know: a misspelt drop would drop nothing."""
    for field in ("add", "drop"):
        for index, name in enumerate(getattr(capabilities, field)):
            plain = name.upper().removeprefix("CAP_")
            if plain != "ALL" and plain not in CAPABILITIES:
                place.at(field, index).note(f'"{printable(name, 40)}" is no capability', near_miss(plain, CAPABILITIES))


def _check_profiles(seccomp: SeccompProfile | None, apparmor: AppArmorProfile | None, place: Place) -> None:
    if seccomp:
        _check_profile(seccomp, place.at("seccompProfile"))
        if seccomp.localhostProfile is not None:
            place.at("seccompProfile", "localhostProfile").check(seccomp.localhostProfile, f.relative_path)
    if apparmor:
        _check_profile(apparmor, place.at("appArmorProfile"))
        name = apparmor.localhostProfile
        if name is not None and name != name.strip():
            place.at("appArmorProfile", "localhostProfile").note("must not begin or end with a space")


def _check_profile(profile: SeccompProfile | AppArmorProfile, place: Place) -> None:
    if profile.type == "Localhost":
        place.at("localhostProfile").require(profile.localhostProfile, "type: Localhost names a profile")
    elif profile.localhostProfile is not None:
        place.at("localhostProfile").note(f"is only for type: Localhost, not {profile.type}")
