"""The files of CRI-O's configuration (`casemate.node.crio` says how they merge)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from casemate.errors import MissingError
from casemate.model.node import ImportFact, Toml
from casemate.model.node_plan import FileChange
from casemate.node import crio
from casemate.node.document import at, parse


def files(config_file: Path, drop_ins: Path) -> tuple[Path, ...]:
    """The files that are there, in the order in which CRI-O reads them."""
    own = [config_file] if config_file.is_file() else []
    below = sorted(each for each in drop_ins.glob("*") if each.is_file()) if drop_ins.is_dir() else []
    return (*own, *below)


def read(config_file: Path, drop_ins: Path) -> Toml:
    """What the files make together. Raises `InputError` for one that is no TOML."""
    return crio.merge([_table(each) for each in files(config_file, drop_ins)])


def facts(config_file: Path, drop_ins: Path) -> tuple[ImportFact, ...]:
    """The drop-ins for a report."""
    found = files(config_file, drop_ins)
    return tuple(
        ImportFact(path=str(each), pattern=str(drop_ins / "*"), version=0) for each in found if each.parent == drop_ins
    )


def with_changes(config: Toml, changes: Sequence[FileChange], drop_ins: Path) -> Toml:
    """The configuration with changed drop-ins; ours is read last."""
    ours = [parse(each.after, each.path) for each in changes if Path(each.path).parent == drop_ins]
    return crio.merge([config, *ours])


def systemd_cgroup(config: Toml) -> bool:
    """Whether CRI-O's cgroup manager is systemd, which is its default."""
    return at(config, ("crio", "runtime")).get("cgroup_manager", "systemd") == "systemd"


def _table(path: Path) -> Toml:
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except PermissionError:
        raise MissingError("may not be read", where=str(path), fix="run as root") from None
