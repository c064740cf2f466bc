"""Render the public charts of charts.yaml once: `python tests/assess/charts.py`.

1. Versions are pinned, and modules are checked against their recorded hashes. They are only read, in a folder that is
   removed again.
2. What they render to is kept in ~/.cache/casemate/charts/<hash of charts.yaml>/, moved there when it is whole; Helm,
   built from its module, in ~/.cache/casemate/helm/<version>/.
3. A chart whose dependencies are in other repositories is rendered without them.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec
import yaml

LIST: Final = Path(__file__).with_name("charts.yaml")
_CACHE: Final = Path("~/.cache/casemate").expanduser()
_AT_ONCE: Final = 4


class Helm(msgspec.Struct, frozen=True):
    """Which Helm renders."""

    module: str
    version: str


class Origin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where manifests come from: a chart, or files, of one version of a module."""

    name: str
    module: str
    version: str
    sum: str
    chart: str = ""
    namespace: str = ""
    values: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


class Pinned(msgspec.Struct, frozen=True):
    """All of charts.yaml."""

    helm: Helm
    kubernetes: str
    sources: tuple[Origin, ...]


def pinned() -> Pinned:
    """What is to be rendered, and with what."""
    return msgspec.convert(yaml.safe_load(LIST.read_text()), Pinned)


def folder() -> Path:
    """Where the rendered manifests are, one file for each origin; it may not exist yet."""
    return _CACHE / "charts" / hashlib.sha256(LIST.read_bytes()).hexdigest()[:16]


def render() -> Path:
    """Render all of them unless that was done before."""
    done, wanted = folder(), pinned()
    if done.exists():
        return done
    helm = _helm(wanted.helm)
    done.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=done.parent, prefix=".rendering-") as work:
        modules = _downloaded(wanted.sources, Path(work, "modules"))
        made = Path(work, "made")
        made.mkdir()
        for each in wanted.sources:
            text = _rendered(each, modules[each.module], helm, wanted.kubernetes, Path(work))
            (made / f"{each.name}.yaml").write_text(text)
        made.rename(done)
        _go("clean", "-modcache", cache=Path(work, "modules"))
    return done


def _rendered(origin: Origin, module: Path, helm: Path, kubernetes: str, work: Path) -> str:
    if not origin.chart:
        return "\n---\n".join((module / each).read_text() for each in origin.files)
    chart = work / origin.name
    shutil.copytree(module / origin.chart, chart, copy_function=shutil.copyfile)
    _without_missing(chart)
    command = [str(helm), "template", origin.name, str(chart), "--kube-version", kubernetes]
    command += ["--namespace", origin.namespace, *(part for each in origin.values for part in ("--set", each))]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _without_missing(chart: Path) -> None:
    """Take away the dependencies that the module does not hold (rule 3)."""
    for directory in (chart, *(path for path in chart.rglob("*") if path.is_dir())):
        directory.chmod(0o755)
    file = chart / "Chart.yaml"
    written = yaml.safe_load(file.read_text())
    held = [each for each in written.get("dependencies") or () if (chart / "charts" / each["name"]).exists()]
    if held != (written.pop("dependencies", None) or []):
        file.write_text(yaml.safe_dump(written | ({"dependencies": held} if held else {}), sort_keys=False))


def _downloaded(origins: Sequence[Origin], cache: Path) -> dict[str, Path]:
    """The folders of all modules, each checked against its hash."""
    wanted = {(each.module, each.version): each.sum for each in origins}
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = pool.map(lambda each: _go("mod", "download", "-json", "@".join(each), cache=cache), wanted)
    found = {}
    for (module, version), answer in zip(wanted, answers, strict=True):
        told = json.loads(answer)
        if told["Sum"] != wanted[module, version]:
            raise ValueError(f"{module}@{version} is not what was recorded: {told['Sum']}")
        found[module] = Path(told["Dir"])
    return found


def _helm(wanted: Helm) -> Path:
    done = _CACHE / "helm" / wanted.version / "helm"
    if done.exists():
        return done
    done.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=done.parent, prefix=".building-") as work:
        require = f"require {wanted.module} {wanted.version}"
        Path(work, "go.mod").write_text(f"module casemate.local/helm\n\ngo 1.26\n\n{require}\n")
        made = Path(work, "helm")
        options = ["-mod=mod", "-p", "2", "-ldflags", "-s -w", "-o", str(made)]
        subprocess.run(
            ["nice", "-n", "10", "go", "build", *options, f"{wanted.module}/cmd/helm"],
            cwd=work,
            check=True,
            env=os.environ | {"CGO_ENABLED": "0", "GOFLAGS": ""},
        )
        made.rename(done)
    return done


def _go(*arguments: str, cache: Path) -> str:
    environment = os.environ | {"GOMODCACHE": str(cache), "GOFLAGS": ""}
    return subprocess.run(
        ["go", *arguments], check=True, capture_output=True, text=True, cwd="/", env=environment
    ).stdout


if __name__ == "__main__":
    print(render())
