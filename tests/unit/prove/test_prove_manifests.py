"""The DaemonSet form of `prove`: the files are what the generator makes, and ask for no more than they need."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).parents[3] / "deploy" / "prove"
sys.path.append(str(FOLDER))

import prove_manifests  # noqa: E402

OBJECTS: dict[str, dict[str, Any]] = {each["kind"]: each for each in prove_manifests.objects()}


@pytest.mark.parametrize("path", sorted(prove_manifests.files()))
def test_the_files_are_what_the_generator_makes(path: str) -> None:
    assert (FOLDER / path).read_text(encoding="utf-8") == prove_manifests.files()[path]


def test_a_prober_may_write_config_maps_of_its_own_namespace_and_nothing_else() -> None:
    assert OBJECTS["Role"]["rules"] == [
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["create", "patch"]},
    ]
    assert OBJECTS["Role"]["metadata"]["namespace"] == OBJECTS["DaemonSet"]["metadata"]["namespace"]
    assert not {"ClusterRole", "ClusterRoleBinding"} & set(OBJECTS)


def test_its_token_is_bound_to_its_pod_and_ends() -> None:
    pod = OBJECTS["DaemonSet"]["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    account = next(each for each in pod["volumes"] if each["name"] == "account")
    assert account["projected"]["sources"][0]["serviceAccountToken"]["expirationSeconds"] == 3600


def test_the_script_of_the_config_map_is_the_one_that_is_tested() -> None:
    assert OBJECTS["ConfigMap"]["data"]["enter_runtime.py"] == (FOLDER / "enter_runtime.py").read_text(encoding="utf-8")


def test_probe_pods_lie_in_a_restricted_namespace_of_their_own() -> None:
    namespaces = yaml.safe_load_all(prove_manifests.files()["kustomize/namespace.yaml"])
    level = "pod-security.kubernetes.io/enforce"
    levels = {each["metadata"]["name"]: each["metadata"]["labels"][level] for each in namespaces}
    assert levels == {"casemate-prove": "privileged", "casemate-probe": "restricted"}


def test_only_labelled_nodes_are_proven() -> None:
    pod = OBJECTS["DaemonSet"]["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"casemate.dev/prove": "true"}
    assert pod["hostPID"] is True
