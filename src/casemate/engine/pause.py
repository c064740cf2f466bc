"""The image whose process holds a Pod's namespaces. Built here from our own program, so that no registry is needed.

It also has the smallest Wasm module, `/nothing.wasm`, which ends at once with 0: what a Wasm handler is tried with.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from casemate.engine.containerd.config import PAUSE_IMAGE
from casemate.engine.install import tools
from casemate.errors import MissingError
from casemate.images import build, layout, reference, store

PAUSE_COMMAND = ("/pause",)
WASM_COMMAND = ("/nothing.wasm",)

_NOTHING = (
    b"\0asm\1\0\0\0"  # a core module, version 1
    b"\1\4\1\x60\0\0"  # one type: () -> ()
    b"\3\2\1\0"  # one function, of that type
    b"\5\3\1\0\1"  # one memory, of one page
    b"\7\x13\2\6memory\2\0\6_start\0\0"  # what WASI looks for
    b"\n\4\1\2\0\x0b"  # the function's body: nothing
)


def bring_in(socket: str) -> None:
    """Store the image in the containerd at `socket`. Raises `MissingError` before `casemate engine install`."""
    native = tools.native()
    if not native.present:
        raise MissingError("the engine's own programs are not built", fix="casemate engine install")
    name = reference.parse(PAUSE_IMAGE)
    entries = (build.File("/pause", native.folder / "pause", 0o755), build.File("/nothing.wasm", _NOTHING, 0o755))
    with tempfile.TemporaryDirectory(prefix="casemate-pause-") as folder:
        file = Path(folder) / "pause.tar"
        build.write(file, name, entries, build.Settings(entrypoint=PAUSE_COMMAND, user="65535:65535"))
        store.add(layout.read(file, name), name, socket)
