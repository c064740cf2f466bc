"""A runtime's effective configuration in one vocabulary, for containerd 1.x and 2.x and CRI-O. Pure.

1. What a dump does not have is at its default, which for security matters is written here with the key's name.
2. containerd 2 splits the CRI plugin: streaming stays under `io.containerd.grpc.v1.cri`; schema 4 moves servers to
   plugins (containerd docs/man/containerd-config.toml.5.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from casemate.model.node import Settings, Toml
from casemate.node import crio, effective
from casemate.node.containerd import CRI_2, IMAGES_3, RUNTIME_3, at

_NRI: Final = "io.containerd.nri.v1.nri"
_VERIFIER: Final = "io.containerd.image-verifier.v1.bindir"
_SERVER: Final = "io.containerd.server.v1."
_CRI_IDS: Final = frozenset({"cri", CRI_2, RUNTIME_3, IMAGES_3})


def default_handler(kind: str, config: Toml) -> str:
    """The handler for Pods that name none."""
    return crio.default_runtime(config) if kind == "crio" else effective.default_runtime(config)


def sandbox_image(config: Toml) -> str:
    """The image of sandboxes."""
    return (
        _text(at(config, ("plugins", IMAGES_3, "pinned_images")), "sandbox")
        or _text(at(config, ("plugins", CRI_2)), "sandbox_image")
        or _text(at(config, ("crio", "image")), "pause_image")
    )


def of(kind: str, config: Toml) -> Settings:
    """The settings of an effective configuration."""
    return _crio(config) if kind == "crio" else _containerd(config)


def _containerd(config: Toml) -> Settings:
    plugins = at(config, ("plugins",))
    cri = {**at(plugins, (CRI_2,)), **at(plugins, (RUNTIME_3,))}
    images = at(plugins, (IMAGES_3,)) or at(plugins, (CRI_2, "containerd"))
    registry = at(plugins, (IMAGES_3, "registry")) or at(plugins, (CRI_2, "registry"))
    nri, cni = at(plugins, (_NRI,)), at(cri, ("cni",))
    return replace(
        _servers(config, plugins),
        default_handler=effective.default_runtime(config),
        stream_address=_text(cri, "stream_server_address"),
        tcp_service_disabled=cri.get("disable_tcp_service", True) is True,
        stream_tls=cri.get("enable_tls_streaming") is True,
        unset_seccomp_profile=_text(cri, "unset_seccomp_profile"),
        seccomp_default_on=_text(cri, "unset_seccomp_profile") not in ("", "unconfined"),
        apparmor_disabled=cri.get("disable_apparmor") is True,
        selinux=cri.get("enable_selinux") is True,
        restrict_oom_score_adj=cri.get("restrict_oom_score_adj") is True,
        registry_config_path=_text(registry, "config_path"),
        insecure_registries=tuple(_insecure(registry)),
        plain_http_registries=tuple(_plain_http(registry)),
        inline_credentials=tuple(_credentials(registry)),
        nri_enabled=bool(nri) and nri.get("disable") is not True,
        nri_socket=_text(nri, "socket_path"),
        nri_plugin_path=_text(nri, "plugin_path"),
        cdi_dirs=_texts(cri, "cdi_spec_dirs"),
        cni_conf_dir=_text(cni, "conf_dir"),
        cni_bin_dirs=_texts(cni, "bin_dirs") or tuple(filter(None, [_text(cni, "bin_dir")])),
        image_verifier_dir=_text(at(plugins, (_VERIFIER,)), "bin_dir"),
        sandbox_image=sandbox_image(config),
        snapshotter=_text(images, "snapshotter"),
        snapshots_annotated=images.get("disable_snapshot_annotations") is False,
    )


def _servers(config: Toml, plugins: Toml) -> Settings:
    """The daemon as a whole: its root, addresses, log; in schema 4 servers are plugins (rule 2)."""

    def server(name: str) -> Toml:
        return {**at(config, (name,)), **at(plugins, (f"{_SERVER}{name}",))}

    disabled = config.get("disabled_plugins")
    return Settings(
        cri_enabled=not _CRI_IDS & set(map(str, disabled if isinstance(disabled, list) else [])),
        root=_text(config, "root"),
        grpc_address=_text(server("grpc"), "address"),
        tcp_address=_text(server("grpc"), "tcp_address") or _text(server("grpc-tcp"), "address"),
        ttrpc_address=_text(server("ttrpc"), "address"),
        debug_address=_text(server("debug"), "address"),
        metrics_address=_text(server("metrics"), "address"),
        socket_uid=_number(server("grpc"), "uid"),
        socket_gid=_number(server("grpc"), "gid"),
        log_level=_text(at(config, ("debug",)), "level"),
    )


def _crio(config: Toml) -> Settings:
    runtime, image = at(config, ("crio", "runtime")), at(config, ("crio", "image"))
    api, network, nri = at(config, ("crio", "api")), at(config, ("crio", "network")), at(config, ("crio", "nri"))
    metrics = at(config, ("crio", "metrics"))
    return Settings(
        default_handler=crio.default_runtime(config),
        root=_text(at(config, ("crio",)), "root") or "/var/lib/containers/storage",
        grpc_address=_text(api, "listen") or "/var/run/crio/crio.sock",
        stream_address=_text(api, "stream_address") or "127.0.0.1",
        stream_tls=api.get("stream_enable_tls") is True,
        unset_seccomp_profile=_text(runtime, "seccomp_profile"),
        # CRI-O gives its default profile to whoever asks for none, unless `unconfined` is written.
        seccomp_default_on=_text(runtime, "seccomp_profile") != "unconfined",
        apparmor_disabled=_text(runtime, "apparmor_profile") == "unconfined",
        selinux=runtime.get("selinux") is True,
        insecure_registries=_texts(image, "insecure_registries"),
        log_level=_text(runtime, "log_level"),
        nri_enabled=nri.get("enable_nri", True) is True,
        nri_socket=_text(nri, "nri_listen") or "/var/run/nri/nri.sock",
        nri_plugin_path=_text(nri, "nri_plugin_dir") or "/opt/nri/plugins",
        cdi_dirs=_texts(runtime, "cdi_spec_dirs") or ("/etc/cdi", "/var/run/cdi"),
        cni_conf_dir=_text(network, "network_dir") or "/etc/cni/net.d",
        cni_bin_dirs=_texts(network, "plugin_dirs") or ("/opt/cni/bin",),
        metrics_address=f"{_text(metrics, 'metrics_host') or '127.0.0.1'}:{_number(metrics, 'metrics_port') or 9090}"
        if metrics.get("enable_metrics") is True
        else "",
        signature_policy=_text(image, "signature_policy") or "/etc/containers/policy.json",
        sandbox_image=_text(image, "pause_image"),
    )


def _insecure(registry: Toml) -> list[str]:
    configs = at(registry, ("configs",))
    return [name for name in configs if at(configs, (name, "tls")).get("insecure_skip_verify") is True]


def _plain_http(registry: Toml) -> list[str]:
    mirrors = at(registry, ("mirrors",))
    ends = [end for name in mirrors for end in _texts(at(mirrors, (name,)), "endpoint")]
    return [each for each in ends if each.startswith("http://")]


def _credentials(registry: Toml) -> list[str]:
    configs = at(registry, ("configs",))
    old = [*at(registry, ("auths",))]
    return [*old, *(name for name in configs if at(configs, (name, "auth")))]


def _text(table: Mapping[str, object], key: str) -> str:
    found = table.get(key)
    return found if isinstance(found, str) else ""


def _number(table: Mapping[str, object], key: str) -> int:
    found = table.get(key)
    return found if isinstance(found, int) else 0


def _texts(table: Mapping[str, object], key: str) -> tuple[str, ...]:
    found = table.get(key)
    return tuple(each for each in found if isinstance(each, str)) if isinstance(found, list) else ()
