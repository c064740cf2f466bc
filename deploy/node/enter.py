"""Run `casemate node` with this image's files in the node's own mount namespace: `enter.py apply --handler crun …`.

1. Paths, programs and the runtime are then the node's, and nothing is installed there. The image is reached through
   /proc/PID/root of this process, which stays in the container (hostPID, privileged).
2. The service account's credentials lie in the container: a kubeconfig there names them by such paths.
3. It ends as casemate ends, so that the kubelet tries a failure again; after a success it stays, so that the Pod does.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
LOADERS = ("lib64/ld-linux-*.so.*", "lib/ld-linux-*.so.*", "lib/ld-musl-*.so.1")
LIBRARIES = ("/usr/local/lib", "/lib", "/usr/lib", "/lib64", "/usr/lib64")
START = "from casemate.cli.main import main; main()"


def command(arguments: list[str], root: str) -> list[str]:
    """What runs in the node's mount namespace; `root` is this container's, as seen from there."""
    loader = next(str(found) for pattern in LOADERS for found in sorted(Path("/").glob(pattern)))
    below = [str(each) for folder in ("/lib", "/usr/lib") for each in sorted(Path(folder).glob("*-linux-*"))]
    libraries = ":".join(root + each for each in (f"{sys.base_prefix}/lib", *LIBRARIES, *below) if Path(each).is_dir())
    python = root + str(Path(sys.executable).resolve())
    inside = [root + str(Path(loader).resolve()), "--library-path", libraries, python, "-c", START, "node", *arguments]
    return ["nsenter", "--target", "1", "--mount", "--", *inside]


def environment(root: str) -> dict[str, str]:
    """Python's own places, as seen from there."""
    places = ":".join(root + each for each in sys.path[1:] if each)
    return {"PATH": os.environ["PATH"], "PYTHONHOME": root + sys.base_prefix, "PYTHONPATH": places}


def credentials(root: str) -> dict[str, object]:
    """The Pod's service account as a kubeconfig, with its files as seen from there."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    server = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    authority, token = f"{root}{ACCOUNT}/ca.crt", f"{root}{ACCOUNT}/token"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "pod",
        "contexts": [{"name": "pod", "context": {"cluster": "pod", "user": "pod"}}],
        "clusters": [{"name": "pod", "cluster": {"server": server, "certificate-authority": authority}}],
        "users": [{"name": "pod", "user": {"tokenFile": token}}],
    }


def main() -> int:
    """Run it, and stay after a success."""
    root = f"/proc/{os.getpid()}/root"
    arguments = sys.argv[1:]
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        file = Path("/tmp/kubeconfig")  # noqa: S108 - the container's own
        file.write_text(json.dumps(credentials(root)), encoding="utf-8")
        arguments += ["--kubeconfig", f"{root}{file}", "--node", os.environ["NODE_NAME"], "--in-turn"]
    code = subprocess.run(command(arguments, root), env=environment(root), check=False).returncode
    if code == 0 and "KUBERNETES_SERVICE_HOST" in os.environ:
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
    return code


if __name__ == "__main__":
    sys.exit(main())
