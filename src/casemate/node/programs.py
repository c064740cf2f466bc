"""Handlers resolved to the programs that they start, and what these are.

Rules:

1. A shim is `runtime_path`, or the runtime type when that is a path, or `containerd-shim-<a>-<b>` of the last two parts
   of the type, on the runtime's own PATH. A boundary is that of the programs found so, never of the handler's name.
2. A program is what it says it is (`--version`, shims `-v`). One that says nothing known is of unknown boundary. What
   it says can be a lie: `prove` compares digests.
3. Versions that lack a fix are the catalogue's (`fixed` of its escapes). A distribution may have brought a fix back
   under an old number: that is for a person to look up, and never assumed.
4. runwasi's shims run native images as plain containers: the catalogue has them as shared.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from msgspec.structs import replace

from casemate.catalogue import reading, runtimes
from casemate.catalogue.rows import Escape
from casemate.catalogue.versions import below, is_fixed
from casemate.errors import CasemateError
from casemate.model.boundary import Boundary
from casemate.model.node import NodeHandler, Program, Toml
from casemate.node import crio, crio_tree, effective, files
from casemate.node.containerd import IMAGES_3
from casemate.node.document import at, parse, text, texts

_ASKING_SECONDS: Final = 10
_GVISOR_CONFIGS: Final = ("/run/containerd/runsc/config.toml", "/etc/containerd/runsc/config.toml")
# What a program says first, the catalogue's component, and its row of runtimes where one program is one runtime.
_SAYS: Final = (
    (re.compile(r"^runc version"), "runc", "runc"),
    (re.compile(r"^crun version"), "crun", "crun"),
    (re.compile(r"^youki version"), "youki", "youki"),
    (re.compile(r"^runsc version"), "gvisor", "gvisor"),
    (re.compile(r"[Kk]ata", re.MULTILINE), "kata", "kata"),
    (re.compile(r"^casemate-wasm "), "", "casemate-wasm"),
    (re.compile(r"wasmtime"), "wasmtime", "wasmtime"),
    (re.compile(r"wasmer"), "wasmer", "wasmer"),
    (re.compile(r"wasmedge"), "", "wasmedge"),
    (re.compile(r"containerd-shim-runc-v\d"), "containerd", ""),
    (re.compile(r"^containerd "), "containerd", ""),
    (re.compile(r"^crio version"), "cri-o", ""),
)
_VERSION: Final = re.compile(
    r"(?:[Vv]ersion:?\s+|wazero |^containerd \S+ |\bv)v?(\d+\.\d+\S*)|release-(\d{8}\.\d+)", re.MULTILINE
)
_PSEUDO: Final = re.compile(r"^0\.0\.0-(\d{8})\d{6}-")


def handlers(kind: str, config: Toml, search_path: Sequence[str], version: str = "") -> tuple[NodeHandler, ...]:
    """All handlers of an effective configuration, by name. `version` is the runtime's."""
    if kind == "crio":
        tables = sorted(crio_tree.handlers(config, search_path).items())
        return tuple(_of_crio(name, table, version) for name, table in tables)
    platforms = at(config, ("plugins", IMAGES_3, "runtime_platforms"))
    tables = sorted(effective.runtimes(config).items())
    return tuple(_of_containerd(name, table, platforms, search_path) for name, table in tables)


def look(path: str, name: str = "") -> Program:
    """What a program is. Asks it for its version."""
    said = _said(path)  # by this name: some programs are several
    component = next((component for pattern, component, _ in _SAYS if pattern.search(said)), "")
    version = _version(said)
    return Program(
        name=name or Path(path).name,
        path=path,
        component=component,
        version=version,
        sha256=digest(str(Path(path).resolve())),
        files=files.with_folders(path),
        known_bad=known_bad(component, version),
    )


def known_bad(component: str, version: str) -> tuple[str, ...]:
    """Ids of the published escapes that this version lacks the fix for (rule 3)."""
    return tuple(
        row.id
        for row in _escapes()
        if version
        and is_fixed(version, row.fixed.get(component, ())) is False  # type: ignore[call-overload]
        and not below(version, row.introduced.get(component, "0"))  # type: ignore[call-overload]
    )


def runtime_of(program: Program | None) -> str:
    """The catalogue's id of the runtime that a program is; empty when it is not known."""
    if program is None:
        return ""
    said = _said(program.path)
    return next((runtime for pattern, _, runtime in _SAYS if pattern.search(said)), "")


