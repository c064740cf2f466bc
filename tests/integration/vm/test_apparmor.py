"""AppArmor as a kernel that has it shows it to casemate: it counts where it is enforced, and nowhere else."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from guests import Guest

pytestmark = pytest.mark.root

SCRIPT = Path(__file__).with_name("labels_in_guest.py")
ENFORCED, COMPLAINING, UNCONFINED = "1001", "1002", "1003"
SEEN = [
    # the task, its label, what a Pod of such tasks is, all else being hardened
    (ENFORCED, "enforced (enforce)", "hardened"),
    (COMPLAINING, "complaining (complain)", "shared"),
    (UNCONFINED, "unconfined", "shared"),
]
PREPARE = f"""
dd if=/policy of=/sys/kernel/security/apparmor/.load bs=1M 2>/dev/null
(echo "exec enforced" >/proc/self/attr/exec; exec sleep {ENFORCED}) &
(echo "exec complaining" >/proc/self/attr/exec; exec sleep {COMPLAINING}) &
sleep {UNCONFINED} &
mount -t virtiofs -o ro node /mnt
mount -t proc proc /mnt/proc
mount --bind /sys /mnt/sys
mount --bind /sys/kernel/security /mnt/sys/kernel/security
sleep 0.2
chroot /mnt {sys.executable} -B {SCRIPT}
"""


@pytest.fixture(scope="module")
def seen(leaky_guest: Guest) -> dict[str, dict[str, str]]:
    """What casemate sees of tasks in the guest."""
    leaky_guest.tell("; ".join(PREPARE.strip().splitlines()).replace("&;", "&"))
    told = json.loads(leaky_guest.line("LABELS").removeprefix("LABELS "))
    assert told["modules"] == ["apparmor"]
    tasks: dict[str, dict[str, str]] = told["tasks"]
    return tasks


@pytest.mark.parametrize(("task", "label", "shown"), SEEN)
def test_only_an_enforced_profile_makes_a_pod_hardened(
    seen: dict[str, dict[str, str]], task: str, label: str, shown: str
) -> None:
    assert (seen[task]["label"], seen[task]["shown"]) == (label, shown)


def test_what_is_not_enforced_is_told(seen: dict[str, dict[str, str]]) -> None:
    assert seen[ENFORCED]["module"] == "apparmor: enforced (enforce)"
    assert seen[COMPLAINING]["module"].endswith("which does not confine all of them")
    assert "not confined by apparmor (unconfined)" in seen[UNCONFINED]["hardening"]
    assert seen[ENFORCED]["hardening"].endswith("by apparmor too")
