"""What a command answers with `-o json`: `apiVersion`, `kind`, and its parts (DESIGN.md section 4).

Within a version, fields are only ever added.
"""

from __future__ import annotations

from typing import Final

import msgspec

API_VERSION: Final = "casemate.dev/v1alpha1"


def answer(kind: str, /, **parts: object) -> dict[str, object]:
    """A document of that kind."""
    return {"apiVersion": API_VERSION, "kind": kind, **parts}


def encoded(document: object) -> str:
    """JSON as a person can read it."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()
