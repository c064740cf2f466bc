"""The CNI configuration of an engine: point-to-point links and host-local addresses.

There is no bridge. Every Pod is routed by the host, so that traffic between two Pods is seen by conntrack and needs no
bridge-nf-call-iptables. Neither host ports nor what leaves the machine is left to CNI: see `hostports` and `egress`.
"""

from __future__ import annotations

import json
from ipaddress import IPv4Network
from pathlib import Path

from casemate.engine.network.plan import NetworkPlan
from casemate.engine.paths import EnginePaths


def network_name(engine: str) -> str:
    """The CNI network of an engine."""
    return f"casemate-{engine}"


def address_directory(paths: EnginePaths) -> Path:
    """Where host-local notes who has which address. A reboot clears it, as it clears the Pods' namespaces."""
    return paths.state / "ipam"


def render(plan: NetworkPlan, paths: EnginePaths, mtu: int = 0) -> str:
    """The conflist for containerd's `conf_dir`. `mtu` is of the Pods' links in bytes; 0 is the kernel's default."""
    plugin: dict[str, object] = {
        "type": "ptp",
        "ipam": {
            "type": "host-local",
            "dataDir": str(address_directory(paths)),
            "ranges": [[_range(plan.cluster_network, plan.pod_network)]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    if mtu:
        plugin["mtu"] = mtu
    return json.dumps({"cniVersion": "1.0.0", "name": network_name(paths.name), "plugins": [plugin]}, indent=2) + "\n"


def _range(whole: IPv4Network, pods: IPv4Network) -> dict[str, str]:
    return {
        "subnet": str(whole),
        "gateway": str(pods[1]),
        "rangeStart": str(pods[2]),
        "rangeEnd": str(pods[-2]),
    }
