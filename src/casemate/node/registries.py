"""Registries that CRI-O speaks to without knowing who they are (containers-registries.conf(5)).

1. /etc/containers/registries.conf is read first, then each *.conf of registries.conf.d by name; a later table of a
   registry replaces the earlier one.
2. `insecure = true` lets a registry, or a mirror of it, have any certificate, and then go without TLS. CRI-O's own
   `insecure_registries` is without effect in its newer versions.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from casemate.model.node import Toml
from casemate.node.document import at, parse, tables, text, texts

FOLDER: Final = Path("/etc/containers")


def insecure(folder: Path = FOLDER) -> tuple[str, ...]:
    """Registries and mirrors that may be anybody. Raises `InputError` for a file that is no TOML."""
    files = [folder / "registries.conf", *sorted((folder / "registries.conf.d").glob("*.conf"))]
    found: dict[str, tuple[str, ...]] = {}
    for file in files:
        if file.is_file():
            table = parse(file.read_text(encoding="utf-8"), str(file))
            found |= {
                text(each, "prefix") or text(each, "location"): tuple(_of(each)) for each in tables(table, "registry")
            }
            found[""] = (*found.get("", ()), *texts(at(table, ("registries", "insecure")), "registries"))
    return tuple(dict.fromkeys(name for names in found.values() for name in names))


def _of(registry: Toml) -> Iterator[str]:
    own = {**registry, "location": text(registry, "location") or text(registry, "prefix")}
    yield from (text(each, "location") for each in (own, *tables(registry, "mirror")) if each.get("insecure") is True)
