"""Handlers that are not what their names say, on an engine of their own."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from casemate.engine import node
from casemate.engine.containerd import config, process
from casemate.engine.containerd.config import ContainerdConfig, RuntimeTable
from casemate.engine.install import found, tools
from casemate.engine.paths import EnginePaths

ENGINE = "liars"
RUNC = str(tools.find("runc"))
CRUN = str(tools.find("crun"))
_NEWER = "9.9.9"


def restart(paths: EnginePaths, tables: Iterable[RuntimeTable]) -> None:
    """Give the running engine these handlers beside the honest ones, or in their place where they have their names."""
    plugins = tools.cni_plugins()
    assert plugins
    honest = [each.table for each in found.runtimes(paths)]
    written = ContainerdConfig(
        paths=paths,
        runtimes=tuple({each.handler: each for each in (*honest, *tables)}.values()),
        default_handler="runc",
        cni_plugins=plugins,
        can_lower_oom_score=node.gather().can_lower_oom_score,
    )
    text = config.render(process.version(process.binary()), written)
    process.config_file(paths).write_text(text, encoding="utf-8")  # first: the supervisor may start it before we do
    process.stop(paths)
    process.start(paths)


def liars(paths: EnginePaths, folder: Path) -> Iterable[RuntimeTable]:
    """Every liar, by a name that the catalogue knows for a boundary that it does not draw."""
    yield _runc("gvisor", RUNC)
    yield _runc("fortress", RUNC)
    yield _runc("kata", "/nowhere/kata")
    yield _runc("kata-qemu", _beside_a_monitor(folder))
    yield _runc("runsc-disguised", _disguise(folder))
    yield _runc("runsc-crun", CRUN)
    for name, flags in {
        "runsc-hostnet": {"network": "host"},
        "runsc-sockets": {"host-uds": "all"},
        "runsc-suid": {"allow-suid": "true"},
        "runsc-dirty": {"overlay2": "none"},
    }.items():
        yield _runsc(paths, name, _options(folder, name, flags))
    yield _runsc(paths, "runsc-renamed", _options(folder, "runsc-renamed", {}, _wrapper(folder)))
    for name, consistent in (("runsc-patched", False), ("runsc-overwritten", True)):
        patched = _patched(folder, name, consistent=consistent)
        yield _runsc(paths, name, _options(folder, name, {}, patched))
    yield _runc("sysbox", _without_seccomp(folder, RUNC, "sysbox"))
    yield _runc("nvidia", _says_newer(folder))
    yield _runc("youki", _patched_runc(folder))


def native_wasm() -> RuntimeTable:
    """runc under the Wasm handler's name."""
    return _runc("wasm", RUNC)


def open_wasm(folder: Path) -> RuntimeTable:
    """The Wasm runtime without the Pod's seccomp filter."""
    return _runc("wasm", _without_seccomp(folder, str(tools.native().folder / "wasm"), "wasm"))


def _runc(name: str, program: str) -> RuntimeTable:
    return RuntimeTable(name, config.RUNC_SHIM, {"BinaryName": program})


def _runsc(paths: EnginePaths, name: str, options: Path) -> RuntimeTable:
    shim = paths.root / "runtimes" / "runsc" / "containerd-shim-runsc-v1"
    return RuntimeTable(name, str(shim), {"TypeUrl": "io.containerd.runsc.v1.options", "ConfigPath": str(options)})


def _options(folder: Path, name: str, flags: Mapping[str, str], binary: Path | None = None) -> Path:
    file = folder / f"{name}.toml"
    lines = [f"binary_name = {json.dumps(str(binary))}"] if binary else []
    lines += ["[runsc_config]", *(f"{key} = {json.dumps(value)}" for key, value in flags.items())]
    file.write_text("\n".join(lines) + "\n")
    return file


def _script(file: Path, text: str) -> Path:
    file.write_text(text)
    file.chmod(0o755)
    return file


