"""Compiled policies on a real API server say what the evaluator says, request by request."""

from __future__ import annotations

import copy
import datetime
import random
from collections.abc import Iterator
from typing import Any

import pytest
from apiserver import Running
from native import CLASSES, FLAGS, Force, Guarded, exception, policy, spec_of

from casemate.model.policy import Decision, Mode
from casemate.sources.templates import API, wrap

Object = dict[str, Any]

SETS, REQUESTS = 14, 60
SOON = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=30)).strftime("%Y-%m-%d")
LONG_AGO, TOO_FAR = "2026-01-01", "2030-01-01"
NAMES = [each["metadata"]["name"] for each in CLASSES]
PARTS = [
    *("user-namespace", "seccomp", "no-new-privileges", "drop-capabilities", "non-root", "not-privileged"),
    *("no-host-namespaces", "no-host-paths"),
]
IMAGES = ["nginx", "docker.io/library/nginx:1.27", "ghcr.io/acme/web:1", "ghcr.io/acme/deep/er", "GHCR.IO/acme/web"]
PATTERNS = ["nginx", "nginx:latest", "nginx:1.27", "ghcr.io/acme/**", "ghcr.io/acme/web", "quay.io/**"]
RIGHT = "class-not-granted"  # A validation of its own, which is heard of when nothing else is wrong.
CONTROLLER = "system:serviceaccount:kube-system:replicaset-controller"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    with Running(tmp_path_factory.mktemp("native"), *FLAGS) as cluster:
        yield Guarded(cluster)


def _match(rng: random.Random) -> Object:
    conditions: list[Object] = [
        {"namespaces": {"names": ["team-a", "kube-system"]}},
        {"namespaces": {"labels": {"tenancy": "shared"}}},
        {"namespaces": {"expressions": [{"key": "tenancy", "operator": "NotIn", "values": ["private"]}]}},
        {"namespaces": {"expressions": [{"key": "cost", "operator": "Exists"}]}},
        {"podLabels": {"app": "attack"}},
        {"serviceAccounts": ["team-a/ci", "default"]},
        {"users": ["alice", "carol"]},
        {"groups": ["tenants"]},
        {"images": rng.sample(PATTERNS, 2)},
        {"kinds": ["Deployment", "Pod", "ReplicaSet"]},
    ]
    found: Object = {}
    for each in rng.sample(conditions, rng.choice((0, 1, 1, 2))):
        found.update(each)
    return found


def _policies(rng: random.Random) -> Force:
    policies = []
    for number in range(rng.choice((1, 2, 3))):
        spec: Object = {"match": _match(rng), "fit": "warn", "mode": rng.choice(("enforce", "enforce", "warn"))}
        if rng.random() < 0.7:
            entries: list[Any] = [*NAMES, "", {"boundary": ">=sandbox"}, {"boundary": "vm"}, {"labels": {"tier": "x"}}]
            entries += [{"name": "kata", "annotations": ["io.katacontainers.config.hypervisor.default_*"]}]
            spec["permitted"] = rng.sample(entries, rng.choice((1, 2, 3)))
        if rng.random() < 0.5:
            spec["default"], spec["upgrade"] = rng.choice(("gvisor", "kata", "slow")), rng.random() < 0.5
        if rng.random() < 0.3:
            spec["minimum"] = rng.choice(("hardened", "sandbox", "vm"))
        if rng.random() < 0.3:
            spec["rbac"] = "use"
        if rng.random() < 0.4:
            spec["hardening"] = {"below": rng.choice(("sandbox", "vm")), "require": rng.sample(PARTS, 3)}
        namespace = "team-a" if rng.random() < 0.1 and "namespaces" not in spec["match"] else ""
        policies.append(policy(f"p{number}", spec, namespace))
    changing = any(each.spec.default for each in policies)
    return Force(tuple(policies), tuple(_exceptions(rng, changing=changing)))


def _exceptions(rng: random.Random, *, changing: bool) -> Iterator[Any]:
    rules = ["class-not-permitted", "class-unset", "below-minimum", "sandbox-annotation", "hardening", RIGHT]
    for number in range(rng.choice((0, 0, 1, 2))):
        scope = _match(rng) or {"namespaces": {"names": ["team-a"]}}
        spec: Object = {
            "policies": ["p0", "p1"],
            "rules": rng.sample(rules, 3),
            "scope": scope,
            # What is not in force keeps the mutation from anything all the same: tried apart.
            "expires": SOON if changing else rng.choice((SOON, SOON, LONG_AGO, TOO_FAR)),
        }
        if rng.random() < 0.4:
            spec["permitted"] = rng.sample(["", "runc", "slow", "mystery"], 2)
        yield exception(f"e{number}", spec)


