"""The image that proves: the prober, and a Wasm module that answers a challenge where no native program runs.

1. It is made here, from our own program, the same bytes each time: its id is known before any engine is asked.
2. Containers name it by that id. Another image under its name is not taken for it, and is put right.
3. CRI-O takes images from registries alone. Its sandboxes' own image, which every node has, serves there, with the
   prober mounted into it from a folder of the node in which programs may be run (not /run), while a proof lasts.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from casemate.engine.cri.client import CriClient
from casemate.engine.install import tools
from casemate.errors import MissingError
from casemate.images import build, layout, reference, store

PROBE_IMAGE = "casemate.local/probe:1"
PROBE = "/probe"
MODULE = "/probe.wasm"

_CRIO = "cri-o"
_LAID_OUT = Path("/var/lib/casemate-prove")

CHALLENGE_LENGTH = 64
"""Hexadecimal digits of a challenge; the module prints as many."""

_ECHO = (
    b"\0asm\1\0\0\0"  # a core module, version 1
    b"\1\x12\3"  # three types:
    b"\x60\2\x7f\x7f\1\x7f"  # (i32, i32) -> i32
    b"\x60\4\x7f\x7f\x7f\x7f\1\x7f"  # (i32, i32, i32, i32) -> i32
    b"\x60\0\0"  # () -> ()
    b"\2\x6a\3"  # three functions of WASI:
    b"\x16wasi_snapshot_preview1\x08args_get\0\0"
    b"\x16wasi_snapshot_preview1\x08fd_write\0\1"
    b"\x16wasi_snapshot_preview1\x0bpoll_oneoff\0\1"
    b"\3\2\1\2"  # one function, of the third type
    b"\5\3\1\0\1"  # one memory, of one page
    b"\7\x13\2\6memory\2\0\6_start\0\3"
    b"\x0a\x5a\1\x58\0"  # its body:
    b"\x41\x20\x41\x80\x08\x10\0\x1a"  # args_get(pointers at 32, text at 1024)
    b"\x41\0\x41\x24\x28\2\0\x36\2\0\x41\4\x41\xc0\0\x36\2\0"  # what to write: 64 bytes of the second argument,
    b"\x41\x08\x41\x10\x36\2\0\x41\x0c\x41\1\x36\2\0"  # and one byte at 16
    b"\x41\1\x41\0\x41\2\x41\x14\x10\1\x1a"  # fd_write(stdout)
    b"\x41\x90\4\x41\1\x36\2\0\x41\x98\4\x42\x80\xb0\x9d\xc2\xdf\1\x37\3\0"  # the monotonic clock, in a minute
    b"\x41\x80\4\x41\x80\5\x41\1\x41\xc0\5\x10\2\x1a\x0b"  # poll_oneoff
    b"\x0b\7\1\0\x41\x10\x0b\1\n"  # data at 16: the end of a line
)


class _Config(msgspec.Struct, frozen=True, rename="camel"):
    sandbox_image: str = ""


@dataclass(frozen=True)
class Prober:
    """The image as the engine has it: its id or name, and the digests of what is in it, by path.

    `mounted` are files of the node that containers need to have there, by path (rule 3).
    """

    image: str
    digests: Mapping[str, str]
    mounted: Mapping[str, Path] = field(default_factory=dict)


async def bring_in(client: CriClient, place: str) -> Prober:
    """See to it that the engine has the image. `place` is the name of where proofs are made, one at a time.

    Raises `MissingError` before `casemate engine install`.
    """
    program = _program()
    digests = {PROBE: _digest(program.read_bytes()), MODULE: _digest(_ECHO)}
    if (await client.version()).runtime_name == _CRIO:
        own = msgspec.json.decode((await client.status(verbose=True)).info.get("config", "{}"), type=_Config)
        return Prober(own.sandbox_image, digests, await asyncio.to_thread(_lay_out, program, place))
    with tempfile.TemporaryDirectory(prefix="casemate-probe-") as folder:
        image = await asyncio.to_thread(_make, Path(folder) / "probe.tar", program)
        if await client.image_status(image.id) is None:
            await asyncio.to_thread(store.add, image, reference.parse(PROBE_IMAGE), client.socket)
        return Prober(image.id, digests)


def clear(place: str) -> None:
    """Remove what was laid out for containers (rule 3)."""
    shutil.rmtree(_LAID_OUT / place, ignore_errors=True)
    with suppress(OSError):  # it is not there, or another place's proofs are being made
        _LAID_OUT.rmdir()


def _lay_out(program: Path, place: str) -> Mapping[str, Path]:
    clear(place)
    folder = _LAID_OUT / place
    folder.mkdir(mode=0o700, parents=True)
    files = {path: folder / path.strip("/") for path in (PROBE, MODULE)}
    for path, content in ((PROBE, program.read_bytes()), (MODULE, _ECHO)):
        files[path].write_bytes(content)
        files[path].chmod(0o555)
    return files


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def _program() -> Path:
    tool = tools.probe()
    if not tool.present:
        raise MissingError("the prober is not built", fix="casemate engine install")
    return tool.folder / "probe"


def _make(file: Path, program: Path) -> layout.Image:
    name = reference.parse(PROBE_IMAGE)
    entries = (build.File(PROBE, program, 0o755), build.File(MODULE, _ECHO, 0o755))
    build.write(file, name, entries, build.Settings(entrypoint=(PROBE,)))
    return layout.read(file, name)
