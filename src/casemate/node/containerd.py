"""containerd's configuration of one handler, in each version of its schema, and the smallest edit that adds it. Pure.

Rules (containerd docs/cri/config.md):

1. Version 2 has one CRI plugin; versions 3 and 4 have two, and the same ids: only server sections differ between them.
2. A handler's own snapshotter stands in its table, and from version 3 on also under the images plugin's
   `runtime_platforms`: without the second, images are unpacked where the handler does not look.
3. What is added to a file is added at its end where TOML allows that: nothing before it changes by a byte, neither
   comments nor spaces. Where it does not (an inline table), the table is changed in place, with its comments kept.
4. Either way the result is read again, and must be what was there together with what was wanted, and nothing else.
5. A handler that containerd 1.x has built in is lost as soon as a file names another: it is written along, as it was.
6. containerd only warns of unknown keys: keys are written that the given schema has, and no others.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from typing import Final, TypeAlias

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable

from casemate.errors import RefusedError
from casemate.model.node import Toml
from casemate.node.document import at, merged, parse
from casemate.node.handlers import RUNC_TYPE, Wanted

CRI_2: Final = "io.containerd.grpc.v1.cri"
RUNTIME_3: Final = "io.containerd.cri.v1.runtime"
IMAGES_3: Final = "io.containerd.cri.v1.images"
GVISOR_OPTIONS: Final = "io.containerd.runsc.v1.options"

Tables: TypeAlias = tuple[tuple[tuple[str, ...], Toml], ...]
"""Tables by their paths, parents first."""

MARK: Final = "# Added by `casemate node apply`; `casemate node revert` takes it out again."


def plugin(version: int) -> str:
    """The plugin that has the table of handlers."""
    return CRI_2 if version == 2 else RUNTIME_3


def runtimes(version: int, config: Toml) -> dict[str, Toml]:
    """The tables of handlers in a configuration of that version."""
    found = at(config, ("plugins", plugin(version), "containerd", "runtimes"))
    return {name: each for name, each in found.items() if isinstance(each, dict)}


def tables(version: int, wanted: Sequence[Wanted]) -> Tables:
    """What the configuration must have for these handlers, parents first."""
    return tuple(table for each in wanted for table in _tables(version, each))


def carried(version: int, there: Mapping[str, Toml]) -> Tables:
    """Handlers as they were (rule 5), without what is empty and therefore at its default."""
    return tuple(table for name, each in there.items() for table in _carried(version, name, each))


def drop_in(version: int, new: Tables) -> str:
    """A drop-in file with these tables, of the root's version and never a higher one."""
    return f"{MARK}\nversion = {version}\n{block(new)}"


def added(text: str, new: Tables, where: str) -> str:
    """The text of a configuration file with these tables (rules 3 and 4). Raises `RefusedError` where it cannot."""
    before = parse(text, where)
    expected = merged(before, _nested(new))
    for candidate in (_appended, _in_place):
        result = candidate(text, new)
        if result is not None and _parsed(result) == expected:
            return result
    raise RefusedError(
        "the handler's table cannot be added to this file without changing more than that",
        where=where,
        fix="write inline tables under plugins as tables of their own ([plugins.…]), then try again",
    )


def _tables(version: int, wanted: Wanted) -> Iterator[tuple[tuple[str, ...], Toml]]:
    """The tables of one handler with their paths, parents first."""
    base = ("plugins", plugin(version), "containerd", "runtimes", wanted.name)
    table: Toml = {"runtime_type": wanted.row.type}
    if wanted.shim:
        table["runtime_path"] = wanted.shim
    if wanted.row.private_devices:
        table["privileged_without_host_devices"] = True
    if wanted.row.snapshotter:
        table["snapshotter"] = wanted.row.snapshotter
    yield base, table
    options = _options(wanted)
    if options:
        yield (*base, "options"), options
    if wanted.row.snapshotter and version > 2:
        yield ("plugins", IMAGES_3, "runtime_platforms", wanted.name), {"snapshotter": wanted.row.snapshotter}


def _options(wanted: Wanted) -> Toml:
    if wanted.row.type == RUNC_TYPE:
        return {"BinaryName": wanted.program, "SystemdCgroup": wanted.systemd_cgroup}
    if wanted.row.wasm:
        return {"SystemdCgroup": wanted.systemd_cgroup}
    if not wanted.config:
        return {}
    kind = {"TypeUrl": GVISOR_OPTIONS} if wanted.row.runtime == "gvisor" else {}
    return {**kind, "ConfigPath": wanted.config}


def _carried(version: int, name: str, table: Toml) -> Iterator[tuple[tuple[str, ...], Toml]]:
    base = ("plugins", plugin(version), "containerd", "runtimes", name)
    yield base, {key: value for key, value in table.items() if value and not isinstance(value, dict)}
    options = {key: value for key, value in at(table, ("options",)).items() if value}
    if options:
        yield (*base, "options"), options


def _nested(new: Tables) -> Toml:
    nested: Toml = {}
    for path, table in new:
        for step in reversed(path):
            table = {step: table}
        nested = merged(nested, table)
    return nested


def block(new: Tables) -> str:
    """The tables as TOML text, each after an empty line."""
    return "".join(_lines(new))


def _lines(new: Tables) -> Iterator[str]:
    for path, table in new:
        name = ".".join(tomlkit.key(step).as_string() if step.isidentifier() else _quoted(step) for step in path)
        yield f"\n[{name}]\n"
        for key, value in table.items():
            yield f"{key} = {tomlkit.item(value).as_string()}\n"


def _quoted(text: str) -> str:
    return tomlkit.item(text).as_string()


def _appended(text: str, new: Tables) -> str | None:
    separator = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{separator}\n{MARK}\n{block(new).removeprefix(chr(10))}"


def _in_place(text: str, new: Tables) -> str | None:
    try:
        document = tomlkit.parse(text)
    except TOMLKitError:
        return None
    for path, table in new:
        found = _child(document, path)
        if found is None:
            return None
        for key, value in table.items():
            found[key] = value
    return tomlkit.dumps(document)


def _child(table: MutableMapping[str, object], path: Sequence[str]) -> MutableMapping[str, object] | None:
    """The table at that path, made where it is not there; None where something else is there."""
    for step in path:
        if step not in table:
            table[step] = tomlkit.inline_table() if isinstance(table, InlineTable) else tomlkit.table()
        found = table[step]
        if not isinstance(found, MutableMapping):
            return None
        table = found
    return table


def _parsed(text: str) -> Toml | None:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return None
