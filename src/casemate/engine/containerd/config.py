"""containerd's configuration file, for every containerd from 1.6 to 2.x. Pure: no file is read or written here.

Rules (https://github.com/containerd/containerd/blob/main/docs/cri/config.md):

1. containerd 1.x reads `version = 2`, with one CRI plugin. containerd 2.x gets `version = 3`, where CRI is split into a
   runtime and an images plugin (version 4 is read from 2.3 on only, and 3 is converted there).
2. Nothing is shared with a containerd of the machine: root, state, sockets, CNI and registry folders are the engine's.
   NRI (on by default in 2.x, at a fixed socket) is off, and so are plugins that write to fixed places (`opt`).
3. A Pod that asks for no seccomp profile gets the runtime's default, whoever starts it.
4. Where a negative OOM score cannot be written, containerd is told to clamp scores, or no sandbox would start.
5. Network namespaces lie in the engine's state folder, so that they end with its mount namespace.
6. A handler whose shim is not runc's is named by the shim's absolute path: the machine's PATH stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from casemate.engine.paths import EnginePaths

RUNC_SHIM = "io.containerd.runc.v2"
PAUSE_IMAGE = "casemate.local/pause:1"

Scalar: TypeAlias = str | bool | int
Table: TypeAlias = Mapping[str, Scalar | tuple[str, ...]]

_UNUSED_PLUGINS = (
    "io.containerd.internal.v1.opt",
    "io.containerd.internal.v1.restart",
    "io.containerd.internal.v1.tracing",
    "io.containerd.tracing.processor.v1.otlp",
    "io.containerd.snapshotter.v1.aufs",
    "io.containerd.snapshotter.v1.blockfile",
    "io.containerd.snapshotter.v1.btrfs",
    "io.containerd.snapshotter.v1.devmapper",
    "io.containerd.snapshotter.v1.erofs",
    "io.containerd.snapshotter.v1.zfs",
)


@dataclass(frozen=True)
class RuntimeTable:
    """How containerd starts one handler: `shim` is a runtime type or a shim's absolute path, `options` are the shim's.

    Annotations of the Pod (`pod_annotations`) and container (`container_annotations`) that match these globs reach the
    runtime; none does by default.
    """

    handler: str
    shim: str = RUNC_SHIM
    options: Mapping[str, Scalar] = field(default_factory=dict)
    pod_annotations: tuple[str, ...] = ()
    container_annotations: tuple[str, ...] = ()


@dataclass(frozen=True)
class ContainerdConfig:
    """What differs between engines and machines."""

    paths: EnginePaths
    runtimes: tuple[RuntimeTable, ...]
    default_handler: str
    cni_plugins: Path
    can_lower_oom_score: bool
    snapshotter: str = "overlayfs"


def render(containerd: tuple[int, ...], config: ContainerdConfig) -> str:
    """The configuration file as TOML text, for a containerd of that version (`(1, 6, 20)`)."""
    return "\n".join(_lines(containerd, config)) + "\n"


def _lines(containerd: tuple[int, ...], config: ContainerdConfig) -> Iterator[str]:
    paths = config.paths
    schema = 2 if containerd < (2,) else 3
    yield from _table(
        "",
        {
            "version": schema,
            "root": str(paths.root / "containerd"),
            "state": str(paths.state / "containerd"),
            "disabled_plugins": _UNUSED_PLUGINS,
        },
    )
    yield from _table("grpc", {"address": str(paths.socket)})
    yield from _table("debug", {"level": "info"})
    yield from _version_2(config) if schema == 2 else _version_3(config, containerd)


def _version_2(config: ContainerdConfig) -> Iterator[str]:
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    yield from _table(cri, {**_cri(config), **_streaming(), "sandbox_image": PAUSE_IMAGE})
    yield from _table(f"{cri}.cni", {"bin_dir": str(config.cni_plugins), **_cni(config)})
    yield from _table(f"{cri}.registry", _registry(config))
    yield from _table(
        f"{cri}.containerd", {"default_runtime_name": config.default_handler, "snapshotter": config.snapshotter}
    )
    yield from _runtimes(f"{cri}.containerd", config.runtimes)


def _version_3(config: ContainerdConfig, containerd: tuple[int, ...]) -> Iterator[str]:
    runtime, images = 'plugins."io.containerd.cri.v1.runtime"', 'plugins."io.containerd.cri.v1.images"'
    yield from _table('plugins."io.containerd.nri.v1.nri"', {"disable": True})
    yield from _table('plugins."io.containerd.grpc.v1.cri"', _streaming())
    yield from _table(images, {"snapshotter": config.snapshotter})
    yield from _table(f"{images}.pinned_images", {"sandbox": PAUSE_IMAGE})
    yield from _table(f"{images}.registry", _registry(config))
    yield from _table(runtime, _cri(config))
    plugins: Table = {"bin_dirs": (str(config.cni_plugins),)}
    if containerd < (2, 1):
        plugins = {"bin_dir": str(config.cni_plugins)}
    yield from _table(f"{runtime}.cni", {**plugins, **_cni(config)})
    yield from _table(f"{runtime}.containerd", {"default_runtime_name": config.default_handler})
    yield from _runtimes(f"{runtime}.containerd", config.runtimes)


def _cri(config: ContainerdConfig) -> Table:
    return {
        "restrict_oom_score_adj": not config.can_lower_oom_score,
        "unset_seccomp_profile": "runtime/default",
        "netns_mounts_under_state_dir": True,
        "enable_unprivileged_ports": True,
        "enable_unprivileged_icmp": True,
    }


def _streaming() -> Table:
    return {"stream_server_address": "127.0.0.1", "stream_server_port": "0"}


def _cni(config: ContainerdConfig) -> Table:
    return {"conf_dir": str(cni_folder(config.paths)), "max_conf_num": 1}


def _registry(config: ContainerdConfig) -> Table:
    return {"config_path": str(registries_folder(config.paths))}


def _runtimes(parent: str, runtimes: tuple[RuntimeTable, ...]) -> Iterator[str]:
    for each in runtimes:
        name = f"{parent}.runtimes.{_string(each.handler)}"
        table: dict[str, Scalar | tuple[str, ...]] = {"runtime_type": each.shim}
        if each.pod_annotations:
            table["pod_annotations"] = each.pod_annotations
        if each.container_annotations:
            table["container_annotations"] = each.container_annotations
        yield from _table(name, table)
        if each.options:
            yield from _table(f"{name}.options", each.options)


def cni_folder(paths: EnginePaths) -> Path:
    """Where containerd looks for the engine's CNI network."""
    return paths.root / "cni"


def registries_folder(paths: EnginePaths) -> Path:
    """containerd's `certs.d`: one folder per registry, with a hosts.toml."""
    return paths.root / "certs.d"


def _table(name: str, values: Table) -> Iterator[str]:
    if name:
        yield ""
        yield f"[{name}]"
    for key, value in values.items():
        yield f"{key} = {_value(value)}"


def _value(value: Scalar | tuple[str, ...]) -> str:
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case str():
            return _string(value)
        case tuple():
            return "[" + ", ".join(map(_string, value)) + "]"


def _string(text: str) -> str:
    escaped = "".join(
        f"\\u{ord(char):04x}" if ord(char) < 0x20 or ord(char) == 0x7F else {'"': '\\"', "\\": "\\\\"}.get(char, char)
        for char in text
    )
    return f'"{escaped}"'
