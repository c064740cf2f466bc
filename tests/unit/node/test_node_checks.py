"""Every hardening check has a node on which it passes and one on which it fails."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

sys.path.append(str(Path(__file__).parent))

from sound_node import (
    NODE,
    RUNC,
    file,
    folder,
    socket,
    with_configuration,
    with_container,
    with_daemon,
    with_file,
    with_gvisor,
    with_handler,
    with_host,
    with_kata,
    with_kubelet,
    with_program,
    with_settings,
    with_sysctl,
)

from casemate.model.boundary import Boundary
from casemate.model.node import ClassFact, Host, ImportFact, Listener, NodeFacts, Prepared, Program, Seen, Unseen
from casemate.model.node_check import Verdict
from casemate.node import checks

HOSTS = "/etc/containerd/certs.d/r.example/hosts.toml"
A = "/etc/containerd/conf.d/a.toml"
WASM = Program(name="shim", path="/usr/bin/containerd-shim-wasmtime-v1", version="0.6")

FAILING: dict[str, NodeFacts] = {
    "CN001": with_file("configuration", file("/etc/containerd/config.toml", gid=100)),
    "CN002": with_file("configuration", file("/etc/containerd/config.toml", 0o664)),
    "CN003": with_file("folders of the configuration", folder("/etc", 0o777)),
    "CN004": with_file("units", file("/lib/systemd/system/containerd.service", 0o666)),
    "CN005": with_file("handlers", file("/etc/containerd/runsc.toml", uid=1000)),
    "CN006": with_file("registries", file(HOSTS, 0o666)),
    "CN007": with_file("registry certificates", file("/etc/containerd/certs.d/r.example/ca.crt", 0o755)),
    "CN008": with_file("CNI plugins", file("/opt/cni/bin/bridge", 0o777)),
    "CN009": with_file("CDI", folder("/etc/cdi", 0o777)),
    "CN010": with_file("root", folder("/var/lib/containerd", 0o777)),
    "CN011": with_file("kubelet", file("/var/lib/kubelet/config.yaml", 0o644)),
    "CN101": with_file("CRI socket", socket("/run/containerd/containerd.sock", uid=1000)),
    "CN102": with_file("CRI socket", socket("/run/containerd/containerd.sock", 0o666)),
    "CN103": with_file("ttrpc socket", socket("/run/containerd/containerd.sock.ttrpc", 0o666)),
    "CN104": with_settings(tcp_address="0.0.0.0:9999"),
    "CN105": with_settings(stream_address="0.0.0.0"),
    "CN106": with_settings(stream_address="10.0.0.1", tcp_service_disabled=False),
    "CN107": with_settings(metrics_address="0.0.0.0:1338"),
    "CN108": replace(NODE, listeners=Seen((Listener(address="0.0.0.0", port=10010),))),
    "CN109": with_settings(debug_address="/run/debug.sock"),
    "CN201": with_program(files=(file("/usr/bin/runc", 0o755, uid=1000),)),
    "CN202": with_program(files=(file("/usr/bin/runc", 0o775),)),
    "CN203": with_program(files=(file("/opt/x/runc", 0o755), folder("/opt/x", 0o777))),
    "CN204": replace(NODE, digests={"/usr/bin/runsc": "other"}),
    "CN205": with_program(version="1.1.5", known_bad=("CVE-2024-21626",)),
    "CN206": with_daemon(version="1.7.30"),
    "CN207": with_daemon(version="1.6.20"),
    "CN208": with_program(version=""),
    "CN301": with_handler("runsc", missing=("containerd-shim-runsc-v1",)),
    "CN302": with_handler("runsc", boundary=Boundary.SHARED, program=RUNC),
    "CN303": with_settings(default_handler="gone"),
    "CN304": with_handler("runc", runtime=""),
    "CN305": replace(NODE, handlers=(*NODE.handlers, replace(NODE.handlers[0], name="crun", options={}))),
    "CN306": with_kubelet(cgroupDriver="cgroupfs"),
    "CN307": with_handler("runsc", pod_annotations=("*",)),
    "CN308": with_handler("runsc", pod_annotations=("dev.gvisor.*",)),
    "CN309": with_handler("runsc", privileged_without_host_devices=False),
    "CN310": with_handler("runsc", all_devices_allowed=True),
    "CN311": with_handler("runc", cgroup_writable=True),
    "CN312": with_handler("kata-qemu", image_snapshotter=""),
    "CN313": replace(NODE, handlers=(*NODE.handlers, replace(NODE.handlers[0], name="wasmtime", shim=WASM))),
    "CN314": with_gvisor(network="host"),
    "CN315": with_gvisor(host_uds="open"),
    "CN316": with_gvisor(allow_flag_override="true"),
    "CN317": with_gvisor(strace="true"),
    "CN318": with_gvisor(platform="ptrace"),
    "CN319": with_gvisor(net_raw="true"),
    "CN320": with_kata({"hypervisor": {"qemu": {"enable_annotations": ["enable_iommu", "kernel_params"]}}}),
    "CN321": with_kata({"runtime": {"disable_guest_seccomp": True}}),
    "CN322": with_kata({"agent": {"kata": {"debug_console_enabled": True}}}),
    "CN323": with_handler("runsc", config=None),
    "CN401": replace(with_settings(seccomp_default_on=False), kubelet=Seen({"seccompDefault": False})),
    "CN402": with_settings(apparmor_disabled=True),
    "CN403": with_settings(selinux=False),
    "CN404": replace(NODE, hosts={HOSTS: '[host."https://r.example"]\nskip_verify = true'}),
    "CN405": replace(NODE, hosts={HOSTS: '[host."http://r.example"]'}),
    "CN406": with_settings(inline_credentials=("r.example",)),
    "CN407": replace(with_settings(nri_enabled=True), files={"NRI socket": (socket("/var/run/nri/nri.sock", 0o777),)}),
    "CN408": with_file("image verifiers", file("/opt/containerd/image-verifier/bin/verify", 0o777)),
    "CN409": with_file("image verifiers", folder("/opt/containerd/image-verifier/bin")),
    "CN410": with_settings(log_level="debug"),
    "CN501": with_settings(cri_enabled=False),
    "CN502": with_configuration(imports=(ImportFact(path=A, pattern=A, version=0, exists=False),)),
    "CN503": with_configuration(imports=(ImportFact(path=A, pattern="/etc/containerd/conf.d/*", version=2),)),
    "CN504": with_configuration(unread=(A,)),
    "CN505": replace(NODE, digests={A: "other", "/usr/bin/runsc": "b"}),
    "CN506": with_configuration(imports=(ImportFact(path=A, pattern=A, version=3),)),
    "CN507": replace(NODE, root_filesystem_shared=Seen(True)),
    "CN508": replace(NODE, audit_rules=Seen("No rules")),
    "CN509": replace(NODE, left_overs=(("kubelet", "--network-plugin needs dockershim", "remove it", "k8s"),)),
    "CN551": replace(NODE, classes=Seen((ClassFact(name="kata-fc", handler="kata-fc"),))),
    "CN552": replace(NODE, classes=Seen(())),
    "CN601": with_kubelet(authentication={"anonymous": {"enabled": True}}),
    "CN602": with_kubelet(authorization={"mode": "AlwaysAllow"}),
    "CN603": with_kubelet(authentication={"anonymous": {"enabled": False}}),
    "CN604": with_kubelet(readOnlyPort=10255),
    "CN605": with_kubelet(streamingConnectionIdleTimeout="0s"),
    "CN606": with_kubelet(makeIPTablesUtilChains=False),
    "CN607": with_kubelet(hostnameOverride="other"),
    "CN608": with_kubelet(eventRecordQPS=-1),
    "CN609": with_kubelet(rotateCertificates=False),
    "CN610": with_kubelet(protectKernelDefaults=False),
    "CN611": with_kubelet(podPidsLimit=-1),
    "CN612": with_kubelet(allowedUnsafeSysctls=["kernel.msg*"]),
    "CN613": with_kubelet(runtimeRequestTimeout="2m0s"),
    "CN701": with_host(kvm=file("/dev/kvm", 0o666, kind="device")),
    "CN702": with_host(nested="on"),
    "CN703": with_host(max_user_namespaces=0),
    "CN704": with_sysctl("kernel/unprivileged_userns_clone", "1"),
    "CN705": with_host(cgroups="hybrid"),
    "CN706": with_host(seccomp=False),
    "CN707": with_host(lsms=("landlock",)),
    "CN708": with_host(selinux_enforcing=False),
    "CN709": with_sysctl("kernel/unprivileged_bpf_disabled", "0"),
    "CN710": with_sysctl("kernel/kptr_restrict", "0"),
    "CN711": with_sysctl("kernel/dmesg_restrict", "0"),
    "CN712": with_sysctl("kernel/yama/ptrace_scope", "0"),
    "CN713": with_sysctl("kernel/kexec_load_disabled", "0"),
    "CN714": with_sysctl("vm/unprivileged_userfaultfd", "1"),
    "CN715": with_sysctl("kernel/io_uring_disabled", "0"),
    "CN716": with_sysctl("fs/protected_symlinks", "0"),
    "CN717": with_host(shared_memory_huge_pages="never"),
    "CN718": with_sysctl("fs/suid_dumpable", "1"),
    "CN801": with_container(privileged=True),
    "CN802": with_container(host_namespaces=("pid",)),
    "CN803": with_container(sensitive_mounts=("/run/containerd/containerd.sock",)),
    "CN804": with_container(seccomp=0),
    "CN805": with_container(no_new_privileges=False),
    "CN806": with_container(extra_capabilities=("CAP_SYS_ADMIN",)),
    "CN807": with_container(shared_mounts=("/srv",)),
    "CN808": with_container(memory_limited=False),
    "CN809": with_container(pids_limited=False),
}
# On the sound node there is nothing that these are about; here is a node that has it, in order.
PASSING: dict[str, NodeFacts] = {
    "CN313": replace(NODE, handlers=(*NODE.handlers, replace(NODE.handlers[1], name="wasm"))),
}
NOTHING_THERE = {"CN313"}
BLIND = NodeFacts(
    name="node-1",
    daemon=with_daemon(version="", unit="", pid=0).daemon,
    configuration=Unseen("no right to read it"),
    host=Host(),
)


def outcome(facts: NodeFacts, check: str) -> Verdict:
    return next(each.verdict for each in checks.run(facts) if each.id == check)


def test_every_check_has_a_function_and_every_function_a_check() -> None:
    assert {row.check for row in checks.rows()} == set(checks.functions())


def test_ids_are_unique_and_every_check_has_a_failing_node() -> None:
    ids = [row.id for row in checks.rows()]
    assert len(ids) == len(set(ids))
    assert set(ids) == set(FAILING)


@pytest.mark.parametrize("check", sorted(set(FAILING) - NOTHING_THERE))
def test_a_sound_node_passes(check: str) -> None:
    assert outcome(NODE, check) is Verdict.PASS


def test_a_check_of_wasm_shims_does_not_apply_without_one() -> None:
    assert outcome(PASSING["CN313"], "CN313") is Verdict.NOT_APPLICABLE


@pytest.mark.parametrize("check", sorted(FAILING))
def test_a_weak_node_fails_and_says_what_it_found(check: str) -> None:
    found = next(each for each in checks.run(FAILING[check]) if each.id == check)
    assert found.verdict is Verdict.FAIL
    assert all(found.evidence)
    assert found.evidence


def test_nothing_passes_on_a_node_that_could_not_be_looked_at() -> None:
    assert [each.id for each in checks.run(BLIND) if each.verdict is Verdict.PASS] == []


def test_modes_are_compared_bit_by_bit() -> None:
    # 0577 is less than 0644 as a number, and lets everybody execute and the group write
    assert outcome(with_file("configuration", file("/etc/containerd/config.toml", 0o577)), "CN002") is Verdict.FAIL


def test_a_class_for_other_nodes_needs_no_handler_here() -> None:
    elsewhere = replace(NODE, classes=Seen((ClassFact(name="kata-fc", handler="kata-fc", selects=True),)))
    assert outcome(elsewhere, "CN551") is Verdict.PASS


def test_a_privileged_container_in_a_sandbox_is_not_privileged_on_the_node() -> None:
    assert outcome(with_container(privileged=True, handler_boundary=Boundary.SANDBOX), "CN801") is Verdict.PASS
    assert outcome(with_container(privileged=True, handler_boundary=Boundary.UNKNOWN), "CN801") is Verdict.FAIL


def test_without_a_journal_there_is_nothing_to_compare_with() -> None:
    assert outcome(replace(NODE, prepared=None), "CN204") is Verdict.NOT_APPLICABLE
    assert outcome(replace(NODE, prepared=Prepared()), "CN204") is Verdict.NOT_APPLICABLE


def test_crios_built_in_handlers_are_not_known_to_be_missing() -> None:
    crio = replace(with_settings(default_handler="crun"), daemon=with_daemon(kind="crio").daemon)
    assert outcome(crio, "CN303") is Verdict.COULD_NOT_LOOK


@pytest.mark.parametrize(
    ("manager", "driver", "verdict"),
    [
        ({}, "systemd", Verdict.PASS),
        ({}, "cgroupfs", Verdict.FAIL),
        ({"cgroup_manager": "cgroupfs"}, "cgroupfs", Verdict.PASS),
        ({"cgroup_manager": "cgroupfs"}, "systemd", Verdict.FAIL),
    ],
)
def test_crios_cgroup_manager_is_compared_with_the_kubelets_driver(
    manager: dict[str, str], driver: str, verdict: Verdict
) -> None:
    made = with_configuration(effective={"crio": {"runtime": manager}})
    daemon, kubelet = with_daemon(kind="crio").daemon, with_kubelet(cgroupDriver=driver).kubelet
    assert outcome(replace(made, daemon=daemon, kubelet=kubelet), "CN306") is verdict


def test_a_policy_of_crio_that_accepts_anything_verifies_nothing() -> None:
    crio = replace(with_daemon(kind="crio"), files={"signature policy": (file("/etc/containers/policy.json"),)})
    assert outcome(crio, "CN409") is Verdict.PASS
    assert outcome(replace(crio, accepts_any_image=True), "CN409") is Verdict.FAIL
