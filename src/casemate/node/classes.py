"""The RuntimeClasses of a cluster or of files, as far as they concern this node.

1. A class whose node selector this node does not match sends no Pod here: it needs no handler here. Of files, whose
   cluster has labels that are not known, any selector counts as keeping its Pods away.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from casemate.errors import IncompleteError, InputError
from casemate.model.kube.objects import RuntimeClass
from casemate.model.node import ClassFact, Look, Seen, Unseen
from casemate.sources import objects
from casemate.sources.surroundings import Neighbours

_SECONDS = 30.0


def of_files(files: Iterable[Path]) -> Look[tuple[ClassFact, ...]]:
    """The classes that stand in these files, in lists too. Raises `InputError` for what has none or cannot be read."""
    neighbours = Neighbours()
    named = [str(file) for file in files]
    for each in objects.load(named, sys.stdin.buffer):
        neighbours.take(each.value)
    classes = neighbours.around((), complete=False).runtime_classes
    if not classes:
        fix = "write them with: kubectl get runtimeclasses -o yaml"
        raise InputError("no RuntimeClass in it", where=", ".join(named), fix=fix)
    return Seen(of_classes(classes, None))


def of_cluster(kubeconfig: str | None, context: str | None, node: str) -> Look[tuple[ClassFact, ...]]:
    """The classes of a cluster."""
    from casemate.sources.cluster_access import access  # needs more than files do
    from casemate.sources.cluster_client import Client, UnreadError

    neighbours = Neighbours()
    try:
        with Client(access(kubeconfig, context), _SECONDS) as client:
            client.check()
            for path, kind, version in (
                ("/apis/node.k8s.io/v1/runtimeclasses", "RuntimeClass", "node.k8s.io/v1"),
                ("/api/v1/nodes", "Node", "v1"),
            ):
                for page in client.pages(path, f"metadata.name={node}" if kind == "Node" else ""):
                    for raw in page:
                        neighbours.take({"kind": kind, "apiVersion": version} | _object(raw))
    except UnreadError as error:
        return Unseen(f"the cluster did not tell: {error.reason}")
    except IncompleteError as error:
        return Unseen(error.what)
    around = neighbours.around((), complete=True)
    labels = next((each.labels for each in around.nodes if each.name == node), None)
    return Seen(of_classes(around.runtime_classes, labels))


def of_classes(found: Iterable[RuntimeClass], labels: Mapping[str, str] | None) -> tuple[ClassFact, ...]:
    """These classes as facts of a node with these labels; None: they are not known."""
    return tuple(
        ClassFact(
            name=(each.metadata.name or "") if each.metadata else "",
            handler=each.handler,
            selects=_selects(each, labels),
        )
        for each in found
    )


def _selects(found: RuntimeClass, labels: Mapping[str, str] | None) -> bool:
    selector = found.scheduling.nodeSelector if found.scheduling else {}
    return any(labels is None or labels.get(key) != value for key, value in selector.items())


def _object(raw: msgspec.Raw) -> dict[str, object]:
    return msgspec.json.decode(raw, type=dict[str, object])
