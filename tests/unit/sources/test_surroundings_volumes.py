"""Claims that lead to files of the node, through PersistentVolumes of kind hostPath and local."""

from __future__ import annotations

import io

import pytest

from casemate.catalogue import tables
from casemate.decide.assess import assess
from casemate.model.assessment import Has
from casemate.model.boundary import Boundary
from casemate.sources.workloads import collect

_VOLUME = """\
apiVersion: v1
kind: PersistentVolume
metadata: {name: node}
spec: {%s: {path: %s}, capacity: {storage: 1Gi}%s}
"""
_CLAIM = """\
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: shop}
spec: {accessModes: [ReadWriteOnce]%s}
"""
_POD = """\
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop}
spec:
  runtimeClassName: gvisor
  containers: [{name: main, image: busybox, volumeMounts: [{name: data, mountPath: /data%s}]}]
  volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]
"""
_STATEFUL_SET = """\
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec:
  volumeClaimTemplates: [{metadata: {name: data}, spec: {storageClassName: manual}}]
  template:
    spec:
      runtimeClassName: gvisor
      containers: [{name: main, image: busybox, volumeMounts: [{name: data, mountPath: /data}]}]
"""


def has(*documents: str) -> Has:
    found = collect(["-"], io.BytesIO("\n---\n".join(documents).encode()))
    return assess(found.workloads[0], found.surroundings, tables.load()).has


BOUND = [
    (", volumeName: node", ""),
    ("", ", claimRef: {namespace: shop, name: data}"),
    (", volumeName: node, storageClassName: manual", ", storageClassName: manual"),
    (", storageClassName: manual", ", storageClassName: manual"),
    ("", ', storageClassName: ""'),
]


@pytest.mark.parametrize("kind", ["hostPath", "local"])
@pytest.mark.parametrize(("claim", "volume"), BOUND)
def test_a_claim_that_may_get_a_directory_of_the_node_is_a_door(kind: str, claim: str, volume: str) -> None:
    found = has(_POD % "", _CLAIM % claim, _VOLUME % (kind, "/var/lib/kubelet", volume))
    assert found.boundary is Boundary.SHARED
    assert "host-door" in {each.id for each in found.reasons}


@pytest.mark.parametrize(
    ("claim", "volume"),
    [
        (", volumeName: other", ""),
        ("", ", claimRef: {namespace: other, name: data}"),
        (", storageClassName: fast", ", storageClassName: manual"),
    ],
)
def test_a_volume_that_the_claim_cannot_get_is_none(claim: str, volume: str) -> None:
    assert has(_POD % "", _CLAIM % claim, _VOLUME % ("hostPath", "/", volume)).boundary is Boundary.SANDBOX


def test_a_directory_of_data_behind_a_claim_is_no_door() -> None:
    documents = _CLAIM % ", volumeName: node", _VOLUME % ("local", "/mnt/disks/one", "")
    assert has(_POD % "", *documents).boundary is Boundary.SANDBOX


def test_a_claim_that_is_mounted_read_only_is_a_door_to_what_can_be_read() -> None:
    claim = _CLAIM % ", volumeName: node"
    only = ", readOnly: true"
    assert has(_POD % only, claim, _VOLUME % ("hostPath", "/usr", "")).boundary is Boundary.SANDBOX
    assert has(_POD % only, claim, _VOLUME % ("hostPath", "/etc", "")).boundary is Boundary.SHARED


def test_a_claim_that_a_pod_makes_for_itself_counts_too() -> None:
    template = "ephemeral: {volumeClaimTemplate: {spec: {storageClassName: manual}}}"
    own = (_POD % "").replace("persistentVolumeClaim: {claimName: data}", template)
    volume = _VOLUME % ("local", "/", ", storageClassName: manual%s")
    assert has(own, volume % "").boundary is Boundary.SHARED
    assert has(own, volume % ", claimRef: {namespace: shop, name: web-data}", _CLAIM % "").boundary is Boundary.SANDBOX
    bound = (_CLAIM % "").replace("name: data", "name: web-data")
    assert has(own, volume % ", claimRef: {namespace: shop, name: web-data}", bound).boundary is Boundary.SHARED


def test_a_claim_that_a_stateful_set_makes_counts_too() -> None:
    volume = _VOLUME % ("hostPath", "/", ", storageClassName: manual")
    assert has(_STATEFUL_SET, volume).boundary is Boundary.SHARED
    assert has(_STATEFUL_SET, volume.replace("manual", "other")).boundary is Boundary.SANDBOX
