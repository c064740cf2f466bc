"""The DaemonSet form: the files are what the generator makes, and hold together."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import yaml

from casemate.sources.cluster_access import access

FOLDER = Path(__file__).parents[3] / "deploy" / "node"
sys.path.append(str(FOLDER))

import enter  # noqa: E402
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


def test_the_credentials_are_found_from_the_nodes_mount_namespace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path is resolved there as the node has it: one that only holds in the container is another file, or none."""
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    account = tmp_path / "var/run/secrets/kubernetes.io/serviceaccount"
    account.mkdir(parents=True)
    (account / "token").write_text("a-token")
    (account / "ca.crt").write_text("a-certificate")
    root = tmp_path / "proc-1-root"
    root.symlink_to(tmp_path)
    file = tmp_path / "elsewhere"
    file.write_text(json.dumps(enter.credentials(str(root))))
    found = access(str(file))
    assert found.headers == {"Authorization": "Bearer a-token"}
    assert (found.server, found.authority) == ("https://10.96.0.1:443", b"a-certificate")
