"""Manifests that people really write load: Kubernetes' own examples, and our shop."""

import io
from pathlib import Path

import pytest

from casemate.sources.files import load
from casemate.sources.inventory import inventory

ROOT = Path(__file__).parents[3]
PUBLISHED = sorted((ROOT / "tests/integration/manifests/kubernetes-io").glob("*.yaml"))


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: path.stem)
def test_an_example_of_kubernetes_is_taken_as_it_is(path):
    assert any(inventory(load([str(path)], io.BytesIO())).pod_templates())


def test_the_shop_is_taken_as_a_folder():
    found = inventory(load([str(ROOT / "examples/shop/manifests")], io.BytesIO()))
    assert len(list(found.pod_templates())) >= 4


# In the manner of Helm's charts: nulls where a value was not given, anchors, quoted numbers, templates' blank lines.
CHART = """\
---
# Source: web/templates/empty.yaml
---
# Source: web/templates/deployment.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: release-name-web
  labels: &labels
    helm.sh/chart: web-1.2.3
    app.kubernetes.io/version: "1.16"
    app.kubernetes.io/managed-by: Helm
  annotations:
  creationTimestamp: null
spec:
  replicas: 1
  strategy: {}
  selector:
    matchLabels: {app.kubernetes.io/name: web}
  template:
    metadata:
      labels:
        <<: *labels
        app.kubernetes.io/name: web
      annotations:
        checksum/config: 0123456789abcdef
    spec:
      serviceAccountName: ""
      imagePullSecrets:
      nodeSelector:
      securityContext: {}

      containers:
        - name: web
          securityContext: {}
          image: "nginx:1.16"
          imagePullPolicy: IfNotPresent
          ports:
            - name: http
              containerPort: 80
              protocol: TCP
          livenessProbe:
            httpGet: {path: /, port: http}
          resources:
            limits: {cpu: 100m, memory: 128Mi}
            requests: {cpu: .1, memory: 1e8}
          volumeMounts:
            - {name: tmp, mountPath: /tmp}
      volumes:
        - name: tmp
          emptyDir:
status: {}
"""


def test_the_output_of_a_chart_is_taken_as_it_is():
    found = inventory(load(["-"], io.BytesIO(CHART.encode())))
    spec = found.deployments[0].spec.template
    assert spec.metadata.labels["helm.sh/chart"] == "web-1.2.3"
    assert spec.spec.volumes[0].emptyDir is not None
    assert spec.spec.containers[0].resources.requests == {"cpu": 0.1, "memory": 100_000_000}
