"""What a runtime is told, all in all: by its own `config dump` where its binary is there, else as casemate merges it.

1. The runtime's own word counts: it migrates, merges and fills in defaults, and warns of unknown keys in its log
   only, so that a misspelt one is seen in the dump or nowhere.
2. Its `imports` do not count: containerd 2 prints a default there that it does not read.
3. A configuration that the runtime cannot read is one that it would not start with.
4. CRI-O tells what differs from its defaults, and comments out the rest: both are asked for. It is asked as the process
   that runs was, since its options and variables count more than its files.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

from casemate.errors import IncompleteError, RuntimeFault
from casemate.model.node import Daemon, Toml
from casemate.node import crio, process
from casemate.node.containerd import CRI_2, RUNTIME_3
from casemate.node.document import at, parse, text

_DUMP_SECONDS = 30


def dump(binary: str, config_file: str) -> Toml:
    """containerd's effective configuration. Raises `RuntimeFault` when it refuses the file.

    Without a file it is the built-in one: containerd then reads nothing else.
    """
    if not Path(config_file).exists():
        return _asked([binary, "config", "default"], config_file)
    return _asked([binary, "--config", config_file, "config", "dump"], config_file)


def crio_dump(daemon: Daemon, drop_ins: str = "") -> Toml:
    """CRI-O's effective configuration, as the program would start with it (rule 4); `drop_ins` in place of its own."""
    file = ["--config", daemon.config_file] if Path(daemon.config_file).exists() else []
    options = [*daemon.arguments[1:], *file, "--config-dir", drop_ins or daemon.drop_ins]
    environment = process.environment(daemon.pid) or None
    asked = ([daemon.binary, *options, "config", *each] for each in (["--default"], []))
    return crio.merge([_asked(each, daemon.config_file, environment) for each in asked])


def without_imports(config: Mapping[str, object]) -> Toml:
    """The same without what only tells where it came from (rule 2)."""
    return {key: value for key, value in config.items() if key != "imports"}


def runtimes(config: Toml) -> dict[str, Toml]:
    """The tables of handlers in a dump, whose version is the runtime's highest and not the file's."""
    for plugin in (RUNTIME_3, CRI_2):
        found = at(config, ("plugins", plugin, "containerd", "runtimes"))
        if found:
            return {name: each for name, each in found.items() if isinstance(each, dict)}
    return {}


def default_runtime(config: Toml) -> str:
    """The handler for Pods that name none."""
    tables = (at(config, ("plugins", plugin, "containerd")) for plugin in (RUNTIME_3, CRI_2))
    return next(filter(None, (text(each, "default_runtime_name") for each in tables)), "")


def systemd_cgroup(config: Toml) -> bool:
    """Whether the default handler uses systemd's cgroup driver."""
    table = runtimes(config).get(default_runtime(config), {})
    return bool(at(table, ("options",)).get("SystemdCgroup"))


def of_daemon(daemon: Daemon) -> Toml:
    """The runtime's effective configuration as it lies there now."""
    if daemon.kind == "crio":
        return crio_dump(daemon)
    return dump(daemon.binary, daemon.config_file)


def _asked(command: list[str], where: str, environment: Mapping[str, str] | None = None) -> Toml:
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=_DUMP_SECONDS, check=False, cwd=Path("/"), env=environment
        )
    except subprocess.TimeoutExpired:
        raise IncompleteError(
            f"{command[0]} did not dump its configuration in {_DUMP_SECONDS} s", where=where
        ) from None
    except OSError as error:
        raise RuntimeFault(f"{command[0]} cannot be run: {error.strerror}", where=where) from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise RuntimeFault(
            f"the runtime refuses its configuration: {said[-1] if said else 'no reason given'}", where=where
        )
    return parse(done.stdout.decode(errors="replace"), f"output of {' '.join(command)}")
