"""Run `casemate prove publish` with this image's files among the container runtime's own: `enter_runtime.py SOCKET …`.

1. The runtime is whoever listens at SOCKET, whose folder is /runtime here, as the kernel tells (SO_PEERCRED): paths in
   its configuration mean files of its mount namespace, wherever that is. Needs hostPID and privileges.
2. Nothing is installed there. The image is reached through /proc/PID/root of this process, which stays in the
   container.
3. The service account's credentials and the key lie in the container, and are named by such paths.
4. Whoever ends this process ends casemate, which takes away what it made.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
RUNTIME = "/runtime"
KEY = "/key/key.pem"
LOADERS = ("lib64/ld-linux-*.so.*", "lib/ld-linux-*.so.*", "lib/ld-musl-*.so.1")
LIBRARIES = ("/usr/local/lib", "/lib", "/usr/lib", "/lib64", "/usr/lib64")
START = "from casemate.cli.main import main; main()"
NEW_MOUNTS = 0x00020000


def runtime(path: Path) -> int:
    """The process that listens at the socket."""
    with socket.socket(socket.AF_UNIX) as found:
        found.connect(str(path))
        return struct.unpack("3i", found.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]


def command(arguments: list[str], root: str) -> list[str]:
    """What runs among the node's files; `root` is this container's, as seen from there."""
    loader = next(str(found) for pattern in LOADERS for found in sorted(Path("/").glob(pattern)))
    below = [str(each) for folder in ("/lib", "/usr/lib") for each in sorted(Path(folder).glob("*-linux-*"))]
    libraries = ":".join(root + each for each in (f"{sys.base_prefix}/lib", *LIBRARIES, *below) if Path(each).is_dir())
    python = root + str(Path(sys.executable).resolve())
    return [root + str(Path(loader).resolve()), "--library-path", libraries, python, "-c", START, *arguments]


def environment(root: str) -> dict[str, str]:
    """Python's own places and casemate's, as seen from there; the node's programs are found as they are there."""
    places = ":".join(root + each for each in sys.path[1:] if each)
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {"PATH": path, "HOME": root + os.environ["HOME"], "PYTHONHOME": root + sys.base_prefix, "PYTHONPATH": places}


def kubeconfig(root: str) -> str:
    """The Pod's service account as a kubeconfig; its path as seen from there."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "pod",
        "contexts": [{"name": "pod", "context": {"cluster": "pod", "user": "pod"}}],
        "clusters": [
            {"name": "pod", "cluster": {"server": server, "certificate-authority": f"{root}{ACCOUNT}/ca.crt"}}
        ],
        "users": [{"name": "pod", "user": {"tokenFile": f"{root}{ACCOUNT}/token"}}],
    }
    file = Path("/tmp/kubeconfig")  # noqa: S108 - the container's own
    file.write_text(json.dumps(config), encoding="utf-8")
    return f"{root}{file}"


def main() -> int:
    """Run it until it ends, or we are ended."""
    path, *arguments = sys.argv[1:]
    root = f"/proc/{os.getpid()}/root"
    own = ["--cri", path, "--sign", f"{root}{KEY}", "--kubeconfig", kubeconfig(root)]
    mounts = os.open(f"/proc/{runtime(Path(RUNTIME, Path(path).name))}/ns/mnt", os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)

    def enter() -> None:
        if libc.setns(mounts, NEW_MOUNTS):
            raise OSError(ctypes.get_errno(), "setns")

    line = command(["prove", "publish", *own, *arguments], root)
    process = subprocess.Popen(line, env=environment(root), preexec_fn=enter)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda each, _: process.send_signal(each))
    return process.wait()


if __name__ == "__main__":
    sys.exit(main())
