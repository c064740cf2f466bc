"""A cluster that does not answer is named, by every command that asks one, with exit code 4."""

from __future__ import annotations

from pathlib import Path

import pytest

from casemate.cli.main import run_command

_KUBECONFIG = """apiVersion: v1
kind: Config
clusters: [{name: a, cluster: {server: "https://127.0.0.1:1"}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
users: [{name: a, user: {token: x}}]
current-context: a
"""
_POLICY = """apiVersion: casemate.dev/v1alpha1
kind: IsolationPolicy
metadata: {name: tenants}
spec: {permitted: [gvisor]}
"""
_KEY = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
"""


@pytest.mark.parametrize(
    "line",
    [
        "policy impact --policy policy.yaml --kubeconfig config",
        "assess --kubeconfig config",
        "assess --kubeconfig config --proofs-key key.pub",
        "prove cluster --kubeconfig config --key key.pub",
        pytest.param("node apply --yes --kubeconfig config --in-turn", marks=pytest.mark.root),
        *(f"corpus run --against {engine} --kubeconfig config" for engine in ("webhook", "native", "kyverno")),
    ],
)
def test_a_cluster_that_does_not_answer_is_named(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, content in {"config": _KUBECONFIG, "policy.yaml": _POLICY, "key.pub": _KEY}.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "corpus").symlink_to(Path(__file__).parents[3] / "corpus")
    monkeypatch.chdir(tmp_path)
    assert run_command(line.split()) == 4
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("casemate: https://127.0.0.1:1: ")
    assert "Connection refused" in said.err
    assert "\n  → check the server's address, and that it runs" in said.err
