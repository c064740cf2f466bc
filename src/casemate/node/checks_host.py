"""The kernel and the hardware below all boundaries."""

from __future__ import annotations

from collections.abc import Sequence

from casemate.catalogue.versions import below
from casemate.model.boundary import Boundary
from casemate.model.node import NodeFacts
from casemate.node.judge import PASSED, Judged, could_not_look, holds, none_of, not_applicable

_USER_NAMESPACES = "6.3"


def kvm_closed(facts: NodeFacts) -> Judged:
    """The device that guests are driven by."""
    kvm = facts.host.kvm
    if kvm is None:
        return not_applicable("there is no /dev/kvm")
    return holds(kvm.uid == 0 and not kvm.mode & 0o007, f"/dev/kvm has mode {kvm.mode:04o} and belongs to {kvm.uid}")


def nested_off(facts: NodeFacts) -> Judged:
    """Guests in guests."""
    if not facts.host.nested:
        return not_applicable("KVM is not loaded")
    if facts.host.virtual_machine and any(each.boundary >= Boundary.VM for each in facts.handlers):
        return PASSED  # the node is a guest itself: its own guests are the nested ones
    return holds(facts.host.nested == "off", "nested virtualisation is on")


def user_namespaces(facts: NodeFacts) -> Judged:
    """Kernel and limit."""
    old = below(facts.host.kernel, _USER_NAMESPACES)
    if old is None:
        return could_not_look("the kernel's version cannot be read")
    limit = facts.host.max_user_namespaces
    return none_of(
        [
            *([f"kernel {facts.host.kernel} is older than {_USER_NAMESPACES}"] if old else []),
            *(["user.max_user_namespaces is 0"] if not limit else []),
        ]
    )


def unprivileged_user_namespaces(facts: NodeFacts) -> Judged:
    """The distributions' two switches, or none at all."""
    clone = facts.host.sysctls.get("kernel/unprivileged_userns_clone")
    apparmor = facts.host.sysctls.get("kernel/apparmor_restrict_unprivileged_userns")
    if clone is None and apparmor is None:
        return not_applicable("this kernel has no switch for it")
    return holds(clone == "0" or apparmor == "1", "anybody can make user namespaces")


def cgroup_2(facts: NodeFacts) -> Judged:
    """Version 1 has release_agent, which root of a container may write."""
    if not facts.host.cgroups:
        return could_not_look("the mounts of cgroups cannot be read")
    return holds(facts.host.cgroups == "v2", f"cgroups are {facts.host.cgroups}")


def has_seccomp(facts: NodeFacts) -> Judged:
    """Filters for system calls."""
    return holds(facts.host.seccomp, "the kernel has no seccomp filters")


def has_lsm(facts: NodeFacts) -> Judged:
    """AppArmor or SELinux."""
    return holds(
        bool({"apparmor", "selinux"} & set(facts.host.lsms)), f"active: {', '.join(facts.host.lsms) or 'none'}"
    )


def selinux_enforcing(facts: NodeFacts) -> Judged:
    """SELinux that only warns."""
    if "selinux" not in facts.host.lsms:
        return not_applicable("SELinux is not active")
    return holds(facts.host.selinux_enforcing, "SELinux is permissive")


def no_unprivileged_bpf(facts: NodeFacts) -> Judged:
    """BPF programs of everybody."""
    return _sysctl(facts, "kernel/unprivileged_bpf_disabled", ("1", "2"))


def kernel_pointers(facts: NodeFacts) -> Judged:
    """Addresses in /proc."""
    return _sysctl(facts, "kernel/kptr_restrict", ("1", "2"))


def kernel_log(facts: NodeFacts) -> Judged:
    """The kernel's log."""
    return _sysctl(facts, "kernel/dmesg_restrict", ("1",))


def ptrace(facts: NodeFacts) -> Judged:
    """Yama's limits."""
    return _sysctl(facts, "kernel/yama/ptrace_scope", ("1", "2", "3"))


def kexec(facts: NodeFacts) -> Judged:
    """Loading of another kernel."""
    return _sysctl(facts, "kernel/kexec_load_disabled", ("1",))


def userfaultfd(facts: NodeFacts) -> Judged:
    """Page faults handled in user space."""
    return _sysctl(facts, "vm/unprivileged_userfaultfd", ("0",))


def io_uring(facts: NodeFacts) -> Judged:
    """io_uring of everybody."""
    return _sysctl(facts, "kernel/io_uring_disabled", ("1", "2"))


def protected_links(facts: NodeFacts) -> Judged:
    """Symbolic and hard links."""
    names = ("fs/protected_symlinks", "fs/protected_hardlinks")
    bad = [name for name in names if facts.host.sysctls.get(name, "1") != "1"]
    if not any(name in facts.host.sysctls for name in names):
        return could_not_look("these settings cannot be read")
    return none_of(f"{name.replace('/', '.')} is {facts.host.sysctls[name]}" for name in bad)


def core_dumps(facts: NodeFacts) -> Judged:
    """Dumps of programs that changed their rights."""
    return _sysctl(facts, "fs/suid_dumpable", ("0", "2"))


def gvisor_memory(facts: NodeFacts) -> Judged:
    """Huge pages for gVisor's memory files."""
    if not any(each.runtime.startswith("gvisor") for each in facts.handlers):
        return not_applicable("no handler is gVisor")
    found = facts.host.shared_memory_huge_pages
    if not found:
        return could_not_look("shmem_enabled cannot be read")
    return holds(found in ("advise", "within_size", "always"), f"shmem_enabled is {found}")


def _sysctl(facts: NodeFacts, name: str, good: Sequence[str]) -> Judged:
    found = facts.host.sysctls.get(name)
    if found is None:
        return not_applicable(f"this kernel has no {name.replace('/', '.')}")
    return holds(found in good, f"{name.replace('/', '.')} is {found}")
