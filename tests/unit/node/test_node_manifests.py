"""The DaemonSet form: the files are what the generator makes, and hold together."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import yaml

FOLDER = Path(__file__).parents[3] / "deploy" / "node"
sys.path.append(str(FOLDER))

import node_manifests  # noqa: E402


@pytest.mark.parametrize("path", sorted(node_manifests.files()))
def test_the_files_are_what_the_generator_makes(path: str) -> None:
    assert (FOLDER / path).read_text(encoding="utf-8") == node_manifests.files()[path]


def test_the_script_of_the_config_map_is_the_one_that_is_tested() -> None:
    found = yaml.safe_load_all((FOLDER / "kustomize" / "casemate-node.yaml").read_text(encoding="utf-8"))
    script = next(each for each in found if each["kind"] == "ConfigMap")["data"]["enter.py"]
    assert script == (FOLDER / "enter.py").read_text(encoding="utf-8")


def test_only_labelled_nodes_are_prepared() -> None:
    found = yaml.safe_load_all((FOLDER / "kustomize" / "casemate-node.yaml").read_text(encoding="utf-8"))
    pod = next(each for each in found if each["kind"] == "DaemonSet")["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"casemate.dev/prepare": "true"}
    assert pod["hostPID"] is True
