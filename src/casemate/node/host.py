"""The node's kernel and hardware, from the kernel's own file systems.

1. Hints, not proofs: a module's parameter says that hardware offers memory encryption, not that a guest has it.
2. A node in a virtual machine has the hypervisor's CPU flag.
"""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Final

from casemate.engine.node import cgroups, gather
from casemate.model.node import Host
from casemate.node.files import fact, text

_SYSCTLS: Final = (
    "kernel/unprivileged_userns_clone",
    "kernel/apparmor_restrict_unprivileged_userns",
    "kernel/unprivileged_bpf_disabled",
    "kernel/kptr_restrict",
    "kernel/dmesg_restrict",
    "kernel/yama/ptrace_scope",
    "kernel/kexec_load_disabled",
    "kernel/io_uring_disabled",
    "vm/unprivileged_userfaultfd",
    "fs/protected_symlinks",
    "fs/protected_hardlinks",
    "fs/suid_dumpable",
    "kernel/core_pattern",
)
_TEE: Final = {
    "SEV-SNP": "/sys/module/kvm_amd/parameters/sev_snp",
    "TDX": "/sys/module/kvm_intel/parameters/tdx",
    "SEV": "/sys/module/kvm_amd/parameters/sev",
}


def look() -> Host:
    """This machine."""
    known = gather()
    return Host(
        kernel=platform.release(),
        cgroups=cgroups(text("/proc/self/mountinfo")),
        lsms=known.lsms,
        selinux_enforcing=text("/sys/fs/selinux/enforce").strip() == "1",
        seccomp=known.seccomp,
        max_user_namespaces=int(text("/proc/sys/user/max_user_namespaces").strip() or 0),
        kvm=fact("/dev/kvm"),
        virtual_machine=" hypervisor" in text("/proc/cpuinfo"),
        nested=next((on for vendor in ("intel", "amd") if (on := _nested(vendor))), ""),
        tee=tuple(name for name, file in _TEE.items() if text(file).strip() in ("Y", "1")),
        shared_memory_huge_pages=_chosen(text("/sys/kernel/mm/transparent_hugepage/shmem_enabled")),
        sysctls={name: text(f"/proc/sys/{name}").strip() for name in _SYSCTLS if Path("/proc/sys", name).exists()},
    )


def _nested(vendor: str) -> str:
    """`on` or `off` when KVM runs on that vendor's CPU."""
    found = text(f"/sys/module/kvm_{vendor}/parameters/nested").strip()
    return ("on" if found in ("Y", "1") else "off") if found else ""


def _chosen(line: str) -> str:
    """The bracketed word of a line like `always [never] advise`."""
    return line.partition("[")[2].partition("]")[0]
