"""Collecting workloads leniently: what counts as one, what is said about the rest."""

from __future__ import annotations

import io
import json
import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from casemate.errors import InputError
from casemate.model.workload import Workload
from casemate.sources import static
from casemate.sources.workloads import Collected, collect

_POD = """\
apiVersion: v1
kind: Pod
metadata: {name: NAME, namespace: shop}
spec:
  containers: [{name: main, image: busybox}]
"""


def read(text: str | bytes) -> Collected:
    return collect(["-"], io.BytesIO(text.encode() if isinstance(text, str) else text))


def one(text: str) -> Workload:
    (found,) = read(text).workloads
    return found


def pod(name: str = "web") -> str:
    return _POD.replace("NAME", name)


def titles(found: Collected) -> list[str]:
    return [each.title for each in found.workloads]


def embedding(version: str, kind: str, holder: str) -> str:
    return f"""{{apiVersion: {version}, kind: {kind}, metadata: {{name: web, namespace: shop}}, {holder}}}"""


_TEMPLATE = "template: {metadata: {labels: {app: web}}, spec: {containers: [{name: main, image: busybox}]}}"


_SPEC = {"containers": [{"name": "main", "image": "busybox"}]}
_USUAL = "spec.template.spec"


@pytest.mark.parametrize(
    ("version", "kind", "holder", "path"),
    [
        ("apps/v1", "Deployment", f"spec: {{{_TEMPLATE}}}", "spec.template.spec"),
        ("extensions/v1beta1", "Deployment", f"spec: {{{_TEMPLATE}}}", "spec.template.spec"),
        ("apps/v1", "StatefulSet", f"spec: {{{_TEMPLATE}}}", "spec.template.spec"),
        ("apps/v1", "DaemonSet", f"spec: {{{_TEMPLATE}}}", "spec.template.spec"),
        ("apps/v1", "ReplicaSet", f"spec: {{{_TEMPLATE}}}", "spec.template.spec"),
        ("v1", "ReplicationController", f"spec: {{{_TEMPLATE}}}", "spec.template.spec"),
        ("v1", "PodTemplate", _TEMPLATE, "template.spec"),
        ("batch/v1", "Job", f"spec: {{{_TEMPLATE}}}", "spec.template.spec"),
        (
            "batch/v1",
            "CronJob",
            f"spec: {{jobTemplate: {{spec: {{{_TEMPLATE}}}}}}}",
            "spec.jobTemplate.spec.template.spec",
        ),
        ("serving.knative.dev/v1", "Service", f"spec: {{{_TEMPLATE}}}", "spec.template.spec"),
        ("batch.volcano.sh/v1", "Job", f"spec: {{tasks: [{{{_TEMPLATE}}}]}}", "spec.tasks[0].template.spec"),
        ("agents.test/v1", "Sandbox", f"spec: {{podTemplate: {{{_TEMPLATE}}}}}", "spec.podTemplate.template.spec"),
    ],
)
def test_every_kind_that_embeds_a_pod_template_is_a_workload(version: str, kind: str, holder: str, path: str) -> None:
    found = one(embedding(version, kind, holder))
    assert (found.api_version, found.kind, found.title, found.path) == (version, kind, f"{kind} shop/web", path)
    assert found.metadata.labels == {"app": "web"}
    assert found.spec.containers[0].image == "busybox"


def test_an_object_with_several_templates_is_several_workloads() -> None:
    holder = f"spec: {{head: {{{_TEMPLATE}}}, workers: [{{{_TEMPLATE}}}, {{{_TEMPLATE}}}]}}"
    found = read(embedding("ray.io/v1", "RayCluster", holder))
    assert [each.path for each in found.workloads] == [
        "spec.head.template.spec",
        "spec.workers[0].template.spec",
        "spec.workers[1].template.spec",
    ]


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("kyverno.io/v1", "ClusterPolicy"),
        ("constraints.gatekeeper.sh/v1beta1", "K8sAllowedRepos"),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        ("v1", "ConfigMap"),
    ],
)
def test_patterns_of_pods_are_no_workloads(version: str, kind: str) -> None:
    assert titles(read(f"{embedding(version, kind, f'spec: {{{_TEMPLATE}}}')}\n---\n{pod()}")) == ["Pod shop/web"]


def test_lists_are_taken_apart_with_the_lines_of_their_items() -> None:
    indented = [pod(name).rstrip().replace("\n", "\n  ") for name in ("one", "two")]
    items = "".join(f"- {each}\n" for each in indented)
    found = read(f"# A comment\napiVersion: v1\nkind: List\nitems:\n{items}")
    assert [(each.name, each.source.line) for each in found.workloads] == [("one", 5), ("two", 10)]


