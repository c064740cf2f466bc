"""How Pods reach what lies beyond this machine: one nftables table of ours on the host, masquerading the Pod network.

1. What a Pod sends outside the engine's block leaves with the host's address; within the block nothing is rewritten.
2. It is one rule for all Pods, made with the engine and removed with it. CNI's own `ipMasq` makes a chain per Pod, and
   leaves it behind under gVisor, which takes the address off the link that CNI looks at when it tidies up.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress

from casemate.engine.network.command import run
from casemate.engine.network.plan import NetworkPlan
from casemate.errors import RuntimeFault

_CHAIN = "postrouting"
_MULTICAST = "224.0.0.0/4"


def table_of(engine: str) -> str:
    """The table's name."""
    return f"casemate-{engine}"


def create(plan: NetworkPlan, engine: str) -> None:
    """Make the table anew, in one transaction. Raises `RuntimeFault` with what the kernel refused."""
    table = {"family": "ip", "name": table_of(engine)}
    commands = [
        {"add": {"table": table}},
        {"delete": {"table": table}},
        {"add": {"table": table}},
        {"add": {"chain": _in(engine) | {"name": _CHAIN, "type": "nat", "hook": "postrouting", "prio": 100}}},
        {"add": {"rule": _in(engine) | {"chain": _CHAIN, "expr": _masquerade(plan)}}},
    ]
    run("nft", "-j", "-f", "-", stdin=json.dumps({"nftables": commands}))


def delete(engine: str) -> None:
    """Remove the table. Does nothing when there is none."""
    with suppress(RuntimeFault):
        run("nft", "delete", "table", "ip", table_of(engine))


def _in(engine: str) -> dict[str, object]:
    return {"family": "ip", "table": table_of(engine)}


def _masquerade(plan: NetworkPlan) -> list[Mapping[str, object]]:
    inside = [_prefix(str(plan.cluster_network)), _prefix(_MULTICAST)]
    return [
        {"match": {"op": "==", "left": _address("saddr"), "right": _prefix(str(plan.pod_network))}},
        {"match": {"op": "!=", "left": _address("daddr"), "right": {"set": inside}}},
        {"masquerade": None},
    ]


def _address(field: str) -> Mapping[str, object]:
    return {"payload": {"protocol": "ip", "field": field}}


def _prefix(network: str) -> Mapping[str, object]:
    address, _, length = network.partition("/")
    return {"prefix": {"addr": address, "len": int(length)}}
