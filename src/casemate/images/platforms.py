"""Which of an image's platforms runs here.

1. The host's own comes first.
2. WebAssembly (`wasi/wasm`, `wasip1/wasm`) comes second: the wasm handler runs it on any host.
3. Engines look for the host's platform only. An image for WebAssembly therefore gets it, in a new config and manifest;
   its layers stay as they are, and so does what decides whether it is run as Wasm: the module's own magic.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from casemate.errors import InputError
from casemate.images import oci
from casemate.images.build import Documents
from casemate.images.oci import Config, Descriptor

_WASM = frozenset({("wasi", "wasm"), ("wasip1", "wasm")})


def choose(manifests: Iterable[Descriptor], where: str) -> Descriptor:
    """The manifest whose platform runs here. Raises `InputError` when there is none."""
    found = tuple(manifests)
    here = oci.host_platform()
    for wanted in ({(here.os, here.architecture)}, _WASM):
        for each in found:
            if each.platform and (each.platform.os, each.platform.architecture) in wanted:
                return each
    if len(found) == 1 and found[0].platform is None:
        return found[0]
    made = ", ".join(f"{each.platform.os}/{each.platform.architecture}" for each in found if each.platform)
    raise InputError(f"no image for {here.os}/{here.architecture}, only for {made or 'none'}", where=where)


def check(config: Config, where: str) -> None:
    """Refuse an image that does not run here. Raises `InputError`."""
    here, made = oci.host_platform(), (config.os, config.architecture)
    if made != (here.os, here.architecture) and made not in _WASM:
        told = "/".join(part or "?" for part in made)
        raise InputError(f"the image is for {told}, this machine is {here.os}/{here.architecture}", where=where)


def for_engine(documents: Documents, config: Config) -> Documents:
    """The image's documents as engines take them (rule 3)."""
    if (config.os, config.architecture) not in _WASM:
        return documents
    here = oci.host_platform()
    renamed = _changed(documents.config, os=here.os, architecture=here.architecture)
    told = Descriptor(
        mediaType=oci.OCI_CONFIG, digest=f"sha256:{hashlib.sha256(renamed).hexdigest()}", size=len(renamed)
    )
    return Documents(_changed(documents.manifest, config=told), renamed, documents.media_type)


def _changed(raw: bytes, **changes: object) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(raw, type=dict[str, object]) | changes)
