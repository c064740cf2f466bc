"""`podman kube play`, made to work on machines like CI's.

It wants to raise resource limits and to lower OOM scores, which needs CAP_SYS_RESOURCE, and stumbles over hybrid
cgroups: so it gets limits of its own and a private mount namespace. Its network namespaces are mounts, so all
calls of one measurement are made from one shell in that namespace. It leaves a bridge and firewall rules behind, so
they are made in a network namespace that ends with that shell.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

SETTINGS = """
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=16384:16384"]
oom_score_adj = 0
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
"""

SCRIPT = """
umount /sys/fs/cgroup/unified 2>/dev/null
ip link set lo up
podman="podman --root $FOLDER/root --runroot $FOLDER/run --storage-driver overlay --runtime $RUNTIME"
if ! $podman image exists $IMAGE; then
  loaded=$($podman load -q -i $LAYOUT | sed -n 's/^Loaded image: *//p') && $podman tag "$loaded" $IMAGE || exit
fi
before=$(date +%s.%N)
$podman kube play $MANIFEST > $FOLDER/out 2>&1 || { cat $FOLDER/out >&2; failed=1; }
after=$(date +%s.%N)
echo running=$($podman ps -q --filter status=running --filter name=main | wc -l)
echo seconds=$(awk "BEGIN {print $after - $before}")
$podman kube down $MANIFEST > /dev/null 2>&1
$podman pod rm -fa > /dev/null 2>&1
exit ${failed:-0}
"""


ALONE = """
umount /sys/fs/cgroup/unified 2>/dev/null
ip link set lo up
podman="podman --root $FOLDER/root --runroot $FOLDER/run --storage-driver overlay --runtime $RUNTIME"
before=$(date +%s.%N)
for number in $(seq $COUNT); do $podman run -d --name main-$number $IMAGE sleep 86400 > /dev/null || failed=1; done
after=$(date +%s.%N)
echo running=$($podman ps -q --filter status=running --filter name=main | wc -l)
echo seconds=$(awk "BEGIN {print $after - $before}")
$podman rm -fa -t 0 > /dev/null 2>&1
exit ${failed:-0}
"""
"""Containers without a Pod, one `podman run` after another."""


def available() -> bool:
    """Whether podman is installed, with what it needs."""
    helper = shutil.which("catatonit") or Path("/usr/libexec/podman/catatonit").exists()
    return bool(shutil.which("podman") and helper)


def start_seconds(manifest: Path, count: int, runtime: str, image: str, layout: Path, folder: Path) -> float:
    """Seconds that `podman kube play` took. Raises `RuntimeError` with podman's words when not all Pods run."""
    return _measured(SCRIPT, count, folder, RUNTIME=runtime, IMAGE=image, LAYOUT=str(layout), MANIFEST=str(manifest))


def without_pod(count: int, runtime: str, image: str, folder: Path) -> float:
    """Seconds that `podman run` took for that many containers. Raises `RuntimeError` when not all run."""
    return _measured(ALONE, count, folder, RUNTIME=runtime, IMAGE=image, COUNT=str(count))


def _measured(script: str, count: int, folder: Path, **variables: str) -> float:
    settings = folder / "containers.conf"
    settings.write_text(f'{SETTINGS}tmp_dir = "{folder}/libpod"\n')
    path = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(folder)}
    done = subprocess.run(
        ["unshare", "--mount", "--net", "--propagation", "slave", "sh", "-c", script],
        env={**path, "CONTAINERS_CONF": str(settings), "FOLDER": str(folder), **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    found = dict(re.findall(r"^(\w+)=([\d.]+)$", done.stdout, re.MULTILINE))
    if done.returncode or int(found.get("running", 0)) != count:
        raise RuntimeError(f"podman ran {found.get('running', 0)} of {count}: {done.stderr[-600:]}")
    return float(found["seconds"])
