"""Images as rules ask for them: registry, repository, tag, digest."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from casemate.errors import InputError
from casemate.images import reference

_WASM_WORD: Final = re.compile(r"(?:^|[^a-z0-9])(?:wasm|spin)(?:[^a-z0-9]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Image:
    """`name` is registry and repository. `wasm`: repository or tag say that it holds a Wasm module."""

    registry: str
    name: str
    tag: str
    digest: str
    wasm: bool


@lru_cache(maxsize=16384)
def image(text: str) -> Image:
    """The image that a container names; a name that no runtime would accept is kept as it stands."""
    try:
        found = reference.parse(text)
    except InputError:
        return Image("", text, "", "", wasm=False)
    last = found.repository.rpartition("/")[2]
    said = bool(_WASM_WORD.search(last) or _WASM_WORD.search(found.tag))
    return Image(found.registry, found.name, found.tag, found.digest, said)
