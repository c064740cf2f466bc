"""An earlier assessment as the measure of a new one: only what is new fails.

1. A baseline is what `casemate assess -o json` wrote. It is known by its findings' fingerprints
   (`casemate.model.fingerprint`), which neither lines nor order nor files change.
2. A finding whose fingerprint is not in it is new, one that is in both unchanged, one that is only in it fixed.
3. A baseline that cannot be read is an error: taken for empty, it would make everything new; taken for all, nothing.
"""

from __future__ import annotations

import msgspec

from casemate.errors import InputError

_FIX = "write one with: casemate assess -o json > baseline.json"


class _Finding(msgspec.Struct):
    fingerprint: str


class _Item(msgspec.Struct):
    findings: list[_Finding] = []


class _Assessment(msgspec.Struct):
    kind: str
    items: list[_Item]


def parse(data: bytes, where: str) -> frozenset[str]:
    """The fingerprints of an earlier assessment. Raises InputError when it is none."""
    try:
        found = msgspec.json.decode(data, type=_Assessment)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InputError(f"no assessment in JSON: {error}", where=where, fix=_FIX) from None
    if found.kind != "Assessment":
        raise InputError(f"a document of kind {found.kind!r}, not an Assessment", where=where, fix=_FIX)
    return frozenset(finding.fingerprint for item in found.items for finding in item.findings)
