"""The kubelet of this node: its configuration with what its defaults fill in, and its version.

1. `--config` names a file, `--config-dir` a folder of drop-ins that are merged over it by name; flags win over both.
2. Defaults differ: with a configuration file they are the API's (no anonymous access, no read-only port), without one
   the old flags' (anonymous access, AlwaysAllow, port 10255): pkg/kubelet/apis/config/v1beta1/defaults.go, cmd/kubelet.
3. Of a flag that is given several times the last one counts; a switch without a value is on.
4. k3s, rke2 and k0s have the kubelet inside another program: its settings are arguments there, and are not read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from casemate.model.node import Look, Seen, Toml, Unseen
from casemate.node import process
from casemate.node.document import merged
from casemate.node.files import text
from casemate.node.process import option

_EMBEDDED: Final = ("k3s", "rke2", "k0s", "kubelite")
_FILE: Final = "/var/lib/kubelet/config.yaml"
_BY_API: Final[Toml] = {
    "authentication": {"anonymous": {"enabled": False}, "webhook": {"enabled": True}},
    "authorization": {"mode": "Webhook"},
    "readOnlyPort": 0,
    "cgroupDriver": "cgroupfs",
}
_BY_FLAGS: Final[Toml] = {
    "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
    "authorization": {"mode": "AlwaysAllow"},
    "readOnlyPort": 10255,
    "cgroupDriver": "cgroupfs",
}
_COMMON: Final[Toml] = {
    "streamingConnectionIdleTimeout": "4h0m0s",
    "makeIPTablesUtilChains": True,
    "protectKernelDefaults": False,
    "rotateCertificates": False,
    "seccompDefault": False,
    "podPidsLimit": -1,
    "eventRecordQPS": 50,
    "runtimeRequestTimeout": "2m0s",
    "enableDebuggingHandlers": True,
    "allowedUnsafeSysctls": [],
}
_FLAGS: Final = {
    "anonymous-auth": ("authentication", "anonymous", "enabled"),
    "authorization-mode": ("authorization", "mode"),
    "client-ca-file": ("authentication", "x509", "clientCAFile"),
    "read-only-port": ("readOnlyPort",),
    "streaming-connection-idle-timeout": ("streamingConnectionIdleTimeout",),
    "protect-kernel-defaults": ("protectKernelDefaults",),
    "make-iptables-util-chains": ("makeIPTablesUtilChains",),
    "rotate-certificates": ("rotateCertificates",),
    "seccomp-default": ("seccompDefault",),
    "pod-max-pids": ("podPidsLimit",),
    "event-qps": ("eventRecordQPS",),
    "cgroup-driver": ("cgroupDriver",),
    "runtime-request-timeout": ("runtimeRequestTimeout",),
    "tls-cert-file": ("tlsCertFile",),
    "tls-private-key-file": ("tlsPrivateKeyFile",),
    "hostname-override": ("hostnameOverride",),
}
_SWITCHES: Final = frozenset(
    {
        "anonymous-auth",
        "make-iptables-util-chains",
        "protect-kernel-defaults",
        "rotate-certificates",
        "seccomp-default",
    }
)


@dataclass(frozen=True)
class Kubelet:
    """What was found. `files` are those that concern it; `arguments` its command line."""

    config: Look[Toml]
    version: str = ""
    files: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    config_file: str = ""


def look() -> Kubelet:
    """The kubelet that runs here, or the one whose configuration lies at kubeadm's place."""
    for comm, arguments, program in _processes():
        if comm == "kubelet":
            return _running(arguments, program)
        if comm.startswith(_EMBEDDED):
            return Kubelet(Unseen(f"the kubelet is inside {comm}, whose arguments are not read"))
    if Path(_FILE).is_file():
        return Kubelet(of_texts([text(_FILE)], ()), files=(_FILE,), config_file=_FILE)
    return Kubelet(Unseen("no kubelet runs here"))


def of_texts(texts: Sequence[str], arguments: Sequence[str]) -> Look[Toml]:
    """The configuration of files, in order, and arguments, with defaults (rules 1 and 2)."""
    result = merged(_COMMON, _BY_API if texts else _BY_FLAGS)
    for each in texts:
        try:
            found = yaml.safe_load(each)
        except yaml.YAMLError as error:
            return Unseen(f"the kubelet's configuration is no YAML: {error}")
        result = merged(result, _without_nulls(found) if isinstance(found, dict) else {})
    return Seen(merged(result, _of_flags(arguments)))


def _running(arguments: tuple[str, ...], program: str) -> Kubelet:
    config, folder = option(arguments, "config"), option(arguments, "config-dir")
    named = [each for flag in ("kubeconfig", "bootstrap-kubeconfig") if (each := option(arguments, flag))]
    parts = [config] * bool(config) + [str(each) for each in sorted(Path(folder).glob("*.conf")) if folder]
    found = of_texts([text(each) for each in parts], arguments)
    return Kubelet(found, process.version(program), (*parts, *named), arguments, config)


def _processes() -> list[tuple[str, tuple[str, ...], str]]:
    """Name, arguments and program of every process."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            words = process.arguments(int(folder.name))
            if words:
                found.append((text(folder / "comm").strip(), words, str(folder / "exe")))
    return found


def _of_flags(arguments: Sequence[str]) -> Toml:
    result: Toml = {}
    for flag, path in _FLAGS.items():
        value = option(arguments, flag, bare="true" if flag in _SWITCHES else "")
        if value:
            nested: object = yaml.safe_load(value)
            for step in reversed(path):
                nested = {step: nested}
            assert isinstance(nested, dict)
            result = merged(result, nested)
    return result


def _without_nulls(value: Mapping[str, object]) -> Toml:
    pairs = ((key, _without_nulls(each) if isinstance(each, dict) else each) for key, each in value.items())
    return {key: each for key, each in pairs if each is not None}
