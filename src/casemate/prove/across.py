"""Reads a cluster's classes, nodes and published proofs, and says what they show together."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

import msgspec

from casemate.catalogue import runtimes
from casemate.errors import InputError
from casemate.model.boundary import Boundary
from casemate.model.proof import Proof, shown_by_node
from casemate.prove import matrix, probe_pods, published, statement
from casemate.prove.cluster_api import Cluster
from casemate.prove.matrix import Cell, ClassObject, NodeObject, Probed
from casemate.prove.published import NOTHING, ConfigMap, Published
from casemate.prove.statement import PublicKey
from casemate.sources.cluster_access import Access

_CLASSES: Final = "/apis/node.k8s.io/v1/runtimeclasses"
_NODES: Final = "/api/v1/nodes"


class _Meta(msgspec.Struct, frozen=True):
    name: str = ""
    labels: dict[str, str] | None = None


class _Scheduling(msgspec.Struct, frozen=True, rename="camel"):
    node_selector: dict[str, str] | None = None


class _Class(msgspec.Struct, frozen=True):
    metadata: _Meta
    handler: str
    scheduling: _Scheduling | None = None


class _Info(msgspec.Struct, frozen=True):
    boot: str = msgspec.field(default="", name="bootID")


class _Status(msgspec.Struct, frozen=True):
    info: _Info = msgspec.field(default_factory=_Info, name="nodeInfo")


class _Node(msgspec.Struct, frozen=True):
    metadata: _Meta
    status: _Status = msgspec.field(default_factory=_Status)


@dataclass(frozen=True)
class Wanted:
    """Which classes and which nodes, by name; all of them when none is named. `probe` makes Pods of each there."""

    classes: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()
    probe: bool = False


def prove(access: Access, key: Path, wanted: Wanted) -> tuple[Proof, ...]:
    """What is shown of each class on each node that it reaches, by statements that `key` signed, a public key in PEM.

    Raises `InputError` for a name that is not there.
    """
    public, catalogue = statement.public_key(key), runtimes.load()
    with Cluster(access) as cluster:
        cluster.check()
        classes = _chosen(_classes(cluster), wanted.classes, "--class")
        nodes = _chosen(_nodes(cluster), wanted.nodes, "--node-name")
        told = _published(cluster, nodes, public)
        probed: Mapping[Cell, Probed] = {}
        if wanted.probe:
            boots = {each.name: each.boot for each in nodes}
            reached = [pair for pair in matrix.cells(classes, nodes) if _has(told.get(pair[1].name), pair[0].handler)]
            look = lambda node: _of_node(cluster, node, boots[node], public)  # noqa: E731 - what the Pods' loop asks
            probed = probe_pods.probe(cluster, reached, catalogue, look)
            told = _published(cluster, nodes, public)
    return matrix.proofs(classes, nodes, told, catalogue, probed)


def shown(access: Access, key: Path) -> dict[str, dict[str, Boundary]]:
    """Node → handler → the boundary that the cluster's published proofs show now."""
    public = statement.public_key(key)
    with Cluster(access) as cluster:
        cluster.check()
        told = _published(cluster, _nodes(cluster), public)
    proofs = [proof for each in told.values() for proof in each.proofs]
    return shown_by_node(proofs, max((time.time(), *(each.time for each in proofs))))


def _classes(cluster: Cluster) -> tuple[ClassObject, ...]:
    return tuple(
        ClassObject(each.metadata.name, each.handler, (each.scheduling and each.scheduling.node_selector) or {})
        for each in cluster.list(_CLASSES, _Class)
    )


def _nodes(cluster: Cluster) -> tuple[NodeObject, ...]:
    return tuple(
        NodeObject(each.metadata.name, each.metadata.labels or {}, each.status.info.boot)
        for each in cluster.list(_NODES, _Node)
    )


def _published(cluster: Cluster, nodes: tuple[NodeObject, ...], key: PublicKey) -> dict[str, Published]:
    boots, now = {each.name: each.boot for each in nodes}, time.time()
    found = cluster.list(published.PATH, ConfigMap)
    return {
        each.metadata.name: published.read(each, boots[each.metadata.name], key, now)
        for each in found
        if each.metadata.name in boots
    }


def _of_node(cluster: Cluster, node: str, boot: str, key: PublicKey) -> Published:
    found = cluster.get(f"{published.PATH}/{quote(node)}", ConfigMap)
    return published.read(found, boot, key, time.time()) if found else NOTHING


def _has(told: Published | None, handler: str) -> bool:
    return told is not None and any(each.subject == f"handler/{handler}" for each in told.proofs)


_Named = TypeVar("_Named", ClassObject, NodeObject)


def _chosen(found: tuple[_Named, ...], names: tuple[str, ...], option: str) -> tuple[_Named, ...]:
    there = {each.name: each for each in found}
    if missing := [name for name in names if name not in there]:
        known = f"it has {', '.join(sorted(there)[:20])}" if there else "it has none"
        raise InputError(f"the cluster has no {missing[0]!r}", where=option, fix=known)
    return tuple(there[name] for name in dict.fromkeys(names)) if names else found
