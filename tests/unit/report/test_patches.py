"""Fixes as text for other tools say the same as the fixes."""

from __future__ import annotations

import subprocess
from pathlib import Path

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.model.edit import Fix, Remove, Set, applied
from casemate.model.kube.meta import ObjectMeta
from casemate.model.kube.pod import PodSpec
from casemate.model.workload import Source, Workload
from casemate.report.patches import diff, kustomize

SPEC = {"containers": [{"name": "web", "image": "i"}, {"name": "log", "image": "j", "securityContext": {}}]}


def workload(kind: str = "Deployment", version: str = "apps/v1", path: str = "spec.template.spec") -> Workload:
    return Workload(
        api_version=version,
        kind=kind,
        namespace="shop",
        name="app",
        path=path,
        metadata=ObjectMeta(),
        spec=msgspec.convert(SPEC, PodSpec),
        source=Source("f.yaml", 1),
    )


def patched(fix: Fix) -> dict:
    component = yaml.safe_load(kustomize([fix]))
    assert component["kind"] == "Component"
    (patch,) = component["patches"]
    return patch | {"patch": yaml.safe_load(patch["patch"])}


def test_kinds_of_kubernetes_are_merged_with_containers_by_name() -> None:
    root = ("spec", "template", "spec")
    edits = (
        Set((*root, "runtimeClassName"), "gvisor"),
        Set((*root, "containers", 1, "securityContext", "capabilities", "drop"), ["ALL"]),
        Set((*root, "containers", 1, "securityContext", "allowPrivilegeEscalation"), False),
        Remove(("spec", "template", "metadata", "annotations", "a/b")),
    )
    assert patched(Fix(workload(), edits)) == {
        "patch": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "app", "namespace": "shop"},
            "spec": {
                "template": {
                    "metadata": {"annotations": {"a/b": None}},
                    "spec": {
                        "runtimeClassName": "gvisor",
                        "containers": [
                            {
                                "name": "log",
                                "securityContext": {
                                    "capabilities": {"drop": ["ALL"]},
                                    "allowPrivilegeEscalation": False,
                                },
                            }
                        ],
                    },
                }
            },
        }
    }


def test_other_kinds_are_patched_by_operations_that_make_what_is_missing() -> None:
    root = ("spec", "nodeSets", "0", "podTemplate", "spec")
    edits = (
        Set((*root, "containers", 0, "securityContext", "privileged"), False),
        Set((*root, "containers", 0, "securityContext", "capabilities", "drop"), ["ALL"]),
        Set((*root, "containers", 1, "securityContext", "privileged"), False),
        Remove((*root, "overhead")),
    )
    own = workload("Elasticsearch", "elasticsearch.k8s.elastic.co/v1", "spec.nodeSets[0].podTemplate.spec")
    at = "/spec/nodeSets/0/podTemplate/spec"
    found = patched(Fix(own, edits))
    assert found["target"] == {
        "group": "elasticsearch.k8s.elastic.co",
        "version": "v1",
        "kind": "Elasticsearch",
        "name": "app",
        "namespace": "shop",
    }
    assert found["patch"] == [
        {"op": "add", "path": f"{at}/containers/0/securityContext", "value": {"privileged": False}},
        {"op": "add", "path": f"{at}/containers/0/securityContext/capabilities", "value": {"drop": ["ALL"]}},
        {"op": "add", "path": f"{at}/containers/1/securityContext/privileged", "value": False},
        {"op": "remove", "path": f"{at}/overhead"},
    ]


@pytest.mark.parametrize("text", ["yes", "null", "1e3", "", "a: b", "x # y", "- a", "é", "a\nb", "'"])
def test_text_stays_text(text: str) -> None:
    fix = Fix(workload(), (Set(("spec", "template", "spec", "runtimeClassName"), text),))
    assert patched(fix)["patch"]["spec"]["template"]["spec"]["runtimeClassName"] == text


def test_without_edits_there_is_an_empty_component() -> None:
    assert yaml.safe_load(kustomize([Fix(workload(), refusal="no")]))["patches"] == []


def test_no_change_is_no_diff() -> None:
    assert diff("f.yaml", "a\n", "a\n") == ""


LINES = st.lists(st.sampled_from(["a\n", "b\n", "c\r\n", "---\n", "d\x0ce\n"]), max_size=30)


@settings(max_examples=25, deadline=None)
@given(LINES, LINES, st.booleans())
def test_git_applies_a_diff(
    tmp_path_factory: pytest.TempPathFactory, old: list[str], new: list[str], open_end: bool
) -> None:
    before, after = "".join(["x\n", *old]), "".join(["x\n", *new])
    after = after.removesuffix("\n") if open_end else after
    folder = tmp_path_factory.mktemp("diff")
    (folder / "f.yaml").write_bytes(before.encode())
    text = diff("f.yaml", before, after)
    if text:
        apply = ["git", "apply", "--whitespace=nowarn", "-"]
        subprocess.run(
            apply, input=text.encode(), cwd=folder, check=True, env={"GIT_CEILING_DIRECTORIES": "/", "PATH": "/usr/bin"}
        )
    assert Path(folder / "f.yaml").read_bytes() == after.encode()


def test_edits_that_are_applied_twice_change_nothing_more() -> None:
    edits = (Set(("a", "b", "c"), 1), Remove(("a", "x")), Set(("l", 0, "z"), None))
    once = applied({"l": [{}], "a": {"x": 2}}, edits)
    assert once == {"l": [{"z": None}], "a": {"b": {"c": 1}}}
    assert applied(once, edits) == once
