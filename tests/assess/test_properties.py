"""Laws of the assessment, tried on workloads made at random.

1. Adding a hardening never lowers what a workload has, never raises what it needs, and so never opens a gap.
2. Adding a risk never lowers what it needs.
3. A class that the catalogue does not know is never taken for strong.
4. Whatever a manifest says, it is assessed or refused with a reason.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator

import msgspec
import pytest
from generated import Json, arbitrary, collected, plausible, pod_spec
from hypothesis import HealthCheck, example, given, settings

from casemate.catalogue import tables
from casemate.decide.assess import Assessor
from casemate.errors import CasemateError
from casemate.model.assessment import Assessed
from casemate.model.boundary import Boundary

OFTEN = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
CATALOGUE = tables.load()


def _containers(written: Json) -> Iterator[Json]:
    spec = pod_spec(written)
    for each in (*spec["containers"], *spec.get("initContainers", ())):
        yield each.setdefault("securityContext", {})


def _seccomp(written: Json) -> None:
    pod_spec(written).setdefault("securityContext", {})["seccompProfile"] = {"type": "RuntimeDefault"}
    for security in _containers(written):
        security.pop("seccompProfile", None)


def _every_container(**fields: object) -> Callable[[Json], None]:
    def change(written: Json) -> None:
        for security in _containers(written):
            security.update(copy.deepcopy(fields))

    return change


def _no_user_zero(written: Json) -> None:
    pod_spec(written)["securityContext"] = {
        **pod_spec(written).get("securityContext", {}),
        "runAsNonRoot": True,
        "runAsUser": 1000,
    }
    for security in _containers(written):
        security.update(runAsNonRoot=True, runAsUser=1000)


def _pod(**fields: object) -> Callable[[Json], None]:
    return lambda written: pod_spec(written).update(copy.deepcopy(fields))


def _no_host_paths(written: Json) -> None:
    spec = pod_spec(written)
    spec["volumes"] = [
        {"name": each["name"], "emptyDir": {}} if "hostPath" in each else each for each in spec["volumes"]
    ]


def _digests(written: Json) -> None:
    spec = pod_spec(written)
    for each in (*spec["containers"], *spec.get("initContainers", ())):
        if "@" not in each["image"]:
            each["image"] += "@sha256:" + "cd" * 32


def _gvisor_instead_of_nothing(written: Json) -> None:
    if pod_spec(written).get("runtimeClassName") in (None, "", "runc"):
        pod_spec(written)["runtimeClassName"] = "gvisor"


HARDENINGS: dict[str, Callable[[Json], None]] = {
    "user namespace": _pod(hostUsers=False),
    "seccomp": _seccomp,
    "no new privileges": _every_container(allowPrivilegeEscalation=False, privileged=False),
    "no capabilities": _every_container(capabilities={"drop": ["ALL"]}),
    "not root": _no_user_zero,
    "not privileged": _every_container(privileged=False),
    "read-only root": _every_container(readOnlyRootFilesystem=True),
    "no host namespaces": _pod(hostNetwork=False, hostPID=False, hostIPC=False),
    "no token": _pod(automountServiceAccountToken=False),
    "no host paths": _no_host_paths,
    "digests": _digests,
    "a sandbox": _gvisor_instead_of_nothing,
}


def _first(**fields: object) -> Callable[[Json], None]:
    def change(written: Json) -> None:
        pod_spec(written)["containers"][0].setdefault("securityContext", {}).update(copy.deepcopy(fields))

    return change


def _mounts(path: str) -> Callable[[Json], None]:
    return lambda written: pod_spec(written)["volumes"].append({"name": "risk", "hostPath": {"path": path}})


def _labelled(**labels: str) -> Callable[[Json], None]:
    def change(written: Json) -> None:
        written["metadata"]["labels"] = {**labels, **written["metadata"]["labels"]}

    return change


def _another(image: str) -> Callable[[Json], None]:
    return lambda written: pod_spec(written)["containers"].append({"name": "risk", "image": image})


RISKS: dict[str, Callable[[Json], None]] = {
    "privileged": _first(privileged=True),
    "unconfined": _first(seccompProfile={"type": "Unconfined"}),
    "root": _first(runAsUser=0, runAsNonRoot=False),
    "new privileges": _first(allowPrivilegeEscalation=True),
    "CAP_SYS_ADMIN": _first(capabilities={"add": ["SYS_ADMIN"]}),
    "docker.sock": _mounts("/var/run/docker.sock"),
    "the node's root": _mounts("/"),
    "the node's network": _pod(hostNetwork=True),
    "the node's processes": _pod(hostPID=True),
    "a builder beside it": _another("docker:dind"),
    "a runner beside it": _another("ghcr.io/actions/actions-runner:latest"),
    "a third party beside it": _another("somebody/something:latest"),
    "an agent of the node beside it": _another("fluent/fluent-bit:4"),
    "an image named like an agent beside it": _another("somebody/agent:latest"),
    "untrusted": lambda written: written["metadata"]["labels"].update({"casemate.dev/trust": "untrusted"}),
}

_SERVICE: Json = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "out", "namespace": "there"},
    "spec": {"type": "LoadBalancer", "selector": {"app": "it"}, "ports": [{"port": 80}]},
}
_POLICY: Json = {
    "apiVersion": "networking.k8s.io/v1",
    "kind": "NetworkPolicy",
    "metadata": {"name": "in", "namespace": "there"},
    "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
}
_ADMIN: Json = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": "all"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "there"}],
}


ASSESSORS: dict[bytes, Assessor] = {}


def _assess(*written: Json) -> Assessed:
    found = collected(*written)
    around = msgspec.msgpack.encode(found.surroundings)
    if around not in ASSESSORS:
        ASSESSORS[around] = Assessor(CATALOGUE, found.surroundings)
    return ASSESSORS[around].assess(found.workloads[0])


def _changed(written: Json, change: Callable[[Json], None]) -> Json:
    other = copy.deepcopy(written)
    change(other)
    return other


@pytest.mark.parametrize("hardening", HARDENINGS)
@given(written=plausible())
@OFTEN
def test_a_hardening_lowers_no_boundary_and_opens_no_gap(hardening: str, written: Json) -> None:
    before, after = _assess(written), _assess(_changed(written, HARDENINGS[hardening]))
    assert after.has.boundary >= before.has.boundary, (before.has, after.has)
    assert after.need.boundary <= before.need.boundary, (before.need, after.need)
    assert before.gap or not after.gap


_AGENT: Json = {
    "apiVersion": "apps/v1",
    "kind": "DaemonSet",
    "metadata": {"name": "it", "namespace": "there", "labels": {}},
    "spec": {
        "template": {"spec": {"containers": [{"name": "c0", "image": "quay.io/prometheus/exporter:1"}], "volumes": []}}
    },
}


@pytest.mark.parametrize("risk", RISKS)
def test_a_risk_lowers_no_need_of_an_agent_of_the_node(risk: str) -> None:
    """It is recognised by all of its images, so one foreign image ends that; what it asks for never begins it."""
    before, after = _assess(_AGENT), _assess(_changed(_AGENT, RISKS[risk]))
    assert "node-agent" in {each.id for each in before.need.reasons}
    assert after.need.boundary >= before.need.boundary


@given(written=plausible())
@OFTEN
def test_a_network_policy_raises_no_need(written: Json) -> None:
    assert _assess(written, _POLICY).need.boundary <= _assess(written).need.boundary


@pytest.mark.parametrize("risk", RISKS)
@given(written=plausible())
@OFTEN
def test_a_risk_lowers_no_need(risk: str, written: Json) -> None:
    before, after = _assess(written), _assess(_changed(written, RISKS[risk]))
    assert after.need.boundary >= before.need.boundary, (before.need, after.need)
    assert after.has.boundary <= before.has.boundary, (before.has, after.has)


@pytest.mark.parametrize(
    "neighbour", [_SERVICE, _ADMIN], ids=["a way in from the internet", "all rights in the cluster"]
)
@given(written=plausible())
@OFTEN
def test_what_stands_beside_it_lowers_no_need(neighbour: Json, written: Json) -> None:
    assert _assess(written, neighbour).need.boundary >= _assess(written).need.boundary


@given(written=plausible())
@OFTEN
def test_a_class_that_nobody_knows_counts_as_nothing(written: Json) -> None:
    answer = _assess(_changed(written, _pod(runtimeClassName="ultra-secure")))
    assert answer.has.boundary is Boundary.UNKNOWN
    assert answer.gap


@given(written=plausible())
@OFTEN
def test_what_is_recommended_is_no_weaker_than_what_it_has(written: Json) -> None:
    answer = _assess(written)
    if answer.recommendation.closes:
        assert answer.recommendation.boundary >= answer.need.boundary
    if not answer.gap:
        assert answer.recommendation.boundary >= answer.has.boundary


@given(written=plausible())
@OFTEN
def test_the_escapes_that_are_stopped_are_never_fewer_than_none_or_more_than_all(written: Json) -> None:
    escapes = _assess(written).escapes
    assert 0 <= escapes.now <= escapes.total
    assert 0 <= escapes.after <= escapes.total


@given(written=arbitrary())
@example(written={"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"image": ""}]}})
@settings(OFTEN, max_examples=300)
def test_any_pod_is_assessed_or_refused_with_a_reason(written: Json) -> None:
    try:
        found = collected(written)
    except CasemateError as refused:
        assert str(refused)  # noqa: PT017 - to be refused is one of two good ends
        return
    assessor = Assessor(CATALOGUE, found.surroundings)
    for workload in found.workloads:
        answer = assessor.assess(workload)
        assert 0 <= answer.need.score <= 100
        assert answer.gap is (answer.has.boundary < answer.need.boundary)
        assert json.dumps(answer.recommendation.sentence)
