"""Workloads and catalogues for the tests of decide, written as short as a test wants to read them."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec
import yaml

from casemate.catalogue import tables
from casemate.catalogue.tables import TABLES, Catalogue
from casemate.decide.facts import Places
from casemate.decide.gather import gather
from casemate.model.boundary import Boundary
from casemate.model.kube.meta import ObjectMeta
from casemate.model.kube.objects import RuntimeClass
from casemate.model.kube.pod import PodSpec
from casemate.model.surroundings import Node, Surroundings
from casemate.model.workload import Source, Workload

NOTHING = Surroundings()

HARDENED = """
hostUsers: false
securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
containers:
- name: app
  image: registry.example/app@sha256:%s
  securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
""" % ("0" * 64)

PLAIN = "containers: [{name: app, image: registry.example/app:1}]"


def spec(text: str) -> PodSpec:
    return msgspec.convert(yaml.safe_load(text), PodSpec)


def workload(
    text: str = PLAIN,
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    object_labels: Mapping[str, str] | None = None,
    **identity: object,
) -> Workload:
    known: dict[str, object] = {
        "api_version": "apps/v1",
        "kind": "Deployment",
        "namespace": "shop",
        "name": "app",
        "path": "spec.template.spec",
        "source": Source(file="app.yaml", line=1),
        **identity,
    }
    return Workload(
        metadata=ObjectMeta(labels=dict(labels or {}), annotations=dict(annotations or {})),
        spec=spec(text),
        object_labels=dict(object_labels or {}),
        **known,  # type: ignore[arg-type]
    )


def facts(text: str = PLAIN, surroundings: Surroundings = NOTHING, **identity: object) -> dict[str, Places]:
    """All facts of a workload: marks with their places, values as `name text`."""
    found = gather(workload(text, **identity), surroundings)  # type: ignore[arg-type]
    return found.marks | {f"{name} {text}": (place,) for name, each in found.values.items() for text, place in each}


def runtime_class(name: str, handler: str, more: str = "{}") -> RuntimeClass:
    return msgspec.convert({"metadata": {"name": name}, "handler": handler, **yaml.safe_load(more)}, RuntimeClass)


def node(name: str = "n1", **known: object) -> Node:
    return Node(name=name, **known)  # type: ignore[arg-type]


class _Plain(yaml.SafeLoader):
    """Reads `yes` and `no` as words, as the catalogue does."""


_Plain.yaml_implicit_resolvers = {
    first: [each for each in resolvers if each[0] not in ("tag:yaml.org,2002:bool", "tag:yaml.org,2002:timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def catalogue(text: str = "{}") -> Catalogue:
    """The shipped runtimes, and of the other tables just these rows; `source`, `date`, `certainty` may be left out."""
    given = yaml.load(text, _Plain)
    certain = {"source": "test", "date": "2026-11-21", "certainty": "measured"}
    rows = {table: [{"title": row["id"], **certain, **row} for row in given[table]] for table in given}
    ids = {row["id"] for table in rows.values() for row in table}
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(json.dumps(rows))
        file.flush()
        loaded = tables.load((Path(file.name),))
    kept = {
        table: tuple(row for row in loaded.tables()[table] if row.id in ids) for table in TABLES if table != "runtimes"
    }
    return Catalogue(runtimes=loaded.runtimes, **kept)  # type: ignore[arg-type]


BOUNDARIES = tuple(each for each in Boundary if each is not Boundary.UNKNOWN)
