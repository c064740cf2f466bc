"""Which handlers and classes are to be proven, and what their names promise.

1. A handler promises the catalogue's boundary for its name; a class that for the class's, or of what it sounds like.
2. A class without a RuntimeClass means the handler whose runtime has that name in the catalogue, as for `casemate run`.
3. What the engine cannot start is to be proven all the same: that it cannot be is an answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from casemate.catalogue.runtimes import Runtimes
from casemate.errors import InputError
from casemate.model.boundary import Boundary
from casemate.prove.configuration import Configured


@dataclass(frozen=True)
class Target:
    """What is to be proven: `subject` is what a person calls it, `program` what the configuration names for it."""

    subject: str
    handler: str
    named: Boundary
    program: Path | None = None
    wasm_only: bool = False
    configuration: str = ""


def handlers(names: Sequence[str], known: Mapping[str, Configured], catalogue: Runtimes) -> tuple[Target, ...]:
    """The handlers of those names, all of them without names. Raises `InputError` for one that the engine lacks."""
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise InputError(
            f"this engine has no handler {unknown[0]!r}",
            where="--runtime",
            fix=f"use some of: {', '.join(sorted(known))}",
        )
    return tuple(
        _target(f"handler/{name}", catalogue.boundary_of_handler(name), known[name], catalogue)
        for name in (names or sorted(known))
    )


def classes(
    names: Sequence[str], documents: Mapping[str, str], known: Mapping[str, Configured], catalogue: Runtimes
) -> tuple[Target, ...]:
    """The classes of those names; `documents` are RuntimeClasses: name → handler. Raises `InputError`."""
    return tuple(_class(name, documents, known, catalogue) for name in names)


def _target(subject: str, named: Boundary, found: Configured, catalogue: Runtimes) -> Target:
    return Target(
        subject=subject,
        handler=found.handler,
        named=named,
        program=found.program,
        wasm_only=wasm_only(found.handler, catalogue),
        configuration=found.digest,
    )


def _class(name: str, documents: Mapping[str, str], known: Mapping[str, Configured], catalogue: Runtimes) -> Target:
    handler = documents.get(name) or next(
        (each for each in known if each == name or name in catalogue.class_names(each)), None
    )
    found = known.get(handler or "")
    if found is None:
        raise InputError(
            f"class {name!r} means no handler of this engine",
            where="--class",
            fix=f"its handlers: {', '.join(sorted(known))}",
        )
    return _target(f"class/{name}", catalogue.promised(name, found.handler), found, catalogue)


def wasm_only(handler: str, catalogue: Runtimes) -> bool:
    """Whether a handler of that name promises to run Wasm modules and nothing else."""
    row = catalogue.of_handler(handler)
    return row is not None and "wasm-modules" in row.features and "native-programs" not in row.features
