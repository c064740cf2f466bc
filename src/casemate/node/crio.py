"""CRI-O's configuration of handlers: a drop-in, and how its files merge. Pure.

Rules (CRI-O docs/crio.conf.5.md):

1. `/etc/crio/crio.conf.d` is read after `/etc/crio/crio.conf`, by name; of two values the later counts.
2. A runtime of type `vm` is a shim, and its program's name must be `containerd-shim-…`.
3. Annotations are not passed on: `allowed_annotations` stays empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

import tomlkit

from casemate.errors import RefusedError
from casemate.model.node import Toml
from casemate.node.containerd import MARK
from casemate.node.document import at, merged, parse, text
from casemate.node.handlers import Wanted

DROP_IN: Final = "99-casemate.conf"
_SHIM: Final = re.compile(r"containerd-shim-[a-zA-Z0-9\-+]+")
_ROOTS: Final = {"gvisor": "/run/runsc"}
_KATA_ROOT: Final = "/run/vc"


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
        result = merged(result, each)
    return result


def drop_in(wanted: Sequence[Wanted], before: str | None = None) -> str:
    """A drop-in with these handlers, after those that are in it already. Raises `RefusedError` (rule 2)."""
    there = runtimes(parse(before, DROP_IN)) if before else {}
    kept = before or f"{MARK}\n"
    return kept + "".join(_lines([each for each in wanted if each.name not in there]))


def table(wanted: Wanted) -> Toml:
    """One handler's table. Raises `RefusedError` for what CRI-O cannot start."""
    if wanted.row.crio == "oci":
        return {"runtime_path": wanted.program, "runtime_type": "oci", "runtime_root": f"/run/{wanted.name}"}
    name = wanted.shim.rpartition("/")[2]
    if wanted.row.crio != "vm" or not _SHIM.fullmatch(name):
        raise RefusedError(f"CRI-O cannot start handler {wanted.name}", fix=f"leave out --handler {wanted.name}")
    return {
        "runtime_path": wanted.shim,
        "runtime_type": "vm",
        "runtime_root": _ROOTS.get(wanted.row.runtime, _KATA_ROOT),
        "runtime_config_path": wanted.config,
        "privileged_without_host_devices": wanted.row.private_devices,
    }


def _lines(wanted: Sequence[Wanted]) -> Iterator[str]:
    for each in wanted:
        yield f"\n[crio.runtime.runtimes.{tomlkit.key(each.name).as_string()}]\n"
        for key, value in table(each).items():
            yield f"{key} = {tomlkit.item(value).as_string()}\n"
