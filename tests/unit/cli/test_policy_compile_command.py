"""`casemate policy compile`: objects to stdout, gaps to stderr, files where an API server reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from casemate.cli.main import run_command

CLASSES = """
---
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: kata}
handler: kata-qemu
"""
POLICY = """apiVersion: casemate.dev/v1alpha1
kind: IsolationPolicy
metadata: {name: tenants}
spec:
  match: {namespaces: {labels: {tenancy: shared}}}
  default: kata
  permitted: [{boundary: ">=vm"}]
"""


@pytest.fixture
def tenants(tmp_path: Path) -> Path:
    file = tmp_path / "tenants.yaml"
    file.write_text(POLICY + CLASSES)
    return file


@pytest.mark.parametrize("to", ["native", "static", "kyverno", "gatekeeper"])
def test_every_target_gets_a_stream_of_objects(tenants: Path, to: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["policy", "compile", "-p", str(tenants), "--to", to]) == 0
    said = capsys.readouterr()
    objects = list(yaml.safe_load_all(said.out))
    assert objects
    assert all({"apiVersion", "kind", "metadata", "spec"} <= each.keys() for each in objects)
    assert said.out.startswith(f"# Made by: casemate policy compile --to {to}.")
    assert "note: fit (tenants)" in said.err


def test_json_is_a_list_that_kubectl_applies(tenants: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["policy", "compile", "-p", str(tenants), "--to", "native", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "List"


def test_what_would_be_left_open_is_an_error_with_its_line(tenants: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["policy", "compile", "-p", str(tenants), "--to", "native", "--kubernetes-version", "1.33"]
    assert run_command(arguments) == 2
    said = capsys.readouterr()
    assert not said.out
    assert f"{tenants}:1" in said.err
    assert "tenants: default" in said.err
    assert run_command([*arguments, "--partial"]) == 0
    said = capsys.readouterr()
    assert "left open: tenants: default" in said.err
    assert "# left open: tenants: default" in said.out


def test_files_for_an_api_server_lie_where_its_configuration_says(tenants: Path, tmp_path: Path) -> None:
    into = tmp_path / "etc"
    assert run_command(["policy", "compile", "-p", str(tenants), "--to", "static", "--into", str(into)]) == 0
    configuration = yaml.safe_load((into / "admission-configuration.yaml").read_text())
    for plugin in configuration["plugins"]:
        folder = Path(plugin["configuration"]["staticManifestsDir"])
        objects = list(yaml.safe_load_all((folder / "casemate.yaml").read_text()))
        assert {each["kind"].removesuffix("Binding") for each in objects} == {plugin["name"]}


def test_only_static_is_written_to_a_folder(tenants: Path, tmp_path: Path) -> None:
    assert run_command(["policy", "compile", "-p", str(tenants), "--to", "native", "--into", str(tmp_path)]) == 2
