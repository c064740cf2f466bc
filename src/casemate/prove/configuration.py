"""What an engine's configuration says of each handler, as CRI tells it: the effective one, imports and drop-ins merged.

1. CRI's verbose status has containerd's runtimes. What they name is resolved as containerd does: a shim by its absolute
   path or its type, a low-level runtime by `BinaryName`.
2. Beside our launcher, as beside gVisor's shim, lies the runsc that it starts; a runsc.toml may name another. Kata's
   shim starts the virtual machine monitor that its own configuration names.
3. A handler's configuration is known by the digest of its table and of the file that it names, with what is in it.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from casemate.engine.containerd.process import search_path
from casemate.engine.cri import cri_pb2 as pb

_RUNC_SHIM = "io.containerd.runc."
_KATA_FILES = (
    Path("/etc/kata-containers/configuration.toml"),
    Path("/opt/kata/share/defaults/kata-containers/configuration.toml"),
    Path("/usr/share/defaults/kata-containers/configuration.toml"),
)
_GVISOR_FILES = (Path("/run/containerd/runsc/config.toml"), Path("/etc/containerd/runsc/config.toml"))


class Runtime(msgspec.Struct, frozen=True):
    """containerd's table for a handler; 1.x and 2.x spell options alike and keys unlike."""

    runtimeType: str = ""  # noqa: N815 - containerd's own names
    runtimePath: str = ""  # noqa: N815
    options: dict[str, object] | None = None


class _Containerd(msgspec.Struct, frozen=True):
    defaultRuntimeName: str = ""  # noqa: N815
    runtimes: dict[str, msgspec.Raw] = {}


class _Config(msgspec.Struct, frozen=True):
    containerd: _Containerd = msgspec.field(default_factory=_Containerd)


@dataclass(frozen=True)
class Configured:
    """A handler of an engine: the program that its configuration names, and the configuration's digest."""

    handler: str
    program: Path | None
    digest: str
    files: tuple[Path, ...] = ()
    default: bool = False


def configured(status: pb.StatusResponse) -> dict[str, Configured]:
    """Handler → what is configured, from CRI's verbose status; without program where the engine does not tell it."""
    try:
        config = msgspec.json.decode(status.info.get("config", "{}"), type=_Config).containerd
        told = {name: _configured(name, raw, config.defaultRuntimeName) for name, raw in config.runtimes.items()}
    except msgspec.DecodeError:
        told = {}
    listed = {each.name: Configured(each.name, None, "") for each in status.runtime_handlers if each.name}
    return {**listed, **told}


def _configured(name: str, raw: msgspec.Raw, default: str) -> Configured:
    table = msgspec.json.decode(raw, type=Runtime)
    files = tuple(_files(table.options or {}))
    return Configured(name, _program(table), _digest(bytes(raw), files), files, name == default)


def _program(table: Runtime) -> Path | None:
    options = table.options or {}
    binary = options.get("BinaryName") or options.get("binary_name")
    if isinstance(binary, str) and binary:
        return _found(binary)
    if table.runtimeType.startswith(_RUNC_SHIM) and not table.runtimePath:
        return _found("runc")
    shim = _shim(table)
    if shim and "runsc" in shim.name:
        return _runsc(shim, options)
    if shim and "kata" in shim.name:
        return _monitor(options)
    return shim


def _shim(table: Runtime) -> Path | None:
    named = table.runtimePath or table.runtimeType
    if named.startswith("/"):
        return Path(named)
    return _found("containerd-shim-" + "-".join(named.split(".")[-2:]))


def _runsc(shim: Path, options: Mapping[str, object]) -> Path | None:
    for file in _files(options):
        with suppress(OSError, tomllib.TOMLDecodeError):
            named = tomllib.loads(file.read_text(encoding="utf-8")).get("binary_name")
            if isinstance(named, str) and named:
                return _found(named)
    beside = shim.with_name("runsc")
    return beside if beside.exists() else _found("runsc")


def _monitor(options: Mapping[str, object]) -> Path | None:
    """The virtual machine monitor that Kata's configuration names, by its first hypervisor."""
    named = options.get("ConfigPath") or options.get("config_path")
    for file in [Path(named)] if isinstance(named, str) and named else _KATA_FILES:
        with suppress(OSError, tomllib.TOMLDecodeError):
            for table in tomllib.loads(file.read_text(encoding="utf-8")).get("hypervisor", {}).values():
                if isinstance(table, dict) and isinstance(table.get("path"), str):
                    return Path(table["path"])
    return None


def _digest(raw: bytes, files: Sequence[Path]) -> str:
    digest = hashlib.sha256(json.dumps(json.loads(raw), sort_keys=True).encode())
    for file in files:
        with suppress(OSError):
            digest.update(b"\0" + str(file).encode() + b"\0" + file.read_bytes())
    return f"sha256:{digest.hexdigest()}"


def _files(options: Mapping[str, object]) -> Iterator[Path]:
    named = options.get("ConfigPath") or options.get("config_path")
    if isinstance(named, str) and named:
        yield Path(named)
    else:
        yield from _GVISOR_FILES


def _found(program: str) -> Path | None:
    if program.startswith("/"):
        return Path(program)
    found = shutil.which(program, path=search_path())
    return Path(found) if found else None
