"""What an engine's configuration says of each handler, as CRI tells it: the effective one, imports and drop-ins merged.

1. CRI's verbose status has containerd's runtimes. What they name is resolved as containerd does: a shim by its absolute
   path or its type, a low-level runtime by `BinaryName`.
2. Beside our launcher, as beside gVisor's shim, lies the runsc that it starts; a runsc.toml may name another. Kata's
   shim starts the virtual machine monitor that its own configuration names.
3. A handler's configuration is known by the digest of its table and of the file that it names, with what is in it.
4. CRI-O's has its own tables: a program, or a shim where the type is `vm`; and the monitor (conmon) that watches each
   container from the node. The list of annotations that it refuses is what it allows turned round, in no order.
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
_CRIO_SHIM = "vm"
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


class CrioRuntime(msgspec.Struct, frozen=True, rename="pascal"):
    """CRI-O's table for a handler, as far as it tells what is started."""

    runtime_type: str = ""
    runtime_path: str = ""
    runtime_config_path: str = ""
    monitor_path: str = ""


class _Crio(msgspec.Struct, frozen=True, rename="pascal"):
    default_runtime: str = ""
    runtimes: dict[str, msgspec.Raw] = {}


class _Config(msgspec.Struct, frozen=True):
    containerd: _Containerd = msgspec.field(default_factory=_Containerd)
    crio: _Crio = msgspec.field(default_factory=_Crio)


@dataclass(frozen=True)
class Configured:
    """A handler of an engine: the program that its configuration names, and the configuration's digest.

    `monitor` is the engine's own program that watches its containers from the node.
    """

    handler: str
    program: Path | None
    digest: str
    files: tuple[Path, ...] = ()
    default: bool = False
    monitor: Path | None = None


def configured(status: pb.StatusResponse) -> dict[str, Configured]:
    """Handler → what is configured, from CRI's verbose status; without program where the engine does not tell it."""
    try:
        config = msgspec.json.decode(status.info.get("config", "{}"), type=_Config)
        told = {
            **{name: _of_crio(name, raw, config.crio) for name, raw in config.crio.runtimes.items()},
            **{name: _of_containerd(name, raw, config.containerd) for name, raw in config.containerd.runtimes.items()},
        }
    except msgspec.DecodeError:
        told = {}
    listed = {each.name: Configured(each.name, None, "") for each in status.runtime_handlers if each.name}
    return {**listed, **told}


def _of_containerd(name: str, raw: msgspec.Raw, config: _Containerd) -> Configured:
    table = msgspec.json.decode(raw, type=Runtime)
    files = tuple(_files(table.options or {}))
    return Configured(
        name, _program(table), _digest(json.loads(bytes(raw)), files), files, name == config.defaultRuntimeName
    )


def _of_crio(name: str, raw: msgspec.Raw, config: _Crio) -> Configured:
    """A handler of CRI-O (rule 4)."""
    table = msgspec.json.decode(raw, type=CrioRuntime)
    told = {key: value for key, value in json.loads(bytes(raw)).items() if key != "DisallowedAnnotations"}
    default = name == config.default_runtime
    if table.runtime_type != _CRIO_SHIM:
        monitor = Path(table.monitor_path) if table.monitor_path else None
        return Configured(name, _found(table.runtime_path or name), _digest(told, ()), (), default, monitor)
    options: dict[str, object] = {"ConfigPath": table.runtime_config_path}
    files = tuple(_files(options))
    program = _program(Runtime(runtimePath=table.runtime_path, options=options))
    return Configured(name, program, _digest(told, files), files, default)


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


def _digest(table: object, files: Sequence[Path]) -> str:
    digest = hashlib.sha256(json.dumps(table, sort_keys=True).encode())
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
