"""What `casemate engine install` would do: each part with its source, its version and why.

Rules:

1. What is on the machine is used, whoever put it there: a part is missing only when its programs are.
2. Distribution packages come in the distribution's version; Go programs in the version that we pinned.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from pathlib import Path

import msgspec
import yaml

from casemate.engine.install import tools
from casemate.engine.install.tools import Tool

_STATIC = "busybox-static"


class Source(StrEnum):
    """Where a part comes from."""

    PACKAGE = "Debian package"
    GO_MODULE = "Go module"
    OURS = "casemate's own Go source"


@dataclass(frozen=True)
class Part:
    """Something that the engine needs. `version` is empty where the source decides."""

    name: str
    source: Source
    version: str
    why: str
    present: bool


@dataclass(frozen=True)
class Plan:
    """All parts, in the order in which they are brought in."""

    parts: tuple[Part, ...]

    @property
    def missing(self) -> tuple[Part, ...]:
        """What has to be brought in."""
        return tuple(part for part in self.parts if not part.present)


class _Package(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    programs: tuple[str, ...]
    why: str


def look() -> Plan:
    """The plan for this machine as it is now."""
    packages = (Part(each.name, Source.PACKAGE, "", each.why, _package_present(each)) for each in _packages())
    engine = _go(tools.native(), "the sandbox's process, handler wasm, and the launcher of gVisor's shim")
    return Plan((*packages, engine, _go(tools.probe(), "what `casemate prove` runs inside a sandbox"), _gvisor()))


def _go(tool: Tool, why: str) -> Part:
    return Part(tool.name, Source.OURS, tool.version, why, tool.present)


def _gvisor() -> Part:
    tool = tools.gvisor()
    machine = tools.find("runsc") is not None and tools.find("containerd-shim-runsc-v1") is not None
    why = "handler runsc: a user-space kernel between Pod and node"
    return Part(tool.name, Source.GO_MODULE, tool.version, why, tool.present or machine)


def _package_present(package: _Package) -> bool:
    if package.name == _STATIC:
        return _is_static(tools.find("busybox"))
    if not package.programs:
        return tools.cni_plugins() is not None
    return all(tools.find(program) for program in package.programs)


def _is_static(program: Path | None) -> bool:
    """Whether a program names no dynamic loader, and so runs in an image that has nothing else."""
    if program is None:
        return False
    with program.open("rb") as file:
        return b"/ld-" not in file.read(4096)


@cache
def _packages() -> tuple[_Package, ...]:
    text = resources.files(__package__).joinpath("packages.yaml").read_text(encoding="utf-8")
    return msgspec.convert(yaml.load(text, Loader=yaml.CSafeLoader), tuple[_Package, ...])
