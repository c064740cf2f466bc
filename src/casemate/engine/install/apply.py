"""Brings in what a plan misses.

Rules:

1. One install at a time: a lock on the cache serialises them.
2. A tool is built in a folder of its own and renamed into place when every program is there: killed at any moment, it
   is either absent or whole. What a killed install left is removed by the next.
3. Packages are dpkg's: where it was interrupted, it is asked to finish first.
4. Go modules are checked against go.sum or the checksum database; an environment that turns it off is not followed.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib import resources
from pathlib import Path

from casemate.engine.containerd.process import search_path
from casemate.engine.install import tools
from casemate.engine.install.plan import Part, Plan, Source
from casemate.engine.install.tools import Tool
from casemate.engine.paths import CACHE
from casemate.errors import CasemateError, MissingError, RuntimeFault

Say = Callable[[str], None]

_UNSAFE_GO = ("GOFLAGS", "GONOSUMCHECK", "GONOSUMDB", "GOPRIVATE", "GOSUMDB", "GOINSECURE", "GOBIN", "GOOS", "GOARCH")
_FETCHES_ITSELF = (1, 21)
_UNFINISHED = ".building-"
_LAST_LINES = 15


def apply(plan: Plan, say: Say) -> None:
    """Bring in every missing part, telling `say` what is being done.

    Raises `MissingError` when the machine has no way to do it, `RuntimeFault` when apt or Go fails.
    """
    with _alone(say):
        packages = [part for part in plan.missing if part.source is Source.PACKAGE]
        if packages:
            _install_packages(packages, say)
        for part in plan.missing:
            match part.source:
                case Source.OURS:
                    tool = next(each for each in tools.ours() if each.name == part.name)
                    _build(tool, partial(_build_ours, tool), say)
                case Source.GO_MODULE:
                    _build(tools.gvisor(), _build_gvisor, say)
                case Source.PACKAGE:
                    pass


def check_possible(plan: Plan) -> None:
    """Raise `MissingError` when the plan needs something that install itself cannot bring in."""
    sources = {part.source for part in plan.missing}
    if Source.PACKAGE in sources and not tools.find("apt-get"):
        names = ", ".join(part.name for part in plan.missing if part.source is Source.PACKAGE)
        raise MissingError(f"no apt-get on this machine, and missing: {names}", fix="install them with its own tool")
    if sources & {Source.OURS, Source.GO_MODULE}:
        _check_go()


def _check_go() -> None:
    fix = "install Go 1.26 or newer, and put `go` on the PATH"
    go = tools.find("go")
    if go is None:
        raise MissingError("Go is not installed", fix=fix)
    version = _output([str(go), "env", "GOVERSION"], _go_environment({})).strip()
    if go_is_too_old(version):
        raise MissingError(f"{version} is too old", fix=fix)


def go_is_too_old(version: str) -> bool:
    """Whether a Go of that version (`go1.19.8`) can neither build our programs nor fetch a Go that can (from 1.21)."""
    found = re.match(r"go(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) < _FETCHES_ITSELF


def _install_packages(parts: Sequence[Part], say: Say) -> None:
    names = [part.name for part in parts]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    if _output(["dpkg", "--audit"], environment).strip():
        say("finishing an interrupted installation of packages")
        _run(["dpkg", "--configure", "-a"], environment)
    say(f"installing packages: {', '.join(names)}")
    install = ["apt-get", "install", "--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300", *names]
    try:
        _run(install, environment)
    except CasemateError:
        # The lists may be old or absent, as on a fresh machine.
        _run(["apt-get", "update"], environment)
        _run(install, environment)


def _build(tool: Tool, build: Callable[[Path], None], say: Say) -> None:
    if tool.present:
        return
    say(f"building {tool.name} {tool.version}")
    home = tool.folder.parent
    home.mkdir(parents=True, exist_ok=True)
    for left in home.glob(f"{_UNFINISHED}*"):
        shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=home))
    try:
        build(folder)
        lacking = [each for each in tool.programs if not (folder / each).is_file()]
        if lacking:
            raise RuntimeFault(f"Go built no {', '.join(lacking)}", where=tool.name)
        folder.chmod(0o755)
        shutil.rmtree(tool.folder, ignore_errors=True)  # what someone took programs from is not whole
        folder.rename(tool.folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _build_gvisor(folder: Path) -> None:
    environment = _go_environment({"GOBIN": str(folder)})
    version = f"-X {tools.GVISOR_MODULE}/runsc/version.version={tools.GVISOR_VERSION}"
    for program in ("runsc", "shim"):
        package = f"{tools.GVISOR_MODULE}/{program}@{tools.GVISOR_VERSION}"
        _run(["go", "install", "-trimpath", "-buildvcs=false", "-ldflags", f"-s -w {version}", package], environment)


def _build_ours(tool: Tool, folder: Path) -> None:
    with resources.as_file(resources.files(tool.source)) as source:
        for program in tool.programs:
            command = [
                "go",
                "build",
                "-trimpath",
                "-buildvcs=false",
                "-mod=readonly",
                "-ldflags",
                "-s -w",
                "-o",
                str(folder / program),
            ]
            _run([*command, f"./{program}"], _go_environment({}), source)


def _go_environment(extra: Mapping[str, str]) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in _UNSAFE_GO}
    return {**kept, "CGO_ENABLED": "0", **extra}


@contextmanager
def _alone(say: Say) -> Iterator[None]:
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "install.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another install")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: Sequence[str], environment: Mapping[str, str], folder: Path | None = None) -> None:
    _output(command, environment, folder)


def _output(command: Sequence[str], environment: Mapping[str, str], folder: Path | None = None) -> str:
    done = subprocess.run(
        [*command],
        env={**environment, "PATH": search_path()},
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        words = "\n".join(done.stdout.strip().splitlines()[-_LAST_LINES:])
        raise RuntimeFault(f"{' '.join(command[:2])} failed:\n{words}", fix="casemate engine install, again")
    return done.stdout
