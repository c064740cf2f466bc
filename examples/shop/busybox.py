"""Debian's statically linked busybox as the content of an image: one program, and a link to it per command."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from casemate.errors import MissingError
from casemate.images.build import Entry, File, Folder, Link

ACCOUNTS = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n"
GROUPS = b"root:x:0:\nnobody:x:65534:\n"
PATH = "/usr/local/bin:/bin"


def busybox() -> tuple[Entry, ...]:
    """The entries. Raises `MissingError` where busybox-static is not installed."""
    program = shutil.which("busybox")
    if not program:
        raise MissingError("busybox is not installed", fix="apt-get install busybox-static")
    listed = subprocess.run([program, "--list"], capture_output=True, text=True, check=True)
    commands = [name for name in listed.stdout.split() if name != "busybox"]
    return (
        File("/bin/busybox", Path(program), 0o755),
        *(Link(f"/bin/{name}", "busybox") for name in commands),
        File("/etc/passwd", ACCOUNTS),
        File("/etc/group", GROUPS),
        Folder("/root", 0o700),
        Folder("/tmp", 0o1777),  # noqa: S108 - inside the image
    )
