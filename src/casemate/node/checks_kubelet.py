"""The kubelet's own configuration (CIS Kubernetes benchmark, section 4.2)."""

from __future__ import annotations

import re
from collections.abc import Callable

from casemate.model.boundary import Boundary
from casemate.model.node import NodeFacts, Toml
from casemate.node.document import at
from casemate.node.judge import Judged, holds, none_of, not_applicable, seen

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def kubelet_no_anonymous(facts: NodeFacts) -> Judged:
    """Requests without credentials."""
    return _is(facts, lambda c: at(c, ("authentication", "anonymous")).get("enabled"), False, "anonymous.enabled")


def kubelet_authorizes(facts: NodeFacts) -> Judged:
    """What callers may do."""
    return _is(facts, lambda c: at(c, ("authorization",)).get("mode"), "Webhook", "authorization.mode")


def kubelet_client_ca(facts: NodeFacts) -> Judged:
    """Callers' certificates."""
    return seen(
        facts.kubelet,
        lambda c: holds(bool(at(c, ("authentication", "x509")).get("clientCAFile")), "clientCAFile is not set"),
    )


def kubelet_no_read_only_port(facts: NodeFacts) -> Judged:
    """A port without any authentication."""
    return _is(facts, lambda c: c.get("readOnlyPort"), 0, "readOnlyPort")


def kubelet_streams_end(facts: NodeFacts) -> Judged:
    """Idle streams."""
    return seen(
        facts.kubelet,
        lambda c: holds(_seconds(c.get("streamingConnectionIdleTimeout")) > 0, "streams never time out"),
    )


def kubelet_iptables(facts: NodeFacts) -> Judged:
    """The kubelet's own chains."""
    return _is(facts, lambda c: c.get("makeIPTablesUtilChains"), True, "makeIPTablesUtilChains")


def kubelet_hostname(facts: NodeFacts) -> Judged:
    """The node's name is what its certificate says."""
    return seen(
        facts.kubelet,
        lambda c: holds(not c.get("hostnameOverride"), f"--hostname-override={c.get('hostnameOverride')}"),
    )


def kubelet_events(facts: NodeFacts) -> Judged:
    """Events per second; 0 is without limit, which the benchmark allows, and negative is wrong."""
    return seen(facts.kubelet, lambda c: holds(_number(c.get("eventRecordQPS")) >= 0, "eventRecordQPS is negative"))


def kubelet_rotates(facts: NodeFacts) -> Judged:
    """Certificates that end."""
    return seen(
        facts.kubelet,
        lambda c: holds(
            c.get("rotateCertificates") is True or bool(c.get("tlsCertFile")), "rotateCertificates is false"
        ),
    )


def kubelet_kernel_defaults(facts: NodeFacts) -> Judged:
    """Kernel settings that the kubelet would change."""
    return _is(facts, lambda c: c.get("protectKernelDefaults"), True, "protectKernelDefaults")


def kubelet_pids(facts: NodeFacts) -> Judged:
    """Processes of one Pod."""
    return seen(facts.kubelet, lambda c: holds(_number(c.get("podPidsLimit")) > 0, "podPidsLimit is not set"))


def kubelet_sysctls(facts: NodeFacts) -> Judged:
    """Sysctls that are not separated by namespaces."""

    def judge(config: Toml) -> Judged:
        allowed = config.get("allowedUnsafeSysctls")
        return none_of(f"{each} is allowed" for each in (allowed if isinstance(allowed, list) else []))

    return seen(facts.kubelet, judge)


def kubelet_patience(facts: NodeFacts) -> Judged:
    """Time for images that are pulled inside the guest."""
    if not any(each.boundary >= Boundary.VM for each in facts.handlers):
        return not_applicable("no handler is a VM")
    return seen(
        facts.kubelet,
        lambda c: holds(
            _seconds(c.get("runtimeRequestTimeout")) >= 600,
            f"runtimeRequestTimeout is {c.get('runtimeRequestTimeout')}",
        ),
    )


def _seconds(text: object) -> float:
    """A Go duration such as `1h30m`; 0 for what is none."""
    if not isinstance(text, str):
        return float(text) if isinstance(text, int) else 0.0
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", text))


def _is(facts: NodeFacts, read: Callable[[Toml], object], wanted: object, name: str) -> Judged:
    return seen(facts.kubelet, lambda config: holds(read(config) == wanted, f"{name} is {read(config)}"))


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