def test_json_lists_are_taken_apart() -> None:
    item = {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "main", "image": "busybox"}]}}
    found = read(json.dumps({"apiVersion": "v1", "kind": "PodList", "items": [item, item | {"metadata": {}}]}))
    assert [(each.kind, each.api_version, each.name) for each in found.workloads] == [
        ("Pod", "v1", "web"),
        ("Pod", "v1", ""),
    ]


def test_json_for_people_has_the_lines_of_its_items() -> None:
    items = [{"kind": "Pod", "metadata": {"name": name}, "apiVersion": "v1", "spec": _SPEC} for name in ("one", "two")]
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items}, indent=4)
    found = read("\n" + text)
    lines = ["", *text.splitlines()]
    for each in found.workloads:
        image = found.locate(each.source, "spec.containers[0].image")
        assert lines[each.source.line - 1].strip() == "{"
        assert '"image"' in lines[image.line - 1]
    assert found.workloads[0].source.line < found.workloads[1].source.line


def test_lists_within_lists_hide_nothing() -> None:
    inner = {"kind": "List", "apiVersion": "v1", "items": [{"kind": "Pod", "apiVersion": "v1", "spec": _SPEC}]}
    text = json.dumps({"kind": "List", "apiVersion": "v1", "items": [inner, {"kind": "PodList", "items": [inner]}]})
    assert len(read(text).workloads) == 2
    assert len(read("# YAML\n" + text).workloads) == 2


def test_a_namespace_that_is_not_written_stays_empty() -> None:
    assert one(pod().replace(", namespace: shop", "")).namespace == ""


def test_hooks_of_helm_keep_their_annotations() -> None:
    found = one(pod().replace("name: web", "name: web, annotations: {helm.sh/hook: test}"))
    assert found.object_annotations == {"helm.sh/hook": "test"}


def test_unknown_fields_are_dropped_and_named_from_the_pod_specification() -> None:
    found = one(pod().replace("image: busybox", "image: busybox, imge: x") + "  hostPid: true\n")
    assert found.unknown_fields == ("containers[0].imge", "hostPid")
    assert found.spec.hostPID is None


def test_fields_beside_a_custom_resources_containers_are_its_own_affair() -> None:
    holder = "spec: {replicas: 2, retention: 1d, containers: [{name: main, image: busybox}]}"
    assert one(embedding("monitoring.test/v1", "Prometheus", holder)).unknown_fields == ()


_ONE = '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "NAME"}, "spec": {"containers": [{"image": "a"}]}}'


@pytest.mark.parametrize("between", ["", " ", "\n", "\n\n", "\n---\n"])
def test_json_values_may_follow_one_another_as_for_kubectl(between: str) -> None:
    text = between.join((_ONE.replace("NAME", "one"), _ONE.replace("NAME", "two"), _ONE.replace("NAME", "three")))
    found = read(text)
    assert titles(found) == ["Pod /one", "Pod /two", "Pod /three"]
    assert [each.source.line for each in found.workloads] == [1 + number * between.count("\n") for number in range(3)]


def test_a_key_twice_in_a_later_json_value_has_its_line() -> None:
    twice = _ONE.replace('"kind": "Pod"', '"kind": "Pod", "kind": "Pod"')
    found = read(f"{_ONE}\n{twice}\n")
    assert [each.where.rpartition(":")[0] for each in found.skipped] == ["<stdin>:2"]
    assert len(found.workloads) == 2


@pytest.mark.parametrize("rest", ["hostNetwork: true", "{kind: Pod}", "- a", "}"])
def test_nothing_after_a_document_in_braces_is_dropped_in_silence(rest: str) -> None:
    found = read(f"{pod()}---\n&a {{apiVersion: v1, kind: Namespace, metadata: {{name: a}}}}\n{rest}\n")
    assert ["not YAML" in each.what for each in found.unreached] == [True]


def test_a_byte_order_mark_may_begin_each_document() -> None:
    found = read(f"\ufeff{pod('one')}---\n\ufeff{pod('two')}")
    assert titles(found) == ["Pod shop/one", "Pod shop/two"]


def test_nulls_are_unset() -> None:
    text = pod() + "  securityContext:\n  nodeSelector: null\n  hostNetwork: ~\n"
    found = read(text)
    assert not found.skipped
    assert found.workloads[0].spec.securityContext is None


