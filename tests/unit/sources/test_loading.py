"""Files become objects, and every field knows where it was written."""

import io
import time

import msgspec
import pytest

from casemate.errors import InputError
from casemate.model.kube.objects import ConfigMap
from casemate.model.kube.workloads import Deployment, Pod
from casemate.sources.files import load

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  labels: {app.kubernetes.io/name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: nginx
        resources: {limits: {cpu: 0.5, memory: 64Mi}}
"""


def read(text: str):
    return load(["-"], io.BytesIO(text.encode()))


PLACES = [
    ("", "1:1"),
    ("kind", "2:1"),
    ("metadata.labels[app.kubernetes.io/name]", "5:12"),
    ("spec.replicas", "7:3"),
    ("spec.template.spec.containers[0]", "13:9"),
    ("spec.template.spec.containers[0].image", "14:9"),
    ("spec.template.spec.containers[0].resources.limits.memory", "15:40"),
    ("spec.template.spec.containers[0].nothing.of[3].this", "13:9"),
    ("spec.template.spec.containers[7].image", "12:7"),
]


@pytest.mark.parametrize(("path", "place"), PLACES)
def test_a_document_knows_where_each_field_stands(path, place):
    (document,) = read(DEPLOYMENT)
    assert document.where(path) == f"<stdin>:{place}"


def test_documents_lists_and_lists_in_lists_become_objects_in_order():
    maps = [f"{{apiVersion: v1, kind: ConfigMap, metadata: {{name: m{n}}}}}" for n in range(4)]
    inner = f"{{apiVersion: v1, kind: List, items: [{maps[1]}]}}"
    outer = f"apiVersion: v1\nkind: List\nmetadata: {{}}\nitems: [{inner}, {maps[2]}]"
    documents = read(f"{maps[0]}\n---\n# nothing\n---\n{outer}\n--- {maps[3]}")
    assert [each.object.metadata.name for each in documents] == ["m0", "m1", "m2", "m3"]
    assert [each.line for each in documents] == [1, 8, 8, 9]


def test_items_of_a_typed_list_need_no_kind():
    (document,) = read("apiVersion: v1\nkind: PodList\nitems: [{metadata: {name: p}, spec: {containers: []}}]")
    assert isinstance(document.object, Pod)


NULLS = [
    ("metadata: {name: p, creationTimestamp: null}", Pod, lambda pod: pod.metadata.creationTimestamp is None),
    (
        "spec: {containers: [{name: c, args: null, resources: null}]}",
        Pod,
        lambda pod: pod.spec.containers[0].args == (),
    ),
    ("spec: {containers: [{name: c, args: [null]}]}", Pod, lambda pod: pod.spec.containers[0].args == ("",)),
    ("spec: {containers: [], nodeSelector: {disk: }}", Pod, lambda pod: pod.spec.nodeSelector == {"disk": ""}),
    ("spec: {containers: [], volumes: }", Pod, lambda pod: pod.spec.volumes == ()),
    (
        "spec: {containers: [{name: c, resources: {limits: {cpu: null, memory: 1}}}]}",
        Pod,
        lambda pod: pod.spec.containers[0].resources.limits == {"memory": 1},
    ),
    ("status: {anything: [goes, {here: 1.5}]}", Pod, lambda pod: pod.status is not None),
]


@pytest.mark.parametrize(("text", "kind", "holds"), NULLS)
def test_null_means_unset(text, kind, holds):
    (document,) = read(f"apiVersion: v1\nkind: Pod\n{text}")
    assert isinstance(document.object, kind)
    assert holds(document.object)


def test_numbers_are_quantities_and_floats_without_fraction_are_integers():
    (document,) = read(DEPLOYMENT.replace("replicas: 2", "replicas: 2.0"))
    assert isinstance(document.object, Deployment)
    assert document.object.spec.replicas == 2
    assert document.object.spec.template.spec.containers[0].resources.limits == {"cpu": 0.5, "memory": "64Mi"}


def test_a_folder_is_read_whole_in_order_of_names(tmp_path):
    (tmp_path / "b").mkdir()
    for name in ("z.yaml", "a.yml", "b/k.json", "b/notes.txt", "c.YAML.bak"):
        (tmp_path / name).write_text(msgspec.json.encode({"apiVersion": "v1", "kind": "ConfigMap"}).decode())
    documents = load([str(tmp_path)], io.BytesIO())
    assert [each.file.removeprefix(str(tmp_path)) for each in documents] == ["/a.yml", "/z.yaml", "/b/k.json"]
    assert all(isinstance(each.object, ConfigMap) for each in documents)


def test_inputs_are_read_in_the_order_given(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: file}")
    documents = load(["-", str(path)], io.BytesIO(b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: stdin}"))
    assert [each.object.metadata.name for each in documents] == ["stdin", "file"]


def test_every_mistake_of_a_document_is_reported_with_its_place():
    text = (
        DEPLOYMENT.replace("image:", "imge:").replace("replicas: 2", "replicas: two").replace("kind:", "knd: 1\nkind:")
    )
    with pytest.raises(InputError) as caught:
        read(text)
    message = str(caught.value)
    assert "3 mistakes" in message
    for part in (
        '<stdin>:2:1: knd: unknown field; did you mean "kind"?',
        '<stdin>:8:3: spec.replicas: expected an integer, found the string "two"',
        '<stdin>:15:9: spec.template.spec.containers[0].imge: unknown field; did you mean "image"?',
    ):
        assert part in message


def test_a_thousand_deployments_load_in_a_moment():
    text = "---\n".join(DEPLOYMENT.replace("name: web\n", f"name: web-{n}\n") for n in range(1000))
    began = time.process_time()
    assert len(read(text)) == 1000
    assert time.process_time() - began < 3
