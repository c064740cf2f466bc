"""Images into containerd's store.

CRI has no call for it. containerd's own tool `ctr` streams an OCI layout over the engine's socket: what it gets from
us is only what `casemate.images.layout` checked, and containerd checks each digest again as it stores it.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from contextlib import suppress

from casemate.errors import CasemateError, InputError, MissingError, RuntimeFault
from casemate.images.build import write_layout
from casemate.images.layout import Image
from casemate.images.reference import Reference

KUBERNETES_NAMESPACE = "k8s.io"
"""The namespace of containerd in which CRI keeps its images."""


def add(image: Image, name: Reference, socket: str, snapshotter: str = "overlayfs") -> None:
    """Store `image` under `name` in the containerd at `socket`, in place of an older one of that name.

    Raises `InputError` when `name` has another image's digest, `MissingError` without ctr, `RuntimeFault` for what
    containerd says (a full disk, for one).
    """
    if name.digest and name.digest not in image.digests:
        raise InputError(f"the image's digest is {image.digest}, not {name.digest}", where=str(image.files.path))
    tool = shutil.which("ctr")
    if not tool:
        raise MissingError("containerd's tool ctr is not installed", fix="casemate engine install")
    command = [tool, "--address", socket, "--namespace", KUBERNETES_NAMESPACE, "images", "import"]
    with tempfile.TemporaryFile() as said:
        code = _feed([*command, "--snapshotter", snapshotter, "-"], image, name, said.fileno())
        said.seek(0)
        if code:
            raise _fault(said.read().decode(errors="replace"), image, name)


def _feed(command: list[str], image: Image, name: Reference, said: int) -> int:
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said)
    assert process.stdin
    try:
        with suppress(BrokenPipeError):  # it gave up, and says why
            layers = ((layer.digest, layer.size, stream) for layer, stream in image.open_layers())
            write_layout(process.stdin, name, image.documents, layers)
            process.stdin.close()
        return process.wait()
    except OSError as error:
        raise InputError(f"the image changed while it was read: {error}", where=str(image.files.path)) from None
    finally:
        process.kill()
        process.wait()


def _fault(said: str, image: Image, name: Reference) -> CasemateError:
    message = said.strip().rpartition("\n")[2].removeprefix("ctr: ") or "no reason given"
    if "no space left on device" in message:
        return RuntimeFault(f"no room for {name} on the engine's disk", where=str(image.files.path), fix="make room")
    return RuntimeFault(f"containerd does not take {name}: {message}", where=str(image.files.path))