@pytest.mark.parametrize(
    ("written", "read_as", "said"),
    [
        ("yes", True, ""),
        ("off", False, ""),
        ("'n'", None, 'found the string "n"'),
        ('"true"', None, 'found the string "true"'),
        ("!!str false", None, 'found the string "false"'),
        ("oFF", None, 'found the string "oFF"'),
        ("0", None, "found 0"),
        ("7", None, "found 7"),
        ("[true]", None, "found a list"),
    ],
)
@pytest.mark.parametrize("field", ["hostNetwork", "hostUsers", "automountServiceAccountToken"])
def test_a_boolean_is_what_kubectl_reads_and_what_it_refuses_is_not_assessed(
    field: str, written: str, read_as: bool | None, said: str
) -> None:
    found = read(f"{pod('other')}---\n{pod()}  {field}: {written}\n")
    assert [getattr(each.spec, field) for each in found.workloads[1:]] == ([] if said else [read_as])
    assert said in "".join(str(each) for each in found.unreached)
    assert bool(said) == bool(found.unreached)


@pytest.mark.parametrize(
    "context",
    [
        'privileged: "false"',
        "runAsUser: '1000'",
        "runAsUser: 1000.5",
        'allowPrivilegeEscalation: "no"',
        "capabilities: {drop: ALL}",
        "capabilities: {drop: [true]}",
        "seccompProfile: RuntimeDefault",
    ],
)
def test_a_context_that_the_api_server_refuses_is_neither_weak_nor_strong(context: str) -> None:
    refused = pod("two").replace("name: main,", f"name: main, securityContext: {{{context}}},")
    assert refused != pod("two")
    found = read(f"{pod()}---\n{refused}")
    assert titles(found) == ["Pod shop/web"]
    assert ["the API server refuses this object" in str(each) for each in found.unreached] == [True]


def test_a_mistake_has_its_own_position_in_documents_and_in_items() -> None:
    broken = pod("two") + "  priority: high\n"
    item = broken.rstrip().replace("\n", "\n  ")
    found = read(f"{pod()}---\n{broken}---\nkind: List\napiVersion: v1\nitems:\n- {item}\n")
    what = 'spec.priority: expected an integer, found the string "high"'
    assert [(each.where, each.what) for each in found.unreached] == [("<stdin>:12:3", what), ("<stdin>:22:5", what)]


@pytest.mark.parametrize(("written", "read_as"), [("010", 8), ("0x10", 16), ("0o10", 8), ("1_000", 1000), ("1.0", 1)])
def test_a_number_is_what_kubectl_reads(written: str, read_as: int) -> None:
    found = one(pod() + f"  securityContext: {{runAsUser: {written}}}\n")
    assert found.spec.securityContext
    assert found.spec.securityContext.runAsUser == read_as


_SCALARS = """
y Y yes No on OFF true TRUE tRUE ~ null 010 08 0o17 0x1F 1_000 0b11 1.0 1.50 1e3 .5 5. +5 1e400 .inf 1:30 2001-01-01
'yes' "0x1" 18446744073709551616 '' << = 0 -0 -0b1 +1_0 1e+999 0.1_0 -.inf -010 .NaN .5e999
"""


@pytest.mark.parametrize("scalar", _SCALARS.split())
@pytest.mark.parametrize(
    "field",
    [
        "hostNetwork: {}",
        "priority: {}",
        "hostname: {}",
        "nodeSelector: {{zone: {}}}",
        "nodeSelector:\n    zone:\n      {}",
        "nodeSelector:\n    ? {}\n    : a",
        "tolerations:\n  - {}",
        "initContainers: [{{name: a, image: b, args: [{}, b]}}]",
        "overhead: {{cpu: {} }}",
    ],
)
def test_the_fast_parser_reads_what_the_exact_one_reads(field: str, scalar: str) -> None:
    text = f"{pod()}  {field.format(scalar)}\n---\n{pod('other')}"
    fast, exact = read(f"---\n{text}"), read(f"%YAML 1.1\n---\n{text}")  # A directive asks for the exact parser.
    assert [each.spec for each in fast.workloads] == [each.spec for each in exact.workloads]
    assert [each.what for each in fast.skipped] == [each.what for each in exact.skipped]
    assert [each.what for each in fast.unreached] == [each.what for each in exact.unreached]


def test_a_digest_is_no_number_that_only_the_exact_parser_could_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("casemate.sources.fast.parse")
    image = "registry.info/web_1:2_0@sha256:0123456789012345678901e999ab5e12301b10e400"
    assert one(pod().replace("busybox", image)).spec.containers[0].image == image