def _disguise(folder: Path) -> str:
    """runc, with another kernel's release by personality(2), and files of gVisor's over those of /proc."""
    (folder / "version").write_text("Linux version 4.19.0-gvisor #1 SMP Sun Jan 10 15:06:54 PST 2016\n")
    hook = _script(
        folder / "hook.py",
        f"#!{sys.executable}\n"
        "import json, subprocess, sys\n"
        "state = json.load(sys.stdin)\n"
        "root = json.load(open(state['bundle'] + '/config.json'))['root']['path']\n"
        "root = root if root.startswith('/') else state['bundle'] + '/' + root\n"
        f"subprocess.run(['mount', '--bind', '{folder}/version', root + '/proc/version'], check=True)\n",
    )
    edit = _script(
        folder / "disguised",
        f"#!{sys.executable}\n"
        "import json, os, sys\n"
        "if 'create' in sys.argv:\n"
        "    bundle = sys.argv[sys.argv.index('--bundle') + 1]\n"
        "    file = bundle + '/config.json'\n"
        "    spec = json.load(open(file))\n"
        "    if '/probe' in spec['process']['args']:\n"
        f"        spec['hooks'] = {{'createContainer': [{{'path': '{hook}'}}]}}\n"
        "        json.dump(spec, open(file, 'w'))\n"
        f"os.execvp('setarch', ['setarch', '--uname-2.6', '{RUNC}', *sys.argv[1:]])\n",
    )
    return str(edit)


def _beside_a_monitor(folder: Path) -> str:
    """runc, that starts a program of a monitor's name in the Pod's cgroup beside each container."""
    monitor = folder / "qemu-system-x86_64"
    shutil.copy("/bin/busybox", monitor)
    return str(
        _script(
            folder / "beside-a-monitor",
            f"#!{sys.executable}\n"
            "import glob, json, os, subprocess, sys\n"
            f"code = subprocess.run(['{RUNC}', *sys.argv[1:]]).returncode\n"
            "if 'create' in sys.argv and not code:\n"
            "    spec = json.load(open(sys.argv[sys.argv.index('--bundle') + 1] + '/config.json'))\n"
            "    pod = os.path.dirname(spec['linux']['cgroupsPath'])\n"
            "    null = subprocess.DEVNULL\n"
            f"    made = subprocess.Popen(['sleep', '600'], executable='{monitor}',\n"
            "        stdin=null, stdout=null, stderr=null, start_new_session=True)\n"
            "    trees = (f'/sys/fs/cgroup{each}{pod}/cgroup.procs' for each in ('', '/pids'))\n"
            "    open(next(filter(os.path.exists, trees)), 'w').write(str(made.pid))\n"
            "sys.exit(code)\n",
        )
    )


def _without_seccomp(folder: Path, program: str, name: str) -> str:
    """A runtime that starts containers without the filter that they ask for."""
    return str(
        _script(
            folder / f"{name}-open",
            f"#!{sys.executable}\n"
            "import json, os, sys\n"
            "if 'create' in sys.argv:\n"
            "    file = sys.argv[sys.argv.index('--bundle') + 1] + '/config.json'\n"
            "    spec = json.load(open(file))\n"
            "    spec['linux'].pop('seccomp', None)\n"
            "    json.dump(spec, open(file, 'w'))\n"
            f"os.execv('{program}', ['{program}', *sys.argv[1:]])\n",
        )
    )


def _says_newer(folder: Path) -> str:
    """A runtime that only says a newer version."""
    return str(
        _script(
            folder / "newer",
            f'#!/bin/sh\ncase "$1" in --version) echo "runc version {_NEWER}"; exit;; esac\nexec {RUNC} "$@"\n',
        )
    )


def _patched_runc(folder: Path) -> str:
    """A copy of runc whose version was written over in the file."""
    said = found.program_version(Path(RUNC))
    bytes_ = Path(RUNC).read_bytes().replace(said.encode(), _NEWER.ljust(len(said), "0").encode())
    file = folder / "runc"
    file.write_bytes(bytes_)
    file.chmod(0o755)
    return str(file)


def _wrapper(folder: Path) -> Path:
    """A script in runsc's place that says a newer version."""
    real = tools.gvisor().folder / "runsc"
    return _script(
        folder / "runsc-wrapper",
        f'#!/bin/sh\ncase "$1" in --version) echo "runsc version v{_NEWER}"; exit;; esac\nexec {real} "$@"\n',
    )


def _patched(folder: Path, name: str, *, consistent: bool) -> Path:
    """A copy of runsc whose version was written over where it says it, or wherever it stands."""
    file = folder / name
    shutil.copy(tools.gvisor().folder / "runsc", file)
    whole, version = file.read_bytes(), tools.GVISOR_VERSION.encode()
    start = whole.find(version)
    fresh = bytearray(whole)
    while start >= 0:
        if consistent or whole[start - 1 : start] not in (b"@", b"\t"):
            fresh[start : start + len(version)] = version.replace(b"2026", b"2027")
        start = whole.find(version, start + 1)
    file.write_bytes(fresh)
    return file
