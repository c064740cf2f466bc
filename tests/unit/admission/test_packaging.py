"""The manifests in deploy/admit are what their generator makes, and say what the code needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from casemate.model.policy import ExceptionSpec, HardeningRule, Match, NamespaceMatch, PolicySpec

DEPLOY = Path(__file__).parents[3] / "deploy" / "admit"

Schema = dict[str, Any]


def test_the_files_are_current() -> None:
    done = subprocess.run([sys.executable, str(DEPLOY / "generate.py"), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def schemas() -> dict[str, Schema]:
    documents = yaml.safe_load_all((DEPLOY / "kustomize" / "crds.yaml").read_text())
    return {
        each["spec"]["names"]["kind"]: each["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
        for each in documents
    }


@pytest.mark.parametrize(
    ("kind", "path", "struct"),
    [
        ("IsolationPolicy", (), PolicySpec),
        ("IsolationPolicy", ("match",), Match),
        ("IsolationPolicy", ("match", "namespaces"), NamespaceMatch),
        ("IsolationPolicy", ("hardening",), HardeningRule),
        ("NamespacedIsolationPolicy", (), PolicySpec),
        ("IsolationException", (), ExceptionSpec),
        ("IsolationException", ("scope",), Match),
    ],
)
def test_a_schema_has_the_fields_of_the_model(kind: str, path: tuple[str, ...], struct: type[msgspec.Struct]) -> None:
    schema = schemas()[kind]
    for each in path:
        schema = schema["properties"][each]
    assert set(schema["properties"]) == set(struct.__struct_encode_fields__)


def objects_of(schema: Schema) -> list[Schema]:
    """Every part of a schema that lists fields."""
    inner = [*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])]
    found = [schema] if "properties" in schema else []
    return [*found, *(one for each in inner for one in objects_of(each))]


@pytest.mark.parametrize("kind", ["IsolationPolicy", "NamespacedIsolationPolicy", "IsolationException"])
def test_a_misspelt_field_reaches_the_webhook(kind: str) -> None:
    found = objects_of(schemas()[kind])
    assert len(found) > 3
    assert all(each["x-kubernetes-preserve-unknown-fields"] for each in found)


def deployment() -> Schema:
    documents = yaml.safe_load_all((DEPLOY / "kustomize" / "casemate.yaml").read_text())
    found: Schema = next(each for each in documents if each["kind"] == "Deployment")
    return found


def test_the_pods_are_confined() -> None:
    pod = deployment()["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert deployment()["spec"]["replicas"] == 3


def test_no_right_is_wider_than_its_use() -> None:
    documents = list(yaml.safe_load_all((DEPLOY / "kustomize" / "casemate.yaml").read_text()))
    rules = [rule for each in documents if each["kind"] in ("ClusterRole", "Role") for rule in each["rules"]]
    assert not any("*" in rule[part] for rule in rules for part in ("verbs", "resources", "apiGroups"))
    secrets = [rule for rule in rules if "secrets" in rule["resources"]]
    assert all(rule.get("resourceNames") for rule in secrets)
    made = {resource for rule in rules if "create" in rule["verbs"] for resource in rule["resources"]}
    assert made == {"podtemplates", "policyreports", "reports", "leases"}
