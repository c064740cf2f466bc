"""A runtime's effective configuration in one vocabulary, for containerd 1.x and 2.x and CRI-O. Pure.

1. What a dump does not have is at its default, which for security matters is written here with the key's name.
2. containerd 2 splits the CRI plugin: streaming stays under `io.containerd.grpc.v1.cri`; schema 4 moves servers to
   plugins (containerd docs/man/containerd-config.toml.5.md).
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from casemate.model.node import Settings, Toml
from casemate.node import crio, effective
from casemate.node.containerd import CRI_2, IMAGES_3, RUNTIME_3
from casemate.node.document import at, number, text, texts

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
        text(at(config, ("plugins", IMAGES_3, "pinned_images")), "sandbox")
        or text(at(config, ("plugins", CRI_2)), "sandbox_image")
        or text(at(config, ("crio", "image")), "pause_image")
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
        stream_address=text(cri, "stream_server_address"),
        tcp_service_disabled=cri.get("disable_tcp_service", True) is True,
        stream_tls=cri.get("enable_tls_streaming") is True,
        unset_seccomp_profile=text(cri, "unset_seccomp_profile"),
        seccomp_default_on=text(cri, "unset_seccomp_profile") not in ("", "unconfined"),
        apparmor_disabled=cri.get("disable_apparmor") is True,
        selinux=cri.get("enable_selinux") is True,
        restrict_oom_score_adj=cri.get("restrict_oom_score_adj") is True,
        registry_config_path=text(registry, "config_path"),
        insecure_registries=tuple(_insecure(registry)),
        plain_http_registries=tuple(_plain_http(registry)),
        inline_credentials=tuple(_credentials(registry)),
        nri_enabled=bool(nri) and nri.get("disable") is not True,
        nri_socket=text(nri, "socket_path"),
        nri_plugin_path=text(nri, "plugin_path"),
        cdi_dirs=texts(cri, "cdi_spec_dirs"),
        cni_conf_dir=text(cni, "conf_dir"),
        cni_bin_dirs=texts(cni, "bin_dirs") or tuple(filter(None, [text(cni, "bin_dir")])),
        image_verifier_dir=text(at(plugins, (_VERIFIER,)), "bin_dir"),
        sandbox_image=sandbox_image(config),
        snapshotter=text(images, "snapshotter"),
        snapshots_annotated=images.get("disable_snapshot_annotations") is False,
    )


def _servers(config: Toml, plugins: Toml) -> Settings:
    """The daemon as a whole: its root, addresses, log; in schema 4 servers are plugins (rule 2)."""

    def server(name: str) -> Toml:
        return {**at(config, (name,)), **at(plugins, (f"{_SERVER}{name}",))}

    disabled = config.get("disabled_plugins")
    return Settings(
        cri_enabled=not _CRI_IDS & set(map(str, disabled if isinstance(disabled, list) else [])),
        root=text(config, "root"),
        grpc_address=text(server("grpc"), "address"),
        tcp_address=text(server("grpc"), "tcp_address") or text(server("grpc-tcp"), "address"),
        ttrpc_address=text(server("ttrpc"), "address"),
        debug_address=text(server("debug"), "address"),
        metrics_address=text(server("metrics"), "address"),
        socket_uid=number(server("grpc"), "uid"),
        socket_gid=number(server("grpc"), "gid"),
        log_level=text(at(config, ("debug",)), "level"),
    )


def _crio(config: Toml) -> Settings:
    runtime, image = at(config, ("crio", "runtime")), at(config, ("crio", "image"))
    api, network, nri = at(config, ("crio", "api")), at(config, ("crio", "network")), at(config, ("crio", "nri"))
    metrics = at(config, ("crio", "metrics"))
    return Settings(
        default_handler=crio.default_runtime(config),
        root=text(at(config, ("crio",)), "root") or "/var/lib/containers/storage",
        grpc_address=text(api, "listen") or "/var/run/crio/crio.sock",
        stream_address=text(api, "stream_address") or "127.0.0.1",
        stream_tls=api.get("stream_enable_tls") is True,
        unset_seccomp_profile=text(runtime, "seccomp_profile"),
        # Whoever asks for no profile gets none, but with a key that older versions of CRI-O had.
        seccomp_default_on=runtime.get("seccomp_use_default_when_empty") is True
        and text(runtime, "seccomp_profile") != "unconfined",
        registry_config_path="/etc/containers/registries.conf.d:/etc/containers/certs.d",
        apparmor_disabled=text(runtime, "apparmor_profile") == "unconfined",
        selinux=runtime.get("selinux") is True,
        insecure_registries=texts(image, "insecure_registries"),
        log_level=text(runtime, "log_level"),
        nri_enabled=nri.get("enable_nri", True) is True,
        nri_socket=text(nri, "nri_listen") or "/var/run/nri/nri.sock",
        nri_plugin_path=text(nri, "nri_plugin_dir") or "/opt/nri/plugins",
        cdi_dirs=texts(runtime, "cdi_spec_dirs") or ("/etc/cdi", "/var/run/cdi"),
        cni_conf_dir=text(network, "network_dir") or "/etc/cni/net.d",
        cni_bin_dirs=texts(network, "plugin_dirs") or ("/opt/cni/bin",),
        metrics_address=f"{text(metrics, 'metrics_host') or '127.0.0.1'}:{number(metrics, 'metrics_port') or 9090}"
        if metrics.get("enable_metrics") is True
        else "",
        signature_policy=text(image, "signature_policy") or "/etc/containers/policy.json",
        sandbox_image=text(image, "pause_image"),
    )


def _insecure(registry: Toml) -> list[str]:
    configs = at(registry, ("configs",))
    return [name for name in configs if at(configs, (name, "tls")).get("insecure_skip_verify") is True]


def _plain_http(registry: Toml) -> list[str]:
    mirrors = at(registry, ("mirrors",))
    ends = [end for name in mirrors for end in texts(at(mirrors, (name,)), "endpoint")]
    return [each for each in ends if each.startswith("http://")]


def _credentials(registry: Toml) -> list[str]:
    configs = at(registry, ("configs",))
    old = [*at(registry, ("auths",))]
    return [*old, *(name for name in configs if at(configs, (name, "auth")))]
