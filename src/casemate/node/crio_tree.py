"""The files of CRI-O's configuration (`casemate.node.crio` says how they merge)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from casemate.errors import MissingError
from casemate.model.node import Daemon, ImportFact, Toml
from casemate.model.node_plan import FileChange
from casemate.node import crio
from casemate.node.document import at, parse, text


def files(daemon: Daemon) -> tuple[Path, ...]:
    """The files that are there, in the order in which CRI-O reads them: also those of folders in its folder."""
    own = [Path(daemon.config_file)] if Path(daemon.config_file).is_file() else []
    below = (each for each in Path(daemon.drop_ins).rglob("*") if each.is_file())
    return (*own, *sorted(below, key=lambda each: each.parts))


def read(daemon: Daemon) -> Toml:
    """What the files make together. Raises `InputError` for one that is no TOML."""
    return crio.merge([_table(each) for each in files(daemon)])


def facts(daemon: Daemon) -> tuple[ImportFact, ...]:
    """The drop-ins for a report."""
    found = (each for each in files(daemon) if Path(daemon.drop_ins) in each.parents)
    return tuple(ImportFact(path=str(each), pattern=f"{daemon.drop_ins}/**", version=0) for each in found)


def with_changes(config: Toml, changes: Sequence[FileChange], drop_ins: str) -> Toml:
    """The configuration with changed drop-ins; ours is read last."""
    ours = [parse(each.after, each.path) for each in changes if Path(each.path).parent == Path(drop_ins)]
    return crio.merge([config, *ours])


def handlers(config: Toml, search_path: Sequence[str]) -> dict[str, Toml]:
    """The tables of handlers, each with its program's path, which CRI-O looks for where the table has none."""
    tables = crio.runtimes(config).items()
    return {name: {**each, "runtime_path": _program(name, each, search_path)} for name, each in tables}


def systemd_cgroup(config: Toml) -> bool:
    """Whether CRI-O's cgroup manager is systemd, which is its default."""
    return at(config, ("crio", "runtime")).get("cgroup_manager", "systemd") == "systemd"


def _program(name: str, table: Toml, search_path: Sequence[str]) -> str:
    places = (Path(folder, name) for folder in search_path)
    return text(table, "runtime_path") or next((str(each) for each in places if each.is_file()), "")


def _table(path: Path) -> Toml:
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except PermissionError:
        raise MissingError("may not be read", where=str(path), fix="run as root") from None
