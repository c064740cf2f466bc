"""Leaves nothing of an engine's network on the host, whatever was killed before it could tidy up.

Containerd removes a Pod's link and address when it stops the sandbox. What is left here are those of Pods that nobody
could stop: they are known by the addresses that lie in the engine's block.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import suppress

from casemate.engine.network import egress, router
from casemate.engine.network.cni import address_directory
from casemate.engine.network.command import run
from casemate.engine.network.plan import NetworkPlan
from casemate.engine.paths import EnginePaths
from casemate.errors import RuntimeFault


def remove(paths: EnginePaths, plan: NetworkPlan) -> None:
    """Remove the router, and links, rules and addresses of Pods that were not stopped. No Pod may run any more."""
    router.delete(router.Link.of(paths.name))
    for link in _pod_links(plan):
        with suppress(RuntimeFault):  # it goes with its namespace, maybe just now
            run("ip", "link", "delete", link)
    egress.delete(paths.name)
    shutil.rmtree(address_directory(paths), ignore_errors=True)


def _pod_links(plan: NetworkPlan) -> Iterator[str]:
    for route in json.loads(run("ip", "-j", "-4", "route", "show", "root", str(plan.pod_network))):
        if str(route.get("dev", "")).startswith("veth"):
            yield str(route["dev"])
