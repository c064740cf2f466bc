"""The DaemonSet's way into the node: an image's Python in the node's own mount namespace."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.root
ENTER = Path(__file__).parents[3] / "deploy" / "node" / "enter.py"
# The node: process 1 of a PID namespace. The container: a mount namespace without the node's /etc/containerd.
NODE = 'unshare --mount --propagation private sh -ec "$0" sh "$@"; exit $?'
CONTAINER = 'mount -t tmpfs none /etc/containerd; ! test -e /etc/containerd/config.toml; exec "$@"'


def test_casemate_of_an_image_sees_the_nodes_files() -> None:
    config = Path("/etc/containerd/config.toml")
    assert config.is_file(), "Debian's containerd brings one"
    inside = [sys.executable, str(ENTER), "plan", "--config", str(config), "--handler", "crun", "--restart", "true"]
    command = ["unshare", "--pid", "--fork", "--mount-proc", "sh", "-c", NODE, CONTAINER, *inside]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert f"+++ {config}" in done.stdout
