"""What is read of a node: settings in all vocabularies, programs, the kubelet, containers, classes."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from casemate.engine.cri import cri_pb2 as pb
from casemate.errors import InputError
from casemate.model.boundary import Boundary
from casemate.model.kube.meta import ObjectMeta
from casemate.model.kube.objects import RuntimeClass, Scheduling
from casemate.model.node import NodeHandler, Seen, Toml, Unseen
from casemate.node import classes, daemon, files, kubelet, measure, programs, running, settings
from casemate.node.measure import Cost, Trial

V2: Toml = {
    "version": 2,
    "disabled_plugins": ["cri"],
    "grpc": {"address": "/run/c.sock", "tcp_address": "0.0.0.0:1", "uid": 7},
    "debug": {"level": "debug", "address": "/run/d.sock"},
    "plugins": {
        "io.containerd.grpc.v1.cri": {
            "stream_server_address": "0.0.0.0",
            "unset_seccomp_profile": "runtime/default",
            "sandbox_image": "pause:1",
            "containerd": {"default_runtime_name": "runc", "snapshotter": "overlayfs"},
            "registry": {
                "configs": {"r.example": {"tls": {"insecure_skip_verify": True}, "auth": {"username": "u"}}},
                "mirrors": {"r.example": {"endpoint": ["http://m.example"]}},
            },
        }
    },
}
V4: Toml = {
    "version": 4,
    "plugins": {
        "io.containerd.server.v1.grpc": {"address": "/run/c.sock", "uid": 7},
        "io.containerd.server.v1.grpc-tcp": {"address": "0.0.0.0:1"},
        "io.containerd.server.v1.debug": {"address": "/run/d.sock"},
        "io.containerd.grpc.v1.cri": {"stream_server_address": "0.0.0.0"},
        "io.containerd.nri.v1.nri": {"disable": False, "socket_path": "/run/nri.sock"},
        "io.containerd.cri.v1.runtime": {
            "unset_seccomp_profile": "runtime/default",
            "containerd": {"default_runtime_name": "runc"},
        },
        "io.containerd.cri.v1.images": {"snapshotter": "overlayfs", "pinned_images": {"sandbox": "pause:1"}},
    },
}


@pytest.mark.parametrize("config", [V2, V4], ids=["version 2", "version 4"])
def test_versions_say_the_same_in_other_places(config: Toml) -> None:
    found = settings.of("containerd", config)
    assert (found.grpc_address, found.tcp_address, found.socket_uid) == ("/run/c.sock", "0.0.0.0:1", 7)
    assert (found.debug_address, found.stream_address) == ("/run/d.sock", "0.0.0.0")
    assert (found.default_handler, found.sandbox_image, found.snapshotter) == ("runc", "pause:1", "overlayfs")
    assert found.seccomp_default_on


def test_what_weakens_containerd_1_is_seen() -> None:
    found = settings.of("containerd", V2)
    assert not found.cri_enabled
    assert found.log_level == "debug"
    assert found.insecure_registries == ("r.example",)
    assert found.plain_http_registries == ("http://m.example",)
    assert found.inline_credentials == ("r.example",)


def test_nri_is_on_where_it_is_not_disabled() -> None:
    assert settings.of("containerd", V4).nri_enabled
    assert not settings.of("containerd", V2).nri_enabled


@pytest.mark.parametrize(
    ("told", "on"),
    [
        ({}, False),
        ({"seccomp_use_default_when_empty": False}, False),
        ({"seccomp_use_default_when_empty": True}, True),
        ({"seccomp_use_default_when_empty": True, "seccomp_profile": "unconfined"}, False),
    ],
)
def test_crio_gives_no_seccomp_profile_to_who_asks_for_none(told: dict[str, object], on: bool) -> None:
    assert settings.of("crio", {"crio": {"runtime": told}}).seccomp_default_on is on


def test_crios_default_handler_is_crun() -> None:
    assert settings.of("crio", {}).default_handler == "crun"


def says(folder: Path, name: str, text: str) -> str:
    file = folder / name
    file.write_text(f"#!/bin/sh\ncat <<'X'\n{text}\nX\n")
    file.chmod(0o755)
    return str(file)


@pytest.mark.parametrize(
    ("name", "text", "component", "version"),
    [
        ("runc", "runc version 1.1.5+ds1\ncommit: x", "runc", "1.1.5+ds1"),
        ("crun", "crun version 1.8.1\ncommit: x", "crun", "1.8.1"),
        ("runsc", "runsc version release-20260824.0\nspec: 1.2.0", "gvisor", "20260824.0"),
        ("runsc", "runsc version v0.0.0-20260701204157-69c2d17aea96\nspec: 1.2.1", "gvisor", "20260701.0"),
        ("containerd", "containerd github.com/containerd/containerd/v2 2.4.2+unknown", "containerd", "2.4.2+unknown"),
        ("containerd-shim-runc-v2", "containerd-shim-runc-v2:\n  Version:  1.6.20~ds1", "containerd", "1.6.20~ds1"),
        ("wasm", "casemate-wasm 1 (wazero 1.12.0)", "", "1.12.0"),
        ("strange", "hello", "", ""),
    ],
)
def test_a_program_is_what_it_says(name: str, text: str, component: str, version: str, tmp_path: Path) -> None:
    found = programs.look(says(tmp_path, name, text))
    assert (found.component, found.version) == (component, version)
    assert len(found.sha256) == 64


def test_a_version_without_a_fix_is_known_bad() -> None:
    assert "CVE-2024-21626" in programs.known_bad("runc", "1.1.5")
    assert "CVE-2024-21626" not in programs.known_bad("runc", "1.2.0")
    assert programs.known_bad("runc", "1.5.2") == ()
    assert programs.known_bad("runc", "") == ()


def test_a_handler_named_for_a_sandbox_that_starts_runc_is_no_sandbox(tmp_path: Path) -> None:
    runc = says(tmp_path, "runc", "runc version 1.5.2")
    says(tmp_path, "containerd-shim-runc-v2", "containerd-shim-runc-v2:\n  Version:  2.4.2")
    table = {"runtime_type": "io.containerd.runc.v2", "options": {"BinaryName": runc}}
    config: Toml = {"plugins": {"io.containerd.cri.v1.runtime": {"containerd": {"runtimes": {"gvisor": table}}}}}
    (found,) = programs.handlers("containerd", config, [str(tmp_path)])
    assert (found.boundary, found.named_boundary) == (Boundary.SHARED, Boundary.SANDBOX)


def test_casemates_launcher_of_gvisor_starts_what_lies_beside_it(tmp_path: Path) -> None:
    says(tmp_path, "shim", "shim:\n  Version:  2.1.5")
    says(tmp_path, "runsc", "runsc version release-20261101.0")
    launcher = says(tmp_path, "containerd-shim-runsc-v1", "containerd-shim-runsc-v1:\n  Version:  2.1.5")
    table = {"runtime_type": launcher}
    config: Toml = {"plugins": {"io.containerd.cri.v1.runtime": {"containerd": {"runtimes": {"runsc": table}}}}}
    (found,) = programs.handlers("containerd", config, [])
    assert (found.boundary, found.named_boundary) == (Boundary.SANDBOX, Boundary.SANDBOX)


def test_a_handler_whose_program_is_gone_is_of_unknown_boundary(tmp_path: Path) -> None:
    config: Toml = {
        "plugins": {
            "io.containerd.cri.v1.runtime": {
                "containerd": {"runtimes": {"runsc": {"runtime_type": "io.containerd.runsc.v1"}}}
            }
        }
    }
    (found,) = programs.handlers("containerd", config, [str(tmp_path)])
    assert found.boundary is Boundary.UNKNOWN
    assert found.missing == ("containerd-shim-runsc-v1",)


def test_crios_handlers_are_resolved_too(tmp_path: Path) -> None:
    crun = says(tmp_path, "crun", "crun version 1.20")
    config: Toml = {"crio": {"runtime": {"runtimes": {"crun": {"runtime_path": crun, "allowed_annotations": ["a"]}}}}}
    (found,) = programs.handlers("crio", config, [])
    assert (found.boundary, found.pod_annotations) == (Boundary.SHARED, ("a",))


def test_a_shim_that_crio_ignores_is_of_unknown_boundary(tmp_path: Path) -> None:
    says(tmp_path, "runsc", "runsc version release-20261101.0")
    shim = says(tmp_path, "containerd-shim-runsc-v1", "containerd-shim-runsc-v1:\n  Version:  2.1.5 runsc version")
    config: Toml = {"crio": {"runtime": {"runtimes": {"runsc": {"runtime_path": shim, "runtime_type": "vm"}}}}}
    (old,) = programs.handlers("crio", config, [], "1.36.3")
    assert (old.boundary, old.missing) == (Boundary.UNKNOWN, ())
    assert "1.37 is the first" in old.ignored
    assert programs.handlers("crio", config, [], "1.37.0")[0].ignored == ""


def test_the_kubelets_defaults_depend_on_whether_it_has_a_file() -> None:
    with_file, without = kubelet.of_texts(["kind: KubeletConfiguration"], ()), kubelet.of_texts([], ())
    assert isinstance(with_file, Seen)
    assert isinstance(without, Seen)
    assert (with_file.value["readOnlyPort"], without.value["readOnlyPort"]) == (0, 10255)


def test_flags_of_the_kubelet_win_over_its_files() -> None:
    found = kubelet.of_texts(["readOnlyPort: 0", "seccompDefault: true"], ["--read-only-port=10255", "--v", "2"])
    assert isinstance(found, Seen)
    assert (found.value["readOnlyPort"], found.value["seccompDefault"]) == (10255, True)


@pytest.mark.parametrize(
    "flags",
    [
        ["--anonymous-auth=false", "--anonymous-auth=true"],
        ["--anonymous-auth"],
        ["--anonymous-auth", "--v=2"],
        ["--anonymous-auth=false", "--anonymous-auth", "false"],
    ],
)
def test_a_flag_counts_as_the_kubelet_reads_it(flags: list[str]) -> None:
    found = kubelet.of_texts(["authentication: {anonymous: {enabled: false}}"], ["kubelet", *flags])
    assert isinstance(found, Seen)
    assert found.value["authentication"]["anonymous"] == {"enabled": True}


def test_a_kubelet_configuration_that_is_no_yaml_could_not_be_looked_at() -> None:
    assert isinstance(kubelet.of_texts(["a: [b"], ()), Unseen)


def test_a_containers_record_shows_what_it_may() -> None:
    spec = {
        "process": {"capabilities": {"bounding": ["CAP_CHOWN", "CAP_SYS_ADMIN"]}},
        "linux": {"namespaces": [{"type": "network"}, {"type": "ipc"}], "resources": {"memory": {"limit": 5}}},
        "mounts": [{"source": "/run/containerd/containerd.sock", "options": ["rbind", "rshared"]}],
    }
    info = json.dumps({"runtimeSpec": spec, "config": {"linux": {"security_context": {"privileged": True}}}})
    sandbox = pb.PodSandbox(metadata=pb.PodSandboxMetadata(namespace="shop", name="web"))
    container = pb.Container(metadata=pb.ContainerMetadata(name="main"))
    handler = NodeHandler(name="runc", runtime_type="io.containerd.runc.v2", boundary=Boundary.SHARED)
    found = running.of_record(container, sandbox, info, "runc", {"runc": handler})
    assert (found.pod, found.privileged, found.host_namespaces) == ("shop/web", True, ("pid",))
    assert found.sensitive_mounts == found.shared_mounts == ("/run/containerd/containerd.sock",)
    assert found.extra_capabilities == ("CAP_SYS_ADMIN",)
    assert found.memory_limited
    assert found.seccomp is None  # its process is not known here, which is not the same as none


def test_crios_record_of_a_container_says_otherwise_that_it_is_privileged() -> None:
    found = running.of_record(pb.Container(), None, json.dumps({"privileged": True, "runtimeSpec": {}}), "runc", {})
    assert found.privileged


def test_a_container_of_an_unknown_handler_shares_the_kernel_for_all_we_know() -> None:
    found = running.of_record(pb.Container(), None, "{", "gone", {})
    assert found.handler_boundary is Boundary.UNKNOWN


@pytest.mark.parametrize(
    ("selector", "labels", "elsewhere"),
    [({}, {}, False), ({"a": "b"}, {"a": "b"}, False), ({"a": "b"}, {"a": "c"}, True), ({"a": "b"}, None, True)],
)
def test_a_class_selects_nodes(selector: dict[str, str], labels: dict[str, str] | None, elsewhere: bool) -> None:
    made = RuntimeClass(
        handler="runsc", metadata=ObjectMeta(name="gvisor"), scheduling=Scheduling(nodeSelector=selector)
    )
    assert [each.selects for each in classes.of_classes([made], labels)] == [elsewhere]


def test_classes_of_a_file_are_read_and_a_wrong_file_is_said(tmp_path: Path) -> None:
    file = tmp_path / "classes.yaml"
    file.write_text("apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: {name: gvisor}\nhandler: runsc\n")
    found = classes.of_files([file])
    assert isinstance(found, Seen)
    assert [(each.name, each.handler) for each in found.value] == [("gvisor", "runsc")]
    with pytest.raises(InputError, match="no such file"):
        classes.of_files([tmp_path / "none.yaml"])


def test_classes_are_found_as_kubectl_writes_them(tmp_path: Path) -> None:
    file = tmp_path / "classes.yaml"
    made = "{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: gvisor}, handler: runsc}"
    file.write_text(f"apiVersion: v1\nkind: List\nitems: [{made}]\n")
    found = classes.of_files([file])
    assert isinstance(found, Seen)
    assert [each.name for each in found.value] == ["gvisor"]


def test_a_file_without_classes_is_not_taken_for_a_cluster_without_any(tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_text("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n")
    with pytest.raises(InputError, match="no RuntimeClass in it"):
        classes.of_files([file])


def test_who_listens_on_a_socket_is_told_by_the_kernel(tmp_path: Path) -> None:
    address = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(address)
        server.listen()
        assert daemon.listener(address) == os.getpid()
    assert daemon.listener(address) == 0


def test_a_sandboxs_processes_are_those_that_name_it_and_their_children(tmp_path: Path) -> None:
    for pid, parent, arguments in ((10, 1, "shim\0-id\0abc"), (11, 10, "/pause"), (12, 11, "child"), (20, 1, "other")):
        (tmp_path / str(pid)).mkdir()
        (tmp_path / str(pid) / "cmdline").write_text(arguments)
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (a) b) S {parent} 0")
    assert measure.processes(["abc"], tmp_path) == {10, 11, 12}


MIB = 1 << 20


@pytest.mark.parametrize(
    ("tried", "default", "overhead", "reason"),
    [
        (Trial((Cost(50 * MIB, 1.0),)), Trial((Cost(5 * MIB, 0.3),)), 45 * MIB, ""),
        (Trial((Cost(5 * MIB + 9, 1.0),)), Trial((Cost(5 * MIB, 0.3),)), 0, ""),
        (Trial(reason="no shim"), Trial((Cost(5, 0.3),)), 0, "no shim"),
        (Trial(reason="no image"), Trial(reason="no image"), 0, "under no handler"),
    ],
)
def test_overhead_is_what_the_default_handler_does_not_need(
    tried: Trial, default: Trial, overhead: int, reason: str
) -> None:
    found = measure.of_trials("runsc", tried, default)
    assert found.overhead == overhead
    assert reason in found.reason


def test_a_link_to_a_program_shows_the_folders_of_both(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir(mode=0o777)
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "open" / "real").write_text("")
    (tmp_path / "link").symlink_to("open/real")
    assert f"{tmp_path}/open" in {each.path for each in files.with_folders(tmp_path / "link")}