@cache
def digest(path: str) -> str:
    """A program's SHA-256; empty when it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""


@cache
def _escapes() -> tuple[Escape, ...]:
    return tuple(found.row for found in reading.shipped("escapes") if isinstance(found.row, Escape))


def _of_containerd(name: str, table: Toml, platforms: Toml, search_path: Sequence[str]) -> NodeHandler:
    kind = text(table, "runtime_type")
    options = at(table, ("options",))
    shim_path = text(table, "runtime_path") or _shim(kind, search_path)
    shim = look(shim_path) if shim_path and Path(shim_path).is_file() else None
    config_path = text(options, "ConfigPath")
    missing = [] if shim else [shim_path or _shim_name(kind) or "a runtime type"]
    if config_path and not Path(config_path).is_file():
        missing.append(config_path)
    config = _config(config_path, is_gvisor="runsc" in Path(shim_path or kind).name)
    program, absent = _program(shim, options, config, search_path)
    return _named(
        NodeHandler(
            name=name,
            runtime_type=kind,
            shim=shim,
            program=program,
            config_path=config_path,
            config=config,
            options=options,
            pod_annotations=texts(table, "pod_annotations"),
            container_annotations=texts(table, "container_annotations"),
            privileged_without_host_devices=table.get("privileged_without_host_devices") is True,
            all_devices_allowed=table.get("privileged_without_host_devices_all_devices_allowed") is True,
            cgroup_writable=table.get("cgroup_writable") is True,
            snapshotter=text(table, "snapshotter"),
            image_snapshotter=text(at(platforms, (name,)), "snapshotter"),
            base_runtime_spec=text(table, "base_runtime_spec"),
            missing=(*missing, *absent),
        )
    )


def _of_crio(name: str, table: Toml, version: str) -> NodeHandler:
    path, kind = text(table, "runtime_path"), text(table, "runtime_type") or "oci"
    found = look(path) if path and Path(path).is_file() else None
    config_path = text(table, "runtime_config_path")
    config = _config(config_path, is_gvisor="runsc" in path)
    program = found if kind != crio.SHIM else _program(found, {}, config, ())[0]
    return _named(
        NodeHandler(
            name=name,
            runtime_type=kind,
            shim=found if kind == crio.SHIM else None,
            program=program,
            config_path=config_path,
            config=config,
            pod_annotations=texts(table, "allowed_annotations"),
            privileged_without_host_devices=table.get("privileged_without_host_devices") is True,
            missing=() if found else (path or name,),
            ignored=crio.ignored(path, kind, version),
        )
    )


def _named(handler: NodeHandler) -> NodeHandler:
    """The handler with what its programs and its name stand for."""
    known = runtimes.load()
    runtime = runtime_of(handler.program) or runtime_of(handler.shim)
    by_name = known.of_handler(handler.name)
    # One Kata shim serves several rows; which one is told by the configuration, whose name is the handler's.
    if runtime == "kata" and by_name and by_name.component == "kata":
        runtime = by_name.id
    row = known.by_id(runtime)
    boundary = row.boundary if row and not handler.missing and not handler.ignored else Boundary.UNKNOWN
    named = by_name.boundary if by_name else Boundary.UNKNOWN
    return replace(handler, runtime=runtime, boundary=boundary, named_boundary=named)


def _program(
    shim: Program | None, options: Toml, config: Toml | None, search_path: Sequence[str]
) -> tuple[Program | None, tuple[str, ...]]:
    """What a shim starts, and what of it is not there. A shim that has its engine inside starts nothing else."""
    if shim is None:
        return None, ()
    name = Path(shim.path).name
    if "runc" in name:
        wanted = text(options, "BinaryName") or "runc"
    elif "runsc" in name:
        wanted = text(config or {}, "binary_name") or "runsc"
        beside = Path(shim.path).parent
        # casemate's launcher keeps gVisor's own shim and runsc beside it, and PATH decides nothing.
        search_path = (str(beside), *search_path) if (beside / "shim").exists() else search_path
    elif "kata" in name:
        wanted = next((each for each in _hypervisors(config) if each), "")
    else:
        return None, ()
    found = _on_path(wanted, search_path) if wanted else ""
    return (look(found), ()) if found else (None, (wanted or "a hypervisor",))


def _hypervisors(config: Toml | None) -> list[str]:
    tables = at(config or {}, ("hypervisor",))
    return [text(each, "path") for each in tables.values() if isinstance(each, dict)]


def _config(path: str, *, is_gvisor: bool) -> Toml | None:
    """A shim's configuration; None when there is none or it is no TOML."""
    places = [path] if path else [each for each in _GVISOR_CONFIGS if is_gvisor and Path(each).is_file()][:1]
    for place in places:
        try:
            return parse(Path(place).read_text(encoding="utf-8"), place)
        except (OSError, UnicodeDecodeError, CasemateError):
            return None
    return None


def _shim(kind: str, search_path: Sequence[str]) -> str:
    return kind if kind.startswith("/") else _on_path(_shim_name(kind), search_path)


def _shim_name(kind: str) -> str:
    parts = kind.split(".")
    return f"containerd-shim-{parts[-2]}-{parts[-1]}" if len(parts) > 1 else ""


def _on_path(name: str, search_path: Sequence[str]) -> str:
    if name.startswith("/"):
        return name if Path(name).is_file() else ""
    places = (Path(folder, name) for folder in search_path if name)
    return next((str(place) for place in places if place.is_file()), "")


@cache
def _said(path: str) -> str:
    """What a program answers when it is asked for its version, with its name where it does not give it."""
    flag = "-v" if Path(path).name.startswith("containerd-shim-") and "kata" not in path else "--version"
    try:
        done = subprocess.run(
            [path, flag], capture_output=True, text=True, timeout=_ASKING_SECONDS, check=False, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired, UnicodeDecodeError):
        return ""
    return done.stdout.strip() or done.stderr.strip()


def _version(said: str) -> str:
    found = _VERSION.search(said)
    text = (found[1] or found[2]) if found else ""
    pseudo = _PSEUDO.match(text)  # gVisor's Go branch: its date is its version
    return f"{pseudo[1]}.0" if pseudo else text.rstrip(",)")
