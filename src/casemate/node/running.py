"""The containers that run now: what their OCI specifications ask for, and what the kernel shows of their processes.

1. A container's own record (CRI's verbose status) gives its specification; /proc gives seccomp's mode and
   no-new-privileges as they are. For a sandboxed container the kernel's view is of the sandbox.
2. Control plane and node agents (namespace kube-system) are told apart: they need the node.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri.born import handler_of
from casemate.engine.cri.client import CriClient
from casemate.errors import CasemateError
from casemate.model.boundary import Boundary
from casemate.model.node import Look, NodeHandler, RunningContainer, Seen, Toml, Unseen
from casemate.node.document import at, of_json, tables
from casemate.node.files import text

_DEFAULT_CAPABILITIES: Final = frozenset(
    "CAP_" + name
    for name in (
        "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID", "SETFCAP", "SETPCAP",
        "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
    )
)  # fmt: skip
_SENSITIVE: Final = (
    "/", "/etc", "/root", "/boot", "/proc", "/sys", "/dev", "/var/lib/kubelet", "/var/run/docker.sock",
    "/run/containerd", "/run/containerd/containerd.sock", "/run/crio", "/var/run/crio",
    "/run/crio/crio.sock", "/var/run/crio/crio.sock",
    "/run/k3s/containerd/containerd.sock",
    "/var/lib/containerd", "/var/lib/containers", "/etc/kubernetes",
)  # fmt: skip
_PLATFORM: Final = "kube-system"
_RUNNING: Final = 1


def look(socket: str, handlers: Mapping[str, NodeHandler], default: str) -> Look[tuple[RunningContainer, ...]]:
    """All running containers of a CRI socket."""
    try:
        return Seen(asyncio.run(_look(socket, handlers, default)))
    except CasemateError as error:
        return Unseen(error.what)


def features(socket: str) -> dict[str, tuple[str, ...]]:
    """What the runtime reports of its handlers (containerd 2, CRI-O 1.30); a handler without any has an empty tuple."""
    try:
        status = asyncio.run(_status(socket))
    except CasemateError:
        return {}
    return {each.name: _features(each) for each in status.runtime_handlers if each.name}


async def _status(socket: str) -> pb.StatusResponse:
    async with CriClient(socket) as client:
        return await client.status()


def _features(handler: pb.RuntimeHandler) -> tuple[str, ...]:
    found = handler.features
    return tuple(field.name for field, value in found.ListFields() if value)


async def _look(socket: str, handlers: Mapping[str, NodeHandler], default: str) -> tuple[RunningContainer, ...]:
    async with CriClient(socket) as client:
        sandboxes = {each.id: each for each in await client.pod_sandboxes()}
        born = {each.id: await handler_of(client, each) for each in sandboxes.values()}
        running = [each for each in await client.containers() if each.state == _RUNNING]
        found = []
        for each in running:
            record = await client.container_record(each.id)
            sandbox = sandboxes.get(each.pod_sandbox_id)
            told = born.get(each.pod_sandbox_id)
            handler = "" if told is None else told or default
            found.append(of_record(each, sandbox, record.info.get("info", "{}"), handler, handlers))
    return tuple(found)


def of_record(
    container: pb.Container,
    sandbox: pb.PodSandbox | None,
    info: str,
    handler: str,
    handlers: Mapping[str, NodeHandler],
) -> RunningContainer:
    """A container from what the runtime recorded of it (JSON)."""
    record = of_json(info)
    spec, pid = at(record, ("runtimeSpec",)), record.get("pid")
    process, linux = at(spec, ("process",)), at(spec, ("linux",))
    metadata = sandbox.metadata if sandbox else pb.PodSandboxMetadata()
    status = text(f"/proc/{pid}/status") if isinstance(pid, int) else ""
    known = handlers.get(handler)
    return RunningContainer(
        pod=f"{metadata.namespace}/{metadata.name}",
        name=container.metadata.name,
        handler=handler,
        handler_boundary=known.boundary if known else Boundary.UNKNOWN,
        privileged=_privileged(record),
        host_namespaces=_host_namespaces(linux),
        sensitive_mounts=_sensitive(spec),
        shared_mounts=_shared(spec),
        extra_capabilities=_extra(process),
        seccomp=_number(status, "Seccomp:"),
        no_new_privileges=_flag(status, "NoNewPrivs:"),
        memory_limited=bool(at(linux, ("resources", "memory")).get("limit")),
        pids_limited=_pids_limited(pid),
        platform=metadata.namespace == _PLATFORM,
    )


def _privileged(record: Toml) -> bool:
    """containerd records it as it was asked for, CRI-O as it took it."""
    asked = at(record, ("config", "linux", "security_context"))
    return asked.get("privileged") is True or record.get("privileged") is True


def _host_namespaces(linux: Toml) -> tuple[str, ...]:
    """Kinds of namespaces that the container shares with the node: those without a path and not made new."""
    own = {str(each.get("type")) for each in tables(linux, "namespaces")}
    return tuple(kind for kind in ("pid", "network", "ipc") if kind not in own)


def _sensitive(spec: Toml) -> tuple[str, ...]:
    sources = (str(each.get("source")) for each in tables(spec, "mounts") if "bind" in str(each.get("options")))
    return tuple(each for each in sources if (each.rstrip("/") or "/") in _SENSITIVE or each.endswith(".sock"))


def _shared(spec: Toml) -> tuple[str, ...]:
    found = []
    for each in tables(spec, "mounts"):
        options = each.get("options")
        if isinstance(options, list) and {"shared", "rshared"} & set(map(str, options)):
            found.append(str(each.get("source")))
    return tuple(found)


def _extra(process: Toml) -> tuple[str, ...]:
    bounding = at(process, ("capabilities",)).get("bounding")
    return tuple(sorted(set(map(str, bounding)) - _DEFAULT_CAPABILITIES)) if isinstance(bounding, list) else ()


def _pids_limited(pid: object) -> bool:
    """Whether the container's or its Pod's cgroup limits processes, as the kernel has it."""
    for line in text(f"/proc/{pid}/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        root = Path("/sys/fs/cgroup", "pids" if "pids" in controllers else "")
        if controllers and "pids" not in controllers:
            continue
        here = root / path.lstrip("/")
        for folder in (here, here.parent):
            limit = text(folder / "pids.max").strip()
            if limit and limit != "max":
                return True
    return False


def _number(status: str, name: str) -> int | None:
    line = next((each for each in status.splitlines() if each.startswith(name)), "")
    return int(line.split()[1]) if line else None


def _flag(status: str, name: str) -> bool | None:
    found = _number(status, name)
    return None if found is None else bool(found)
