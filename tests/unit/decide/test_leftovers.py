"""What of Docker is still in nodes and their configuration is found where it stands."""

from __future__ import annotations

import pytest

from casemate.decide.leftovers import of_arguments, of_document, of_environment


@pytest.mark.parametrize(
    "words",
    [
        ["--container-runtime=docker"],
        ["--container-runtime", "docker"],
        ["--network-plugin=cni"],
        ["--cni-bin-dir", "/opt/cni/bin"],
        ["--docker-endpoint=unix:///var/run/docker.sock"],
        ["--container-runtime-endpoint=unix:///var/run/cri-dockerd.sock"],
        ["--container-runtime-endpoint", "/run/dockershim.sock"],
        ["--docker"],
    ],
)
def test_flags_of_dockershim_are_found(words: list[str]) -> None:
    (found,) = of_arguments(["/usr/bin/kubelet", "--v=2", *words, "--config=/x"], "kubelet.service")
    assert found.where == "kubelet.service"
    assert words[0].partition("=")[0] in found.what
    assert found.fix


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--container-runtime=remote"],
        ["--container-runtime-endpoint=unix:///run/containerd/containerd.sock"],
        ["docker", "--config", "docker"],
        ["--container-runtime"],
        ["-docker"],
    ],
)
def test_what_works_with_any_runtime_is_none(words: list[str]) -> None:
    assert list(of_arguments(words, "x")) == []


def test_flags_are_found_in_files_of_variables_with_their_line() -> None:
    text = (
        '# --docker\nKUBELET_KUBEADM_ARGS="--network-plugin=cni --pod-infra-container-image=p:1"\nX=--docker-root=/d\n'
    )
    assert [each.where for each in of_environment(text, "f.env")] == ["f.env:2", "f.env:3"]


DOCUMENTS: list[tuple[object, list[str]]] = [
    (
        {"kind": "KubeletConfiguration", "containerRuntimeEndpoint": "unix:///run/cri-dockerd.sock"},
        ["f: containerRuntimeEndpoint"],
    ),
    ({"kind": "KubeletConfiguration", "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock"}, []),
    (
        {
            "kind": "InitConfiguration",
            "nodeRegistration": {
                "criSocket": "/var/run/dockershim.sock",
                "kubeletExtraArgs": {"network-plugin": "cni", "v": "2"},
            },
        },
        ["f: nodeRegistration.criSocket", "f: kubeletExtraArgs"],
    ),
    (
        {"nodeRegistration": {"kubeletExtraArgs": [{"name": "cni-conf-dir", "value": "/x"}, "a", {}]}},
        ["f: kubeletExtraArgs"],
    ),
    (
        {
            "kind": "Node",
            "metadata": {"annotations": {"kubeadm.alpha.kubernetes.io/cri-socket": "/var/run/dockershim.sock"}},
        },
        ["f: annotation kubeadm.alpha.kubernetes.io/cri-socket"],
    ),
    ({"log-driver": "fluentd", "log-opts": {}}, ["f: log-driver"]),
    ({"log-driver": "json-file"}, ["f: log-driver"]),
    ({"metadata": [], "nodeRegistration": "x", "log-driver": 1, "criSocket": None}, []),
    ([], []),
    (None, []),
]


@pytest.mark.parametrize(("value", "places"), DOCUMENTS)
def test_configuration_is_read(value: object, places: list[str]) -> None:
    assert [each.where for each in of_document(value, "f")] == places


def test_log_drivers_are_told_apart_by_what_they_lose() -> None:
    sent, kept = (next(of_document({"log-driver": each}, "f")).fix for each in ("gelf", "json-file"))
    assert "collector" in sent
    assert "containerLogMaxSize" in kept