def test_aliases_and_merge_keys_are_resolved() -> None:
    text = pod() + "  initContainers:\n  - &a {name: first, image: busybox}\n  - {<<: *a, name: second}\n"
    assert [each.name for each in one(text).spec.initContainers] == ["first", "second"]


def test_what_cannot_be_read_is_reported_and_the_rest_is_collected() -> None:
    found = read(f"{pod('one')}---\nkind: [\n---\n{pod('two')}")
    assert titles(found) == ["Pod shop/one", "Pod shop/two"]
    assert str(found.unreached[0]).startswith("<stdin>:8:1: not YAML")


def test_what_cannot_be_read_in_a_folder_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "notes.yaml").write_text("kind: [\n")
    (tmp_path / "web.yaml").write_text(pod())
    found = collect([str(tmp_path)], io.BytesIO())
    assert (len(found.skipped), found.unreached) == (1, ())
    found = collect([str(tmp_path / "notes.yaml"), str(tmp_path / "web.yaml")], io.BytesIO())
    assert (found.skipped, len(found.unreached)) == ((), 1)


def test_nothing_to_assess_is_an_error() -> None:
    with pytest.raises(InputError, match="no workloads"):
        read("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n")


def test_a_patch_is_not_assessed() -> None:
    patch = pod("patched").replace("image: busybox", "resources: {}")
    found = read(f"{patch}---\n{pod()}")
    assert titles(found) == ["Pod shop/web"]
    assert "patch" in found.skipped[0].what


_ARGO, _TEKTON = "argoproj.io/v1alpha1", "tekton.dev/v1"
_STEPS = "steps: [{image: a, script: b}, {image: c, args: [d]}]"
_BARE = [
    (_ARGO, "Workflow", "templates: [{container: {image: a, command: [b]}}]", "templates[0].container"),
    (
        _ARGO,
        "CronWorkflow",
        "workflowSpec: {templates: [{script: {image: a, source: b}}]}",
        "workflowSpec.templates[0]",
    ),
    (_TEKTON, "Task", _STEPS, "steps[0] and 1 more"),
    (_TEKTON, "Pipeline", f"tasks: [{{taskSpec: {{{_STEPS}}}}}]", "tasks[0].taskSpec.steps[0] and 1 more"),
    ("monitoring.coreos.com/v1", "Prometheus", "image: a, resources: {}", ""),
]


@pytest.mark.parametrize(("version", "kind", "spec", "place"), _BARE)
def test_a_container_without_a_pod_around_it_is_reported(version: str, kind: str, spec: str, place: str) -> None:
    found = read(f"{pod()}---\n{{apiVersion: {version}, kind: {kind}, metadata: {{name: it}}, spec: {{{spec}}}}}\n")
    assert titles(found) == ["Pod shop/web"]
    (said,) = found.skipped
    assert said.what.startswith(f"{kind} it: a container without a Pod around it, spec{place and '.'}{place}")


@pytest.mark.parametrize(
    "spec", ["template: {spec: {containers: [{image: a, args: [b]}]}}", "image: a", "images: [{name: a}]"]
)
def test_what_holds_pods_or_only_names_an_image_is_no_bare_container(spec: str) -> None:
    assert not read(
        f"{pod()}---\n{{apiVersion: example.com/v1, kind: Some, metadata: {{name: it}}, spec: {{{spec}}}}}\n"
    ).skipped


def test_a_tag_hides_nothing() -> None:
    for tagged in (pod().replace("spec:", "spec: !x"), pod().replace("Pod", "!!str Pod"), f"!x\n{pod()}"):
        assert titles(read(tagged)) == ["Pod shop/web"]


def test_a_kind_without_its_template_is_reported() -> None:
    scale = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 3}}"
    found = read(f"{pod()}---\n{scale}\n")
    assert ["no Pod template" in each.what for each in found.skipped] == [True]


def test_a_named_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(pod())
    with pytest.raises(InputError, match="no such file"):
        collect([str(tmp_path), str(tmp_path / "other.yaml")], io.BytesIO())


