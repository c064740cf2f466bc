"""How a cluster is reached: kubeconfigs as kubectl reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from casemate.errors import InputError, MissingError, RefusedError

pytest.importorskip("httpx")

from casemate.sources.cluster_access import access

_CONFIG = """\
apiVersion: v1
kind: Config
current-context: one
contexts:
- {name: one, context: {cluster: near, user: me, namespace: shop}}
- {name: two, context: {cluster: far, user: nobody}}
clusters:
- {name: near, cluster: {server: 'https://near.test:6443/', tls-server-name: inside, certificate-authority: ca.crt}}
- {name: far, cluster: {server: 'https://far.test', insecure-skip-tls-verify: true, proxy-url: 'http://proxy.test:3128'}}
users:
- {name: me, user: {token: secret, as: someone, as-groups: [one, two]}}
"""


@pytest.fixture(autouse=True)
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "ca.crt").write_text("PEM")
    file = tmp_path / "config"
    file.write_text(_CONFIG)
    return file


def test_the_current_context_counts(config: Path) -> None:
    found = access(str(config))
    assert (found.server, found.server_name, found.authority) == ("https://near.test:6443", "inside", b"PEM")
    assert found.headers == {"Authorization": "Bearer secret", "Impersonate-User": "someone"}
    assert found.groups == ("one", "two")


def test_a_context_can_be_chosen(config: Path) -> None:
    found = access(str(config), "two")
    assert (found.server, found.insecure, found.proxy) == ("https://far.test", True, "http://proxy.test:3128")
    assert not found.headers


def test_secrets_are_not_shown(config: Path) -> None:
    assert "secret" not in repr(access(str(config)))


def test_of_several_files_the_first_that_has_a_name_gives_it(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = tmp_path / "first"
    first.write_text("current-context: two\nusers: [{name: me, user: {token: other}}]\nclusters:\n")
    monkeypatch.setenv("KUBECONFIG", f"{first}:{tmp_path / 'absent'}:{config}")
    assert access().server == "https://far.test"
    assert access(context="one").headers["Authorization"] == "Bearer other"


def test_the_home_folder_has_one(config: Path, tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text(_CONFIG.replace("ca.crt", str(tmp_path / "ca.crt")))
    assert access().server == "https://near.test:6443"


def test_nothing_that_says_how_is_missing() -> None:
    with pytest.raises(MissingError, match="no kubeconfig"):
        access()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("current-context: one", "current-context: three", 'no context "three"'),
        ("current-context: one", "", "no current context"),
        ("cluster: near", "cluster: none", 'no cluster "none"'),
        ("'https://near.test:6443/'", "''", "has no server"),
        ("ca.crt", "other.crt", "cannot read the CA"),
        ("certificate-authority: ca.crt", "certificate-authority-data: '%'", "not base64"),
        ("users:", "users: 7\nothers:", "not a kubeconfig"),
        ("contexts:", "contexts: [", "not YAML"),
    ],
)
def test_mistakes_are_said(config: Path, old: str, new: str, said: str) -> None:
    config.write_text(_CONFIG.replace(old, new, 1))
    with pytest.raises(InputError, match=said):
        access(str(config))


def test_the_old_way_to_log_in_is_refused(config: Path) -> None:
    config.write_text(_CONFIG.replace("{token: secret", "{auth-provider: {name: oidc}"))
    with pytest.raises(RefusedError, match="auth-provider"):
        access(str(config))


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the kubeconfig"):
        access(str(tmp_path / "absent"))
