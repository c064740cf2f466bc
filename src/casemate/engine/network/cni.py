"""The CNI configuration of an engine: point-to-point links, host-local addresses, masquerade for what leaves.

There is no bridge. Every Pod is routed by the host, so that traffic between two Pods is seen by conntrack and needs no
bridge-nf-call-iptables. hostPort is not left to CNI's portmap: see `casemate.engine.network.hostports`.
"""

from __future__ import annotations

import json
from ipaddress import IPv4Network
from pathlib import Path

from casemate.engine.network.plan import NetworkPlan
from casemate.engine.paths import EnginePaths


def network_name(engine: str) -> str:
    """The CNI network of an engine; part of the comments on its masquerade rules."""
    return f"casemate-{engine}"


def address_directory(paths: EnginePaths) -> Path:
    """Where host-local notes who has which address. A reboot clears it, as it clears the Pods' namespaces."""
    return paths.state / "ipam"


def render(plan: NetworkPlan, paths: EnginePaths, mtu: int = 0) -> str:
    """The conflist for containerd's `conf_dir`. `mtu` is of the Pods' links in bytes; 0 is the kernel's default."""
    plugin = {
        "type": "ptp",
        "ipMasq": True,
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
    # The subnet is the whole block, for it is what ptp's masquerade spares; only Pods' part is handed out.
    return {
        "subnet": str(whole),
        "gateway": str(pods[1]),
        "rangeStart": str(pods[2]),
        "rangeEnd": str(pods[-2]),
    }
