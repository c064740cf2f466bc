"""`casemate prove publish`: what a prober does on its node."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from casemate.cli.prove import WHOLE, interrupt, node_place
from casemate.cli.root import require_root
from casemate.prove import session


def publish(*, cri: str, sign: Path, node_name: str, kubeconfig: str | None = None, context: str | None = None) -> int:
    """Prove this node's handlers for ever, and publish the signed proofs in its cluster.

    They go into the ConfigMap `casemate-prove/NODE`, whenever a program or a configuration has changed, and four times
    an hour. Pods of `casemate prove cluster --probe` are proven with them. Made for the DaemonSet of deploy/prove.

    Parameters
    ----------
    cri
        The socket of the node's containerd.
    sign
        The private key in PEM to sign with.
    node_name
        This node's name in the cluster.
    kubeconfig
        The cluster's kubeconfig; else the Pod's service account, or as kubectl finds it.
    context
        The kubeconfig's context; else its current one.
    """
    # Imported late: httpx and cryptography take longer than everything else here.
    from casemate.prove import publish as prober
    from casemate.sources.cluster_access import access

    signal.signal(signal.SIGTERM, interrupt)
    require_root("prove publish", WHOLE)
    place = node_place(cri)
    try:
        asyncio.run(prober.publish(prober.Prober(place, node_name, sign, lambda: access(kubeconfig, context), _say)))
    finally:
        asyncio.run(session.sweep(place))
    return 0


def _say(what: str) -> None:
    print(f"casemate: {what}", file=sys.stderr, flush=True)