def test_files_that_are_no_manifests_are_passed_over_in_folders(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("image: {tag: !custom 1}\nports: [80]\n")
    (tmp_path / "pod.yaml").write_text(pod())
    found = collect([str(tmp_path)], io.BytesIO())
    assert (titles(found), found.skipped) == (["Pod shop/web"], ())


def test_a_chart_that_is_not_rendered_is_reported_once(tmp_path: Path) -> None:
    templates = tmp_path / "chart" / "templates"
    templates.mkdir(parents=True)
    (tmp_path / "chart" / "Chart.yaml").write_text("name: chart\n")
    for name in ("one", "two"):
        (templates / f"{name}.yaml").write_text(pod("{{ .Release.Name }}"))
    (tmp_path / "pod.yaml").write_text(pod())
    found = collect([str(tmp_path)], io.BytesIO())
    assert titles(found) == ["Pod shop/web"]
    assert [(each.where, "helm template" in each.fix) for each in found.skipped] == [(str(tmp_path / "chart"), True)]


def test_an_unreadable_file_in_a_folder_leaves_the_result_incomplete(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(pod())
    (tmp_path / "broken.yaml").symlink_to(tmp_path / "nowhere")
    found = collect([str(tmp_path)], io.BytesIO())
    (unreached,) = found.unreached
    assert "broken.yaml" in str(unreached)


def test_a_pipe_in_a_folder_does_not_hold_it_up(tmp_path: Path) -> None:
    (tmp_path / "pod.yaml").write_text(pod())
    os.mkfifo(tmp_path / "pipe.yaml")
    assert len(collect([str(tmp_path)], io.BytesIO()).unreached) == 1


def test_windows_line_ends_and_byte_order_marks_are_read() -> None:
    found = read("\ufeff" + f"{pod('one')}---\n{pod('two')}".replace("\n", "\r\n"))
    assert [(each.name, each.source.line) for each in found.workloads] == [("one", 1), ("two", 7)]


@pytest.mark.parametrize("separator", ["\u2028", "\u0085", "\r"])
def test_a_foreign_line_break_hides_nothing(separator: str) -> None:
    assert one(pod() + f"  # a comment{separator}  hostNetwork: true\n").spec.hostNetwork is True


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 100_000,
        "- " * 100_000 + "kind",
        "kind: " + "{a: " * 100_000,
        "kind: &b0 [x]\n" + "".join(f"b{i + 1}: &b{i + 1} [{','.join([f'*b{i}'] * 9)}]\n" for i in range(9)),
        "\n".join(" " * depth + "kind:" for depth in range(3000)),
        "{" * 100_000,
        '{"kind": ' * 100_000,
    ],
    ids=["flow", "dashes", "mappings", "billion laughs", "indentation", "braces", "json"],
)
def test_hostile_documents_cost_little(text: str) -> None:
    found = read(f"{pod()}---\n{text}\n")
    assert titles(found) == ["Pod shop/web"]
    assert found.skipped or found.unreached


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
@example(b"kind: Pod\napiVersion: v1\nspec: {containers: [{image: !x y}]}")
@example(b"kind: Pod\napiVersion: v1\nmetadata: []\nspec: {containers: [{image: a, env: 1, ports: [7]}]}")
@example(b'{"kind": "List", "items": [{"kind": "Pod", "spec": {"a": "\xff"}}]}')
@example(b'{"kind": "Pod", "metadata": "\xff"}')
@example(b"kind: List\napiVersion: v1\nitems: [1, null, {kind: List, items: [{}]}]")
def test_no_bytes_crash_it(data: bytes) -> None:
    with suppress(InputError):
        read(data)


_LINES = """\
kind: Pod
kind: List
apiVersion: v1
metadata: {name: 0x1}
spec:
items:
  containers:
  - image: a
    name: yes
    ports: [{containerPort: 08}]
    env:
    - {name: 1, value: no}
  hostNetwork: on
  volumes: [{}]
  volumes: [{name: a, hostPath: {path: ~}}]
<<: {a: b}
&a b: *a
? x
\t
---
...
""".splitlines()


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(_LINES), max_size=20).map("\n".join))
def test_no_shuffled_manifest_crashes_it(text: str) -> None:
    with suppress(InputError):
        found = read(text)
        for each in found.workloads:
            found.locate(each.source, f"{each.path}.containers[0].image")


def test_static_pods_are_marked_as_the_kubelet_marks_them(tmp_path: Path) -> None:
    (tmp_path / "etcd").write_text(pod("etcd").replace(", namespace: shop", ""))
    (tmp_path / ".hidden.yaml").write_text(pod("hidden"))
    (tmp_path / "below").mkdir()
    (tmp_path / "job.yaml").write_text(embedding("batch/v1", "Job", f"spec: {{{_TEMPLATE}}}"))
    found = static.collect(str(tmp_path))
    assert titles(found) == ["Pod default/etcd"]
    assert found.workloads[0].metadata.annotations == {"kubernetes.io/config.source": "file"}
    assert "not a Pod" in found.skipped[0].what


def test_a_folder_of_static_pods_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the folder"):
        static.collect(str(tmp_path / "manifests"))
