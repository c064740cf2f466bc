"""CRI-O's configuration of handlers: a drop-in, and how its files merge. Pure.

Rules (CRI-O 1.36: pkg/config/config.go, docs/crio.conf.5.md):

1. Every file in `crio.conf.d`, and in folders of it, is read after `crio.conf`, by name; of two values the later
   counts. A later table of a handler replaces the earlier one as a whole.
2. A runtime of type `vm` is a shim, whose program's name must be `containerd-shim-…-v2`; from 1.37 on also gVisor's,
   whose name ends in `runsc-v1` (cri-o#9974). CRI-O starts without a handler of another name, and says so in its log.
3. A runtime of type `oci` is watched by conmon, which waits for the container's process as its own child: gVisor's is
   none, so that its containers count as ended at once (gvisor#10313).
4. Without a path, the program is the one of the handler's name on CRI-O's PATH.
5. A new handler is watched by the default one's monitor. Without a path CRI-O looks for conmon on its PATH, where
   packages do not put it, and does not start without it.
6. Annotations are not passed on: `allowed_annotations` stays empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

import tomlkit

from casemate.catalogue.versions import below
from casemate.errors import RefusedError
from casemate.model.node import Toml
from casemate.node.containerd import MARK
from casemate.node.document import at, merged, parse, text
from casemate.node.handlers import Wanted

DROP_IN: Final = "99-casemate.conf"
SHIM: Final = "vm"
_SHIMS: Final = re.compile(r"containerd-shim-[a-zA-Z0-9\-+]+-v2")
_GVISOR_SHIM: Final = "containerd-shim-runsc-v1"
_GVISOR_SINCE: Final = "1.37"
_ROOTS: Final = {"gvisor": "/run/runsc"}
_KATA_ROOT: Final = "/run/vc"
_MONITOR: Final = ("monitor_path", "monitor_cgroup")


def runtimes(config: Toml) -> dict[str, Toml]:
    """The tables of handlers of an effective configuration."""
    found = at(config, ("crio", "runtime", "runtimes"))
    return {name: each for name, each in found.items() if isinstance(each, dict)}


def default_runtime(config: Toml) -> str:
    """The handler for Pods that name none (crun when nothing says otherwise)."""
    return text(at(config, ("crio", "runtime")), "default_runtime") or "crun"


def merge(files: Sequence[Toml]) -> Toml:
    """Files in the order in which CRI-O reads them, as one (rule 1)."""
    result: Toml = {}
    for each in files:
        result = merged(without_handlers(result, set(runtimes(each))), each)
    return result


def without_handlers(config: Toml, names: set[str]) -> Toml:
    """The same without these handlers."""
    section, runtime = at(config, ("crio",)), at(config, ("crio", "runtime"))
    kept = {name: each for name, each in runtimes(config).items() if name not in names}
    return {**config, "crio": {**section, "runtime": {**runtime, "runtimes": kept}}}


def ignored(path: str, kind: str, version: str) -> str:
    """Why CRI-O would do without a handler of that program and type (rule 2); empty when it would not."""
    name = PurePosixPath(path).name
    if kind != SHIM or _SHIMS.search(name):
        return ""
    if name != _GVISOR_SHIM:
        return f"CRI-O ignores a shim that is called {name}"
    if below(version, _GVISOR_SINCE) is False:
        return ""
    return f"CRI-O {version or 'of unknown version'} ignores gVisor's shim: {_GVISOR_SINCE} is the first that starts it"


def is_there(wanted: Wanted, there: Mapping[str, Toml]) -> bool:
    """Whether the handler is configured as wanted. Raises `RefusedError` when it starts something else."""
    table = there.get(wanted.name)
    if table is None:
        return False
    kind, starts = text(table, "runtime_type") or "oci", text(table, "runtime_path")
    mine = wanted.program if wanted.row.crio == "oci" else wanted.shim
    if kind == wanted.row.crio and starts == mine:
        return True
    raise RefusedError(
        f"handler {wanted.name!r} is configured already, and starts something else: "
        f"{kind} {starts or 'nothing'}, not {mine}",
        fix=f"remove it from the configuration, or leave out --handler {wanted.name}",
    )


def drop_in(wanted: Sequence[Wanted], default: Toml, version: str, before: str | None = None) -> str:
    """A drop-in with these handlers, after those that are in it already; `default` is the default handler's table.

    Raises `RefusedError` for what this version of CRI-O cannot start.
    """
    there = runtimes(parse(before, DROP_IN)) if before else {}
    kept = before or f"{MARK}\n"
    return kept + "".join(_lines([each for each in wanted if each.name not in there], default, version))


def table(wanted: Wanted, default: Toml, version: str) -> Toml:
    """One handler's table. Raises `RefusedError` for what CRI-O cannot start."""
    if wanted.row.crio == "oci":
        monitor = {key: default[key] for key in _MONITOR if default.get(key)}
        return {
            "runtime_path": wanted.program,
            "runtime_type": "oci",
            "runtime_root": f"/run/{wanted.name}",
            **monitor,
        }
    why = ignored(wanted.shim, wanted.row.crio, version) if wanted.row.crio == SHIM else "it has no such runtime type"
    if why:
        raise RefusedError(f"CRI-O cannot start handler {wanted.name}: {why}", fix=f"leave out --handler {wanted.name}")
    return {
        "runtime_path": wanted.shim,
        "runtime_type": SHIM,
        "runtime_root": _ROOTS.get(wanted.row.runtime, _KATA_ROOT),
        "runtime_config_path": wanted.config,
        "privileged_without_host_devices": wanted.row.private_devices,
    }


def _lines(wanted: Sequence[Wanted], default: Toml, version: str) -> Iterator[str]:
    for each in wanted:
        yield f"\n[crio.runtime.runtimes.{tomlkit.key(each.name).as_string()}]\n"
        for key, value in table(each, default, version).items():
            yield f"{key} = {tomlkit.item(value).as_string()}\n"
