"""Agents of the node, as the shipped catalogue recognises them."""

from __future__ import annotations

import pytest
from workloads import workload

from casemate.catalogue import tables
from casemate.decide.assess import Assessor
from casemate.model.boundary import Boundary
from casemate.model.surroundings import Rights, Surroundings

CATALOGUE = tables.load()
ROW = next(row for row in CATALOGUE.profiles if row.id == "node-agent")
EXPORTER, BIT, DATADOG = "quay.io/prometheus/node-exporter:v1", "fluent/fluent-bit:4", "gcr.io/datadoghq/agent:7"


def recognised(*images: str, namespace: dict[str, str] | None = None, **identity: object) -> bool:
    around = Surroundings(namespaces={"monitoring": namespace or {}})
    containers = ", ".join(f"{{name: c{index}, image: '{image}'}}" for index, image in enumerate(images))
    known: dict[str, object] = {"kind": "DaemonSet", "namespace": "monitoring", **identity}
    found = Assessor(CATALOGUE, around).assess(workload(f"containers: [{containers}]", **known))  # type: ignore[arg-type]
    return "node-agent" in {reason.id for reason in found.need.reasons}


@pytest.mark.parametrize(
    "images", [(EXPORTER,), (BIT,), (DATADOG, DATADOG), (EXPORTER, "quay.io/prometheus/x@sha256:" + "0" * 64)]
)
def test_a_daemon_set_of_publishers_images_only_is_one(images):
    assert recognised(*images)


@pytest.mark.parametrize(
    "images",
    [
        ("somebody/node-exporter:v1",),
        ("docker.io/somebody/quay.io/prometheus/node-exporter",),
        ("quay.io.evil.example/prometheus/node-exporter",),
        ("quay.io/prometheus-mask/node-exporter",),
        (EXPORTER, "busybox"),
        (EXPORTER, "quay.io/prometheus/NODE EXPORTER"),
    ],
)
def test_a_mask_is_not_worn_by_name_nor_by_one_image_of_several(images):
    assert not recognised(*images)


def test_other_kinds_are_no_agents_of_the_node_whoever_publishes_them():
    assert not recognised(EXPORTER, kind="Deployment")


def test_who_may_do_everything_is_more_than_an_agent_of_the_node():
    around = Surroundings(rights={"monitoring/default": Rights(cluster_admin=True)})
    text = f"containers: [{{name: a, image: '{EXPORTER}'}}]"
    found = Assessor(CATALOGUE, around).assess(workload(text, kind="DaemonSet", namespace="monitoring"))
    assert found.need.boundary >= Boundary.HARDENED


def test_a_tenant_has_no_agents_of_the_node():
    assert not recognised(EXPORTER, namespace={"capsule.clastix.io/tenant": "t"})


@pytest.mark.parametrize(("labels", "agent"), [({}, True), ({"casemate.dev/tenancy": "shared"}, False)])
def test_a_tenants_namespace_is_none_of_the_platforms_whatever_it_is_called(labels, agent):
    text = "containers: [{name: a, image: a, securityContext: {privileged: true}}]"
    around = Surroundings(namespaces={"team-csi": labels})
    found = Assessor(CATALOGUE, around).assess(workload(text, kind="DaemonSet", namespace="team-csi"))
    assert (found.need.boundary is Boundary.SHARED) is agent


@pytest.mark.parametrize(
    ("labels", "least"),
    [
        ({"casemate.dev/trust": "untrusted"}, Boundary.SANDBOX),
        ({"casemate.dev/data": "confidential"}, Boundary.CONFIDENTIAL),
    ],
)
def test_what_forces_a_minimum_forces_it_there_too(labels, least):
    text = f"containers: [{{name: a, image: '{EXPORTER}'}}]"
    found = Assessor(CATALOGUE, Surroundings()).assess(workload(text, kind="DaemonSet", labels=labels))
    assert found.need.boundary >= least


def test_publishers_are_whole_places_that_nobody_else_can_push_to():
    from casemate.catalogue.conditions import asked

    places = [argument for each in asked(ROW.when) if each.predicate == "all-images" for argument in each.arguments]
    assert len(places) > 20
    for place in places:
        registry, _, repository = place.partition("/")
        assert "*" not in registry
        assert "." in registry
        assert place == "registry.datadoghq.com/*" or not repository.startswith("*"), place
        assert "*" not in repository.removesuffix("*"), place
