from __future__ import annotations

import io

import pytest

from casemate.engine.policed import hold
from casemate.errors import RefusedError
from casemate.model.kube.meta import ObjectMeta
from casemate.model.kube.objects import RuntimeClass
from casemate.model.policy import PolicySettings
from casemate.model.surroundings import Surroundings
from casemate.sources import files, policies
from casemate.sources.inventory import inventory

CLASSES = (("gvisor", "runsc"), ("kata", "kata-qemu"), ("runc", "runc"))
AROUND = Surroundings(
    complete=True,
    runtime_classes=tuple(RuntimeClass(metadata=ObjectMeta(name=name), handler=each) for name, each in CLASSES),
)
POLICY = b"""
apiVersion: casemate.dev/v1alpha1
kind: IsolationPolicy
metadata: {name: tenants}
spec: {match: {namespaces: {labels: {tenancy: shared}}}, default: kata, permitted: [kata], upgrade: true}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {tenancy: shared}}
"""
POD = """
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: %s}
spec:
  containers: [{name: c, image: nginx}]
  nodeSelector: {a: b}
  %s
"""


def held(namespace: str, spec: str) -> tuple[str | None, list[str]]:
    found = inventory(files.load(["-"], io.BytesIO((POD % (namespace, spec)).encode())))
    said: list[str] = []
    after = hold(found, policies.load(["-"], io.BytesIO(POLICY)), AROUND, PolicySettings(), said.append)
    (pod,) = after.pods
    assert pod.spec
    assert pod.spec.nodeSelector == {"a": "b"}
    return pod.spec.runtimeClassName, said


@pytest.mark.parametrize("spec", ["", "runtimeClassName: gvisor"])
def test_a_run_gets_the_class_that_its_policy_gives_and_says_so(spec):
    name, said = held("shop", spec)
    assert name == "kata"
    assert "tenants" in said[0]


def test_a_run_that_no_policy_is_about_stays_as_it_is():
    assert held("default", "") == (None, [])


def test_a_run_that_a_policy_denies_is_refused_with_the_reason():
    with pytest.raises(RefusedError, match="Pod shop/web: tenants would-break"):
        held("shop", "hostNetwork: true")
