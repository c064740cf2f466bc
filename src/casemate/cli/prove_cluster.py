"""`casemate prove cluster`: each RuntimeClass on each node that it reaches."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from casemate.cli.options import Output
from casemate.cli.prove import exit_code
from casemate.report.proof import print_proofs, proofs_json


def cluster(
    *,
    key: Path,
    class_: Annotated[list[str], Parameter(name="--class", negative=())] = [],  # noqa: B006 - cyclopts copies it
    node_name: Annotated[list[str], Parameter(negative=())] = [],  # noqa: B006
    probe: Annotated[bool, Parameter(negative=())] = False,
    kubeconfig: str | None = None,
    context: str | None = None,
    explain: Annotated[bool, Parameter(negative=())] = False,
    output: Output = "table",
) -> int:
    """Show what the nodes' probers have proven of each RuntimeClass, on each node that its Pods can land on.

    Reads what `casemate prove publish` wrote on the nodes (docs/how-to/prove-a-cluster.md); it needs no root. Ends with
    1 unless every class is proven on every node that it reaches: where nobody has proven, nothing is assumed.

    Parameters
    ----------
    key
        The public key in PEM that must have signed what the nodes published.
    class_
        Only this RuntimeClass; repeatable.
    node_name
        Only this node; repeatable.
    probe
        Make a Pod of each class on each node as well, and prove its way through API server, scheduler and kubelet.
    kubeconfig
        The cluster's kubeconfig; else as kubectl finds it.
    context
        The kubeconfig's context; else its current one.
    explain
        Show every observation.
    """
    # Imported late: httpx and cryptography take longer than everything else here.
    from casemate.prove import across
    from casemate.sources.cluster_access import access

    wanted = across.Wanted(tuple(class_), tuple(node_name), probe)
    proofs = across.prove(access(kubeconfig, context), key, wanted)
    if not proofs:
        print("casemate: the cluster has no RuntimeClass: there is nothing to prove", file=sys.stderr)
    print(proofs_json(proofs)) if output == "json" else print_proofs(proofs, explain=explain, afar=True)
    return exit_code(proofs)
