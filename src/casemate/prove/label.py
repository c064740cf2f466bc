"""Whether a security module confines a process, by the label that the node's kernel gives it.

1. AppArmor: `profile (mode)`. Only `enforce` and `kill` keep anybody from anything; `complain` writes into the log, and
   `unconfined`, alone or as a profile's mode, is nothing. In a stack (`a//&b (mode)`) one of `mixed` mode counts for
   nothing here: which of them enforces is not told (apparmor(7), security/apparmor/label.c of Linux).
2. SELinux: `user:role:type:level`. Types that the policy leaves unconfined keep nobody from anything; nor does any
   while the node is permissive, which `casemate.prove.node_kernel` knows.
3. No label is no confinement.
"""

from __future__ import annotations

import re

_APPARMOR = re.compile(r".+ \((enforce|kill)\)", re.DOTALL)
_UNCONFINED_TYPES = frozenset(
    {"unconfined_t", "unconfined_service_t", "spc_t", "kernel_t", "init_t", "initrc_t", "container_runtime_t"}
)


def confines(label: str) -> bool:
    """Whether a process of this label is kept from something by its security module."""
    if re.fullmatch(r"[^\s:()]+:[^\s:()]+:[^\s:()]+(:[^\s()]+)?", label):
        return label.split(":")[2] not in _UNCONFINED_TYPES
    return _APPARMOR.fullmatch(label) is not None