def _container(rng: random.Random, name: str) -> Object:
    context: Object = {
        key: value
        for key, value in (
            ("allowPrivilegeEscalation", False),
            ("capabilities", {"drop": ["ALL"], **({"add": ["NET_BIND_SERVICE"]} if rng.random() < 0.3 else {})}),
            ("runAsNonRoot", rng.random() < 0.8),
            ("runAsUser", rng.choice((0, 1000))),
            ("seccompProfile", {"type": rng.choice(("RuntimeDefault", "Unconfined"))}),
            ("seLinuxOptions", {"type": rng.choice(("spc_t", "container_t"))}),
        )
        if rng.random() < 0.5
    }
    if rng.random() < 0.1:
        context = {"privileged": True}
    return {"name": name, "image": rng.choice(IMAGES), "securityContext": context}


def _pod(rng: random.Random) -> Object:
    spec: Object = {"containers": [_container(rng, "app")]}
    if rng.random() < 0.3:
        spec["initContainers"] = [_container(rng, "init")]
    if rng.random() < 0.75:
        spec["runtimeClassName"] = rng.choice(NAMES)
    if rng.random() < 0.3:
        spec["hostUsers"] = False
    elif rng.random() < 0.2:
        spec["hostNetwork"] = True
    if rng.random() < 0.4:
        spec["securityContext"] = {"seccompProfile": {"type": "RuntimeDefault"}, "runAsNonRoot": True}
    if rng.random() < 0.2:
        spec["volumes"] = [{"name": "host", "hostPath": {"path": "/srv"}}]
    if rng.random() < 0.4:
        spec["serviceAccountName"] = rng.choice(("ci", "trusted"))
    metadata: Object = {"name": "attack", "namespace": rng.choice(("team-a", "team-a", "team-b", "bare"))}
    if rng.random() < 0.3:
        metadata["labels"] = {"app": "attack"}
    if rng.random() < 0.2:
        key = rng.choice(("hypervisor.default_vcpus", "hypervisor.path"))
        metadata["annotations"] = {f"io.katacontainers.config.{key}": "2"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _body(rng: random.Random) -> Object:
    kind = rng.choice(("Pod", "Pod", "Pod", *API))
    return _pod(rng) if kind == "Pod" else wrap(_pod(rng), kind)


@pytest.mark.parametrize("seed", range(SETS))
def test_create_is_answered_as_the_evaluator_answers(guarded: Guarded, seed: int) -> None:
    rng = random.Random(seed)
    force = _policies(rng)
    guarded.install(force.compiled())
    compared = 0
    for number in range(REQUESTS):
        body = _body(rng)
        user = rng.choice(("alice", "bob", CONTROLLER))
        said, expected = guarded.create(body, user), force.verdict(body, user=user)
        if said.status in (422, 500):
            continue  # the API server's own validation
        compared += 1
        denied = expected.decision is Decision.DENY
        about = f"seed {seed} request {number}: {said.message}\n{expected}\n{body}\n{force}"
        assert said.decision == ("deny" if denied else "allow"), about
        if denied:
            wanted = {each.rule for each in expected.reasons if each.mode is Mode.ENFORCE}
            assert said.rules == (wanted - {RIGHT} or wanted), about
        elif expected.patch:
            assert said.class_name == expected.patch[0].value, about
        else:
            assert said.class_name == spec_of(body).get("runtimeClassName", ""), about
    assert compared > REQUESTS // 2


@pytest.mark.parametrize("seed", range(100, 100 + SETS // 2))
def test_update_is_answered_as_the_evaluator_answers(guarded: Guarded, seed: int) -> None:
    rng = random.Random(seed)
    force = Force(_policies(rng).policies)
    pairs = [_rewritten(rng, number) for number in range(REQUESTS // 2)]
    guarded.clear()
    there = [(new, old) for new, old in pairs if guarded.create(old, keep=True).decision == "allow"]
    guarded.install(force.compiled())
    for new, old in there:
        said, expected = guarded.update(new), force.verdict(new, old)
        if said.status == 422:
            continue
        denied = expected.decision is Decision.DENY
        about = f"seed {seed}: {said.message}\n{expected}\n{old}\n{new}\n{force}"
        assert said.decision == ("deny" if denied else "allow"), about
        if expected.patch and not denied:
            assert said.class_name == expected.patch[0].value, about
    guarded.clear()
    for _, old in there:
        guarded.remove(old)


def _rewritten(rng: random.Random, number: int) -> tuple[Object, Object]:
    """A template and what it was before: another one, or the same with another class or image."""
    kind = rng.choice(("Deployment", "StatefulSet", "DaemonSet", "CronJob", "PodTemplate"))
    pod = _pod(rng)
    pod["metadata"]["name"] = f"attack-{number}"
    other = _pod(rng) if rng.random() < 0.3 else copy.deepcopy(pod)
    other["metadata"]["name"], other["metadata"]["namespace"] = f"attack-{number}", pod["metadata"]["namespace"]
    match rng.choice(("class", "image", "same", "context", "account")):
        case "account":
            other["spec"]["serviceAccountName"] = rng.choice(("ci", "trusted", "default"))
        case "class":
            other["spec"]["runtimeClassName"] = rng.choice(NAMES)
        case "image":
            other["spec"]["containers"][0]["image"] = rng.choice(IMAGES)
        case "context":
            other["spec"]["containers"][0]["securityContext"] = {"runAsUser": 0}
    return wrap(pod, kind), wrap(other, kind)
