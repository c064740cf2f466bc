"""The handlers that casemate can prepare, and which of them a node has the files for.

1. A handler is present when all its programs are, and its configuration file where it needs one.
2. A shim is named by its absolute path: the runtime's PATH then decides nothing, and no other file of that name.
3. A handler of runc's kind takes the cgroup driver that the node's default handler has: containerd reports one driver
   for all handlers, and the kubelet follows it.
4. Pod annotations reach no handler: they reconfigure sandboxes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path

import msgspec
import yaml

from casemate.errors import InputError, MissingError

RUNC_TYPE = "io.containerd.runc.v2"


class HandlerRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of handlers.yaml."""

    name: str
    runtime: str
    class_name: str = msgspec.field(name="class")
    type: str
    shim: str = ""
    shim_folder: str = ""
    program: str = ""
    config: tuple[str, ...] = ()
    written: str = ""
    snapshotter: str = ""
    crio: str = ""
    private_devices: bool = False
    needs_kvm: bool = False
    wasm: bool = False

    @property
    def under_crio(self) -> HandlerRow:
        """The row where CRI-O starts the program itself, without a shim."""
        return msgspec.structs.replace(self, shim="", written="") if self.crio == "oci" else self


class _Rows(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    folders: tuple[str, ...]
    handlers: tuple[HandlerRow, ...]


@dataclass(frozen=True)
class Wanted:
    """A handler with the files that were found for it; paths are as the runtime will see them."""

    row: HandlerRow
    shim: str = ""
    program: str = ""
    config: str = ""
    systemd_cgroup: bool = False
    programs: tuple[str, ...] = field(default=())

    @property
    def name(self) -> str:
        """The handler's name."""
        return self.row.name


@cache
def rows() -> Mapping[str, HandlerRow]:
    """All rows by name."""
    return {row.name: row for row in _read().handlers}


@cache
def crio_rows() -> Mapping[str, HandlerRow]:
    """The rows as CRI-O needs them."""
    return {name: row.under_crio for name, row in rows().items() if row.crio}


@cache
def _read() -> _Rows:
    return msgspec.convert(yaml.safe_load(resources.files(__package__).joinpath("handlers.yaml").read_bytes()), _Rows)


def find(
    names: Sequence[str],
    known: Mapping[str, HandlerRow],
    search_path: Sequence[str],
    folder: str,
    *,
    systemd_cgroup: bool,
) -> tuple[Wanted, ...]:
    """These handlers of the `known` ones with their files; `folder` is the runtime's configuration's.

    Raises `InputError` for an unknown one, `MissingError` for a missing file.
    """
    chosen = [_row(name, known) for name in dict.fromkeys(names)]
    return tuple(_found(each, search_path, folder, systemd_cgroup=systemd_cgroup) for each in chosen)


def present(known: Mapping[str, HandlerRow], search_path: Sequence[str]) -> tuple[str, ...]:
    """Names of the handlers whose files are all on this node."""
    return tuple(name for name, row in known.items() if not _missing(row, search_path))


def _row(name: str, known: Mapping[str, HandlerRow]) -> HandlerRow:
    row = known.get(name)
    if row is None:
        raise InputError(
            f"this runtime starts no handler that is called {name!r}", fix=f"choose of: {', '.join(known)}"
        )
    return row


def _missing(row: HandlerRow, search_path: Sequence[str]) -> list[str]:
    """What of the handler's files is not there."""
    missing = [each for each in (row.shim, row.program) if each and not _program(each, row, search_path)]
    if row.config and not _first(row.config):
        missing.append(f"one of {', '.join(row.config)}")
    if row.needs_kvm and not Path("/dev/kvm").exists():
        missing.append("/dev/kvm")
    return missing


def _found(row: HandlerRow, search_path: Sequence[str], folder: str, *, systemd_cgroup: bool) -> Wanted:
    missing = _missing(row, search_path)
    if missing:
        fix = f"install it, or put it in {', '.join(_read().folders[:2])}"
        raise MissingError(f"handler {row.name} needs {' and '.join(missing)}", fix=fix)
    shim, program = _program(row.shim, row, search_path), _program(row.program, row, search_path)
    return Wanted(
        row=row,
        shim=shim,
        program=program,
        config=_first(row.config) or (f"{folder}/{row.written}" if row.written else ""),
        systemd_cgroup=systemd_cgroup,
        programs=tuple(each for each in (shim, program) if each),
    )


def _program(name: str, row: HandlerRow, search_path: Sequence[str]) -> str:
    if not name:
        return ""
    folders = (row.shim_folder,) if name == row.shim and row.shim_folder else (*search_path, *_read().folders)
    places = (Path(folder, name) for folder in folders if folder.startswith("/"))
    return next((str(place) for place in places if place.is_file() and place.stat().st_mode & 0o111), "")


def _first(places: Sequence[str]) -> str:
    return next((each for each in places if Path(each).is_file()), "")
