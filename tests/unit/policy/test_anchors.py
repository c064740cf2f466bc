from __future__ import annotations

import pytest
from asked import NOW, made, policy

from casemate.policy import anchors

CHOOSING = made(
    policy("{match: {namespaces: {labels: {tenancy: shared}}}, permitted: [{labels: {tier: strong}}]}"),
)
GUARD = ("system:masters",)
TENANT = ("devs", "system:authenticated")


@pytest.mark.parametrize(
    ("old", "new", "denied"),
    [
        ({"tenancy": "shared"}, {"tenancy": "shared", "other": "x"}, False),
        ({"tenancy": "shared"}, {"tenancy": "mine"}, True),
        ({"tenancy": "shared"}, {}, True),
        ({}, {"tenancy": "shared"}, True),
        (None, {"tenancy": "mine"}, True),
        (None, {"other": "x"}, False),
        ({"tenancy": "shared"}, None, False),
    ],
)
def test_labels_that_policies_choose_by_are_moved_by_guardians_only(old, new, denied):
    verdict = anchors.namespace(CHOOSING, old, new, "team", TENANT)
    assert (verdict.decision == "deny") is denied
    assert anchors.namespace(CHOOSING, old, new, "team", GUARD).decision == "allow"


def test_labels_of_need_are_anchors_where_a_policy_asks_for_need():
    labels = {"casemate.dev/need": "shared"}
    assert anchors.namespace(CHOOSING, {}, labels, "team", TENANT).decision == "allow"
    assert anchors.namespace(made(policy("{minimum: need}")), {}, labels, "team", TENANT).decision == "deny"


def gvisor(**changes: object) -> dict[str, object]:
    metadata = {"name": "gvisor", "labels": {"tier": "strong", "team": "x"}, "annotations": {}}
    return {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": metadata, "handler": "runsc", **changes}


@pytest.mark.parametrize(
    ("old", "new", "denied"),
    [
        (None, gvisor(), True),
        (gvisor(), None, True),
        (gvisor(), gvisor(handler="runc"), True),
        (gvisor(), gvisor(scheduling={"nodeSelector": {"a": "b"}}), True),
        (gvisor(), gvisor(overhead={"podFixed": {"cpu": "0"}}), True),
        (gvisor(), gvisor(metadata={"name": "gvisor", "labels": {"team": "x"}}), True),
        (gvisor(), gvisor(metadata={"name": "gvisor", "labels": {"tier": "strong"}}), False),
        (gvisor(), gvisor(), False),
    ],
)
def test_what_a_class_is_is_for_guardians_to_say(old, new, denied):
    assert (anchors.runtime_class(CHOOSING, old, new, TENANT).decision == "deny") is denied
    assert anchors.runtime_class(CHOOSING, old, new, GUARD).decision == "allow"


def own(kind: str, spec: dict[str, object]) -> dict[str, object]:
    return {"apiVersion": "casemate.dev/v1alpha1", "kind": kind, "metadata": {"name": "x"}, "spec": spec}


ACCEPTING = {"reason": "r", "owner": "o", "policies": ["p"], "rules": ["hardening"], "scope": {"kinds": ["Pod"]}}


@pytest.mark.parametrize(
    ("new", "denied"),
    [
        (own("IsolationPolicy", {"permitted": ["gvisor"]}), False),
        (own("IsolationPolicy", {"permited": ["gvisor"]}), True),
        (own("IsolationPolicy", {"match": {"images": ["ghcr.io/UPPER/x"]}}), True),
        (own("IsolationException", {**ACCEPTING, "expires": "2026-12-01"}), False),
        (own("IsolationException", {**ACCEPTING, "expires": "2028-12-01"}), True),
        (own("IsolationException", {**ACCEPTING, "expires": "soon"}), True),
        (None, False),
    ],
)
def test_documents_of_ours_must_be_readable_and_exceptions_must_end(new, denied):
    verdict = anchors.own_object(CHOOSING, None, new, TENANT, NOW)
    assert (verdict.decision == "deny") is denied
