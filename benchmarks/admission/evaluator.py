"""Verdicts per second of the evaluator alone, on one core, on decoded Pods.

1. 100 policies: two thirds choose namespaces by label, the others by name; some also ask for a service account or an
   image. Every one has a default, a permitted list and hardening. Of 200 namespaces, two thirds are chosen, by up to 4.
2. Pods are decoded beforehand, as an admission webhook has them. `recurring`: every Pod is a struct of its own, made of
   one of 500 templates with names and token volumes as the API server gives them; so most templates were judged before.
   `first`: no template was ever seen before, though Pods like it were (another name, image, label, account).
   `first, placed`: nor was it, and each has a node selector, as if there were ten pools of nodes.
   `first, in full`: nor was it, and each asks for a pool of its own, so that no Pod is like another: each is judged
   from the ground up, with all rows of the table of what a class would break. That is the worst case.
3. Each is measured five times, interleaved, in processor time; the median is printed with the lowest and highest.
"""

from __future__ import annotations

import datetime
import gc
import random
import statistics
import time
from collections.abc import Sequence

from casemate.catalogue import tables
from casemate.model.kube.meta import ObjectMeta
from casemate.model.kube.objects import RuntimeClass
from casemate.model.policy import Policy, PolicySettings, Request
from casemate.model.surroundings import Surroundings
from casemate.policy.evaluate import PolicySet
from casemate.sources.policies import decode_policy
from casemate.sources.requests import workloads

POLICIES = 100
NAMESPACES = 200
TEMPLATES = 500
ROUNDS = 5
REQUESTS = 20_000
FIRST = 2_000
POOLS, ANY = 10, 1_000_000_000


def policies() -> list[Policy]:
    """The policies of the comparison."""
    return [decode_policy(_document(index), f"p{index}") for index in range(POLICIES)]


def _document(index: int) -> dict[str, object]:
    match: dict[str, object] = {"namespaces": {"labels": {f"team-{index % 25}": "yes"}}}
    if index % 3 == 1:
        match = {"namespaces": {"names": [f"ns-{each}" for each in range(index, NAMESPACES, POLICIES)]}}
    if index % 9 == 2:
        match = {**match, "serviceAccounts": ["builder"]}
    if index % 9 == 5:
        match = {**match, "images": [f"ghcr.io/acme-{index}/**"]}
    spec = {
        "match": match,
        "default": "gvisor",
        "permitted": ["gvisor", {"boundary": ">=vm"}],
        "hardening": {"below": "vm", "require": ["no-new-privileges", "not-privileged", "no-host-paths"]},
    }
    return {
        "apiVersion": "casemate.dev/v1alpha1",
        "kind": "IsolationPolicy",
        "metadata": {"name": f"p{index}"},
        "spec": spec,
    }


def requests(count: int, templates: int, seed: int, pools: int = 0) -> list[Request]:
    """Requests for Pods of so many templates, each decoded on its own, for nodes of so many pools."""
    chance = random.Random(seed)
    found = []
    for index in range(count):
        template = chance.randrange(templates) if templates < count else index
        namespace = f"ns-{template % NAMESPACES}"
        number = template + seed * 1_000_000
        spec = {"nodeSelector": {"pool": f"pool-{number % pools}"}} if pools else {}
        (workload,) = workloads(_pod(number, index, spec), namespace)
        labels = LABELS[namespace]
        found.append(Request(workload=workload, namespace_labels=labels, user=_USER, groups=_GROUPS))
    return found


LABELS = {
    f"ns-{index}": {"kubernetes.io/metadata.name": f"ns-{index}", f"team-{index % 50}": "yes"}
    for index in range(NAMESPACES)
}
_USER = "system:serviceaccount:kube-system:replicaset-controller"
_OWNER = {"apiVersion": "apps/v1", "kind": "ReplicaSet", "uid": "u", "controller": True}
_GROUPS = ("system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated")


def _pod(template: int, index: int, spec: dict[str, dict[str, str]]) -> dict[str, object]:
    letters = "bcdfghjklmnpqrstvwxz2456789"
    token = "kube-api-access-" + "".join(letters[(index >> 4 * each) % len(letters)] for each in range(5))
    context = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": True}
    mounts = [{"name": token, "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount", "readOnly": True}]
    container = {
        "name": "web",
        "image": f"ghcr.io/acme-{template % 40}/web:{template}",
        "ports": [{"containerPort": 8080}],
        "env": [{"name": "MODE", "value": "production"}, {"name": "LEVEL", "value": "info"}],
        "resources": {"limits": {"cpu": "1", "memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "256Mi"}},
        "securityContext": context,
        "volumeMounts": mounts,
    }
    projected = [{"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"web-{template}-{index}",
            "labels": {"app": f"web-{template}", "pod-template-hash": f"{template:x}"},
            "ownerReferences": [{**_OWNER, "name": f"web-{template}"}],
        },
        "spec": {
            "containers": [container, {**container, "name": "proxy", "image": "ghcr.io/acme-1/proxy:1"}],
            "serviceAccountName": "web",
            "restartPolicy": "Always",
            "volumes": [{"name": token, "projected": {"sources": projected}}],
            **spec,
        },
    }


def _surroundings() -> Surroundings:
    classes = {"gvisor": "runsc", "kata": "kata-qemu", "runc": "runc"}
    found = (RuntimeClass(metadata=ObjectMeta(name=name), handler=handler) for name, handler in classes.items())
    return Surroundings(complete=True, runtime_classes=tuple(found))


def _rate(compiled: PolicySet, asked: Sequence[Request], now: datetime.datetime) -> float:
    evaluate = compiled.evaluate
    gc.collect()
    begin = time.process_time()
    for each in asked:
        evaluate(each, now)
    return len(asked) / (time.process_time() - begin)


def measure() -> dict[str, dict[str, int]]:
    """Verdicts per second, by kind of input."""
    now = datetime.datetime.now(datetime.UTC)
    compiled = PolicySet(policies(), (), _surroundings(), tables.load(), PolicySettings())
    recurring = requests(REQUESTS, TEMPLATES, 0)
    _rate(compiled, recurring, now)
    rates: dict[str, list[float]] = {"recurring": [], "first": [], "first, placed": [], "first, in full": []}
    for turn in range(1, ROUNDS + 1):
        rates["recurring"].append(_rate(compiled, recurring, now))
        rates["first"].append(_rate(compiled, requests(FIRST, FIRST, turn), now))
        rates["first, placed"].append(_rate(compiled, requests(FIRST, FIRST, turn, POOLS), now))
        rates["first, in full"].append(_rate(compiled, requests(FIRST, FIRST, turn, ANY), now))
    return {
        name: {"median": round(statistics.median(found)), "lowest": round(min(found)), "highest": round(max(found))}
        for name, found in rates.items()
    }
