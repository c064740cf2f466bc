"""Find the high-level runtime that serves a CRI socket, and how it was started.

Rules:

1. Who listens on the socket is the runtime: the kernel tells its process (unix(7), SO_PEERCRED), which tells its
   program, its arguments and thereby its configuration file. Names of processes and units prove nothing.
2. Its systemd unit is the one whose cgroup it is in. A unit is restarted by systemd alone, where systemd runs.
3. A runtime that serves no socket is described by its layout, and has no process.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from casemate.engine.containerd.process import search_path
from casemate.errors import CasemateError, InputError, MissingError, RuntimeFault
from casemate.model.node import Daemon
from casemate.model.node_plan import Restart
from casemate.node import layouts, process, tree
from casemate.node.document import at, text

UNIT_FOLDERS: Final = ("/etc/systemd/system", "/run/systemd/system", "/lib/systemd/system", "/usr/lib/systemd/system")
_SYSTEMD = Path("/run/systemd/system")
_CONNECT_SECONDS = 5.0


@dataclass(frozen=True)
class Where:
    """What the user said about the runtime; empty text is for casemate to find out."""

    socket: str = ""
    config: str = ""
    restart: str = ""


def find(where: Where) -> Daemon:
    """The runtime of this node. Raises `MissingError` when there is none."""
    layout = layouts.of_config(where.config) or layouts.find()
    if where.socket or where.config or layout is not None:
        address = where.socket or _address(where.config) or (layout.socket if layout else "")
        return _described(address, where, layout)
    raise MissingError(
        "no container runtime was found: no CRI socket and no configuration file at the places that casemate knows",
        fix="name them: --socket /run/containerd/containerd.sock --config /etc/containerd/config.toml",
    )


def restart_of(daemon: Daemon, where: Where) -> Restart:
    """How to restart it. Raises `InputError` when nobody can tell."""
    if where.restart:
        return Restart(how="command", command=where.restart)
    if layouts.named(daemon.flavour).live:
        return Restart(how="none")
    if daemon.unit and _SYSTEMD.is_dir():
        return Restart(how="systemd", unit=daemon.unit)
    if daemon.pid:
        return _by_hand(daemon)
    raise InputError(
        "the runtime does not run, and has no systemd unit: it cannot be restarted",
        where=daemon.socket,
        fix="start it, or say how it is restarted: --restart 'COMMAND'",
    )


def listener(address: str) -> int:
    """The process that listens on a unix socket; 0 when nobody does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(_CONNECT_SECONDS)
        try:
            connection.connect(address)
        except OSError:
            return 0
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid: int = struct.unpack("3i", credentials)[0]
    return pid


def _described(address: str, where: Where, layout: layouts.Layout | None) -> Daemon:
    pid = listener(address) if address else 0
    arguments = process.arguments(pid)
    told, drop_ins = process.option(arguments, "config", "c"), ""
    program = process.program(pid) or _on_path("crio" if layout and layout.kind == "crio" else "containerd")
    kind = _kind(pid, program, layout)
    if layout is None or layout.kind != kind:  # the socket is another runtime's than the node's usual one
        layout = layouts.named(kind)
    if kind == "crio":
        environment = process.environment(pid)
        told = told or environment.get("CONTAINER_CONFIG", "")
        drop_ins = process.option(arguments, "config-dir", "d") or environment.get("CONTAINER_CONFIG_DIR", "")
    config = where.config or told or layout.config
    return Daemon(
        kind=kind,
        flavour=layout.id,
        socket=address,
        config_file=config,
        drop_ins=drop_ins or layout.drop_ins,
        binary=program,
        version=process.version(program) if program else "",
        pid=pid,
        unit=_unit(pid) if pid else _installed_unit(layout),
        arguments=arguments,
        search_path=_search_path(pid),
        config_missing=not Path(config).exists(),
    )


def _kind(pid: int, program: str, layout: layouts.Layout | None) -> Literal["containerd", "crio"]:
    """What a process runs decides; without one, the layout."""
    if pid:
        return "crio" if Path(program).name == "crio" else "containerd"
    return layout.kind if layout else "containerd"


def _address(config: str) -> str:
    """Where containerd listens, by its configuration file."""
    if not config:
        return ""
    try:
        table = tree.merge(tree.read(Path(config), 2), 2)
    except CasemateError:
        return ""
    server = at(table, ("plugins", "io.containerd.server.v1.grpc"))
    return text(at(table, ("grpc",)), "address") or text(server, "address")


def _on_path(name: str) -> str:
    return shutil.which(name, path=search_path()) or ""


def _unit(pid: int) -> str:
    """The systemd unit of a process, from its cgroup."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    found = (re.search(r"/([^/]+\.service)$", line) for line in lines)
    return next((each[1] for each in found if each), "")


def _installed_unit(layout: layouts.Layout) -> str:
    names = [f"{unit}.service" for unit in layout.units]
    return next((name for name in names for folder in UNIT_FOLDERS if Path(folder, name).exists()), "")


def _search_path(pid: int) -> tuple[str, ...]:
    return tuple((process.environment(pid).get("PATH") or search_path()).split(":"))


def _by_hand(daemon: Daemon) -> Restart:
    here = Path(f"/proc/{daemon.pid}")
    if not daemon.arguments or not os.access(here / "environ", os.R_OK):
        raise RuntimeFault(
            "how the runtime was started cannot be read", where=f"process {daemon.pid}", fix="run as root"
        )
    output = str((here / "fd" / "1").readlink())
    return Restart(
        how="process",
        arguments=daemon.arguments,
        program=daemon.binary,
        environment=dict(process.environment(daemon.pid)),
        folder=str((here / "cwd").readlink()),
        output=output if output.startswith("/") and Path(output).is_file() else os.devnull,
    )
