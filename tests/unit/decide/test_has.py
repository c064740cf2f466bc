from __future__ import annotations

import pytest
import yaml
from workloads import HARDENED, PLAIN, node, runtime_class, workload

from casemate.catalogue import tables
from casemate.decide.assess import assess
from casemate.model.assessment import Has, State
from casemate.model.boundary import Boundary
from casemate.model.surroundings import Surroundings

GVISOR = runtime_class("gvisor", "runsc")


def has(text: str, surroundings: Surroundings | None = None, **identity: object) -> Has:
    return assess(workload(text, **identity), surroundings or Surroundings(), tables.load()).has  # type: ignore[arg-type]


def under(name: str, text: str = PLAIN) -> str:
    return f"{text}\nruntimeClassName: {name}"


def reasons(found: Has) -> set[str]:
    return {reason.id for reason in found.reasons}


@pytest.mark.parametrize("text", [PLAIN, under("''")])
def test_an_unset_and_an_empty_class_are_the_default_handlers_taken_for_runc(text):
    found = has(text)
    assert (found.class_name, found.runtime, found.boundary, found.state) == (
        "",
        "runc",
        Boundary.SHARED,
        State.DECLARED,
    )


@pytest.mark.parametrize(
    ("name", "boundary"),
    [
        ("runc", Boundary.SHARED),
        ("gvisor", Boundary.SANDBOX),
        ("kata", Boundary.VM),
        ("kata-qemu-snp", Boundary.CONFIDENTIAL),
        ("our-own-class", Boundary.UNKNOWN),
    ],
)
def test_a_class_of_which_only_the_name_is_known_declares_a_boundary(name, boundary):
    found = has(under(name))
    assert (found.boundary, found.state) == (boundary, State.DECLARED)


def test_the_handler_decides_whatever_the_class_is_called():
    found = has(under("gvisor"), Surroundings(runtime_classes=(runtime_class("gvisor", "runc"),)))
    assert (found.handler, found.boundary) == ("runc", Boundary.SHARED)


def test_a_handler_that_nobody_knows_is_unknown_whatever_the_class_is_called():
    found = has(under("gvisor"), Surroundings(runtime_classes=(runtime_class("gvisor", "our-own"),)))
    assert found.boundary is Boundary.UNKNOWN


def test_a_class_that_only_sounds_strong_is_unknown_and_one_with_a_weak_handler_a_liar():
    assert has(under("kata-anything")).boundary is Boundary.UNKNOWN
    surroundings = Surroundings(runtime_classes=(runtime_class("kata-anything", "runc"),))
    item = assess(workload(under("kata-anything")), surroundings, tables.load())
    assert item.has.boundary is Boundary.SHARED
    assert "CM004" in [each.rule for each in item.findings]


def test_a_class_that_the_cluster_does_not_have_gives_nothing():
    found = has(under("gvisor"), Surroundings(complete=True))
    assert found.boundary is Boundary.UNKNOWN
    assert "class-missing" in reasons(found)


@pytest.mark.parametrize(
    ("handlers", "boundary", "state"),
    [
        ((("runsc",),), Boundary.SANDBOX, State.RESOLVED),
        ((("runsc",), ("runc",)), Boundary.SANDBOX, State.DECLARED),
        ((("runc",), ("runc",)), Boundary.UNKNOWN, State.DECLARED),
        ((None,), Boundary.SANDBOX, State.DECLARED),
        ((None, ("runsc",)), Boundary.SANDBOX, State.DECLARED),
    ],
)
def test_a_class_is_resolved_when_every_node_that_the_pod_can_land_on_has_its_handler(handlers, boundary, state):
    nodes = tuple(node(f"n{index}", handlers=each) for index, each in enumerate(handlers))
    found = has(under("gvisor"), Surroundings(runtime_classes=(GVISOR,), nodes=nodes))
    assert (found.boundary, found.state) == (boundary, state)


def test_only_nodes_with_the_labels_of_pod_and_class_count():
    selecting = runtime_class("gvisor", "runsc", "{scheduling: {nodeSelector: {sandbox: 'yes'}}}")
    nodes = (node("a", handlers=("runc",)), node("b", handlers=("runsc",), labels={"sandbox": "yes"}))
    found = has(under("gvisor"), Surroundings(runtime_classes=(selecting,), nodes=nodes))
    assert found.state is State.RESOLVED


def test_no_node_has_or_lacks_the_handler_of_a_class_that_is_only_named():
    without_default = Surroundings(nodes=(node(handlers=("runc", "other")),))
    assert has(under("gvisor"), without_default) == has(under("gvisor"), Surroundings())


def test_a_user_namespace_counts_for_no_class_that_is_only_named():
    offering = Surroundings(nodes=(node(handlers=("",), user_namespace_handlers=("",)),))
    assert has(HARDENED, offering).boundary is Boundary.HARDENED
    assert has(under("runc", HARDENED), offering).boundary is Boundary.SHARED


def test_hardened_is_earned_by_all_of_its_parts():
    assert has(HARDENED).boundary is Boundary.HARDENED


SPOILERS = {
    "no user namespace": "hostUsers: null",
    "host users": "hostUsers: true",
    "host network": "hostNetwork: true",
    "host pids": "hostPID: true",
    "host ipc": "hostIPC: true",
    "windows": "os: {name: windows}",
    "no seccomp": "securityContext: {runAsNonRoot: true}",
    "maybe root": "securityContext: {seccompProfile: {type: RuntimeDefault}}",
    "root": "securityContext: {seccompProfile: {type: RuntimeDefault}, runAsUser: 0}",
    "spc_t": "securityContext: {runAsUser: 1, seccompProfile: {type: RuntimeDefault}, seLinuxOptions: {type: spc_t}}",
    "an init container without": "initContainers: [{name: i, image: a}]",
    "an ephemeral container without": "ephemeralContainers: [{name: e, image: a}]",
}
OF_THE_CONTAINER = {
    "unconfined": {"seccompProfile": {"type": "Unconfined"}},
    "a profile without a name": {"seccompProfile": {"type": "Localhost"}},  # CVE-2023-2431
    "a kind of profile that nobody knows": {"seccompProfile": {"type": "RuntimeDefalt"}},
    "escalation": {"allowPrivilegeEscalation": True},
    "unset escalation": {"allowPrivilegeEscalation": None},
    "some capabilities": {"capabilities": {"drop": ["NET_RAW"]}},
    "an added capability": {"capabilities": {"drop": ["ALL"], "add": ["SYS_PTRACE"]}},
    "privileged": {"privileged": True},
    "root after all": {"runAsUser": 0},
    "non-root undone": {"runAsNonRoot": False},
    "proc": {"procMount": "Unmasked"},
    "AppArmor off": {"appArmorProfile": {"type": "Unconfined"}},
}


@pytest.mark.parametrize("name", SPOILERS)
def test_one_part_short_is_shared(name):
    changed = yaml.safe_dump({**yaml.safe_load(HARDENED), **yaml.safe_load(SPOILERS[name])})
    assert has(changed).boundary is Boundary.SHARED


@pytest.mark.parametrize("name", OF_THE_CONTAINER)
def test_one_part_short_in_one_container_is_shared(name):
    changed = yaml.safe_load(HARDENED)
    container = changed["containers"][0]
    container["securityContext"] |= OF_THE_CONTAINER[name]
    assert has(yaml.safe_dump(changed)).boundary is Boundary.SHARED


def test_binding_low_ports_is_no_loss():
    assert has(HARDENED.replace("drop: [ALL]", "drop: [all], add: [NET_BIND_SERVICE]")).boundary is Boundary.HARDENED


@pytest.mark.parametrize(
    ("known", "boundary"),
    [
        ({"handlers": ("", "runc"), "user_namespace_handlers": ("", "runc")}, Boundary.HARDENED),
        ({"handlers": ("", "runc"), "user_namespace_handlers": ("runc",)}, Boundary.SHARED),
        ({"handlers": ("", "runc")}, Boundary.SHARED),
    ],
)
def test_a_user_namespace_counts_where_the_node_offers_it(known, boundary):
    assert has(HARDENED, Surroundings(nodes=(node(**known),))).boundary is boundary


def test_a_node_that_does_not_say_its_handlers_does_not_confirm_user_namespaces():
    assert has(HARDENED, Surroundings(nodes=(node(handlers=None),))).boundary is Boundary.SHARED


DOORS = [
    ("{path: /}", ""),
    ("{path: /etc}", ""),
    ("{path: /var/lib/../lib/kubelet}", ""),
    ("{path: /proc}", ""),
    ("{path: /var/run/docker.sock, type: Socket}", ", readOnly: true"),
    ("{path: /run/nri/nri.sock}", ", readOnly: true"),
    ("{path: /var/run/dbus/system_bus_socket}", ", readOnly: true"),
    ("{path: /run/k0s/containerd.sock}", ""),
    ("{path: /var/snap/microk8s/common/run/containerd.sock}", ""),
    ("{path: /run/containerd/containerd.sock}", ", readOnly: true"),
    ("{path: /run}", ", readOnly: true"),
    ("{path: /proc/1/root/run/containerd}", ", readOnly: true"),
    ("{path: /proc/self/root/proc/7/cwd/etc/kubernetes/}", ", readOnly: true"),
    ("{path: run/systemd/private}", ", readOnly: true"),
    ("{path: /var/run/systemd}", ", readOnly: true"),
    ("{path: /var/lib/kubelet}", ", readOnly: true"),
    ("{path: /var/lib/kubelet/device-plugins}", ", readOnly: true"),
    ("{path: /var/lib}", ", readOnly: true, recursiveReadOnly: Enabled"),
    ("{path: /etc}", ", readOnly: true"),
    ("{path: /etc/kubernetes/pki/ca.key, type: File}", ", readOnly: true"),
    ("{path: /root}", ", readOnly: true"),
    ("{path: /home}", ", readOnly: true"),
    ("{path: /home/ubuntu/.ssh}", ", readOnly: true"),
    ("{path: /dev}", ", readOnly: true"),
    ("{path: /dev/nvme0n1, type: BlockDevice}", ", readOnly: true"),
    ("{path: /var/log}", ""),
    ("{path: /var/log/pods}", ", subPath: shop"),
    ("{path: /opt}", ""),
    ("{path: /usr/local/bin}", ""),
    ("{path: /lib/modules}", ""),
    ("{path: /boot}", ""),
    ("{path: /sys/fs/cgroup}", ""),
    ("{path: /var/spool/cron/crontabs}", ""),
    ("{path: /run/udev}", ""),
]
NO_DOORS = [
    ("{path: /data}", ""),
    ("{path: /dataetc}", ""),
    ("{path: /opt/app}", ""),
    ("{path: /var/log/app}", ""),
    ("{path: /var/log}", ", readOnly: true"),
    ("{path: /usr/share/zoneinfo}", ", readOnly: true"),
    ("{path: /lib/modules}", ", readOnly: true"),
    ("{path: /etc/localtime, type: File}", ", readOnly: true"),
    ("{path: /etc/ssl/certs}", ", readOnly: true"),
    ("{path: /home/shop/data}", ", readOnly: true"),
    ("{path: /dev/dri}", ""),
    ("{path: /proc}", ", readOnly: true, recursiveReadOnly: Enabled"),
    ("{path: /run/spire/agent-sockets}", ", readOnly: true, recursiveReadOnly: Enabled"),
]


def mounting(base: str, path: str, more: str) -> str:
    spec = yaml.safe_load(base)
    spec["containers"][0]["volumeMounts"] = [yaml.safe_load(f"{{name: d, mountPath: /d{more}}}")]
    spec["volumes"] = [yaml.safe_load(f"{{name: d, hostPath: {path}}}")]
    return str(yaml.safe_dump(spec))


@pytest.mark.parametrize("base", [HARDENED, under("gvisor"), under("kata"), under("kata-qemu-snp")])
@pytest.mark.parametrize(("path", "more"), DOORS)
def test_a_door_to_the_node_opens_every_boundary(base, path, more):
    found = has(mounting(base, path, more))
    assert found.boundary is Boundary.SHARED
    assert "host-door" in reasons(found)


@pytest.mark.parametrize(("path", "more"), NO_DOORS)
def test_what_neither_holds_keys_nor_decides_what_the_node_runs_is_no_door(path, more):
    assert has(mounting(under("gvisor"), path, more)).boundary is Boundary.SANDBOX
    assert has(mounting(HARDENED, path, more)).boundary is Boundary.HARDENED


@pytest.mark.parametrize("path", ["{path: /sys}", "{path: /proc}"])
def test_what_is_mounted_below_a_read_only_directory_costs_hardened_only(path):
    found = has(mounting(HARDENED, path, ", readOnly: true"))
    assert found.boundary is Boundary.SHARED
    assert reasons(found) == {"default-handler", "own-mounts"}
    assert has(mounting(HARDENED, path, ", readOnly: true, recursiveReadOnly: IfPossible")).boundary is Boundary.SHARED
    assert has(mounting(HARDENED, path, ", readOnly: true, recursiveReadOnly: Enabled")).boundary is Boundary.HARDENED
    assert has(mounting(under("kata"), path, ", readOnly: true")).boundary is Boundary.VM


@pytest.mark.parametrize(
    ("name", "annotation"),
    [
        ("kata", "io.katacontainers.config.hypervisor.virtio_fs_extra_args"),
        ("kata", "io.katacontainers.config.hypervisor.kernel_params"),
        ("kata", "io.katacontainers.config_path"),
        ("kata", "io.katacontainers.pkg.oci.bundle_path"),
        ("kata", "io.katacontainers.config.runtime.disable_new_netns"),
        ("kata", "io.katacontainers.config.hypervisor.what_comes_next"),
        ("gvisor", "dev.gvisor.flag.host-uds"),
        ("gvisor", "dev.gvisor.spec.rootfs.source"),
        ("gvisor", "dev.gvisor.tar.rootfs.upper"),
    ],
)
def test_an_annotation_that_reconfigures_the_sandbox_makes_it_unknown(name, annotation):
    assert has(under(name), annotations={annotation: "x"}).boundary is Boundary.UNKNOWN


@pytest.mark.parametrize(
    "annotation",
    [
        "seccomp-profile.kubernetes.cri-o.io/app",
        "io.kubernetes.cri-o.Devices",
        "devices.crio.io",
        "run.oci.hooks.stdout",
        "org.systemd.property.DeviceAllow",
        "cdi.k8s.io/gpu",
        "mounts.nri.io/container.app",
    ],
)
def test_an_annotation_that_may_open_a_plain_container_costs_hardened(annotation):
    found = has(HARDENED, annotations={annotation: "x"})
    assert found.boundary is Boundary.SHARED
    assert "own-configuration" in reasons(found)


@pytest.mark.parametrize(
    ("change", "lacks"),
    [
        ({"capabilities": {"drop": ["CAP_ALL"]}}, "capabilities-dropped"),
        ({"seLinuxOptions": {"type": "super_t"}}, "selinux"),
        ({"seLinuxOptions": {"user": "system_u"}}, "selinux"),
        ({"runAsUser": 4294967296}, "non-root"),
    ],
)
def test_what_only_looks_like_a_part_of_hardened_is_none(change, lacks):
    spec = yaml.safe_load(HARDENED)
    spec["containers"][0]["securityContext"] |= change
    found = has(yaml.safe_dump(spec))
    assert found.boundary is Boundary.SHARED
    assert lacks in reasons(found)


def test_a_kernel_parameter_beyond_the_safe_set_costs_hardened():
    def boundary(name: str) -> Boundary:
        spec = yaml.safe_load(HARDENED)
        spec["securityContext"]["sysctls"] = [{"name": name, "value": "1"}]
        return has(yaml.safe_dump(spec)).boundary

    assert boundary("kernel.core_pattern") is Boundary.SHARED
    assert boundary("net.ipv4.tcp_syncookies") is Boundary.HARDENED


@pytest.mark.parametrize(
    "windows",
    [
        "os: {name: windows}",
        "nodeSelector: {kubernetes.io/os: windows}",
        "securityContext: {windowsOptions: {hostProcess: true}}",
    ],
)
def test_no_runtime_draws_a_boundary_for_windows(windows):
    assert has(f"{under('gvisor')}\n{windows}").boundary is Boundary.SHARED
    assert has(f"{under('kata')}\n{windows}").boundary is Boundary.SHARED


def test_a_socket_of_an_unknown_program_of_the_node_costs_hardened():
    found = has(mounting(HARDENED, "{path: /run/agent/api.sock}", ", readOnly: true, recursiveReadOnly: Enabled"))
    assert "own-sockets" in reasons(found)


def test_an_annotation_of_size_changes_nothing():
    found = has(under("kata"), annotations={"io.katacontainers.config.hypervisor.default_memory": "512"})
    assert found.boundary is Boundary.VM


@pytest.mark.parametrize("name", ["wasmtime", "wasmedge", "spin", "wws", "wasmer"])
@pytest.mark.parametrize("text", [PLAIN, HARDENED])
def test_a_wasm_class_with_a_native_image_is_shared(name, text):
    found = has(under(name, text))
    assert found.boundary <= Boundary.SHARED
    assert found.boundary is Boundary.UNKNOWN or "class-runs-native" in reasons(found)


def test_a_class_that_is_only_called_wasm_may_run_native_programs():
    module = "containers: [{name: a, image: 'x/hello-wasm:1'}]"
    own = Surroundings(runtime_classes=(runtime_class("wasm", "wasm"),))
    assert has(under("wasm")).boundary is Boundary.SHARED
    assert has(under("wasm", module)).boundary is Boundary.SHARED
    assert has(under("wasm", f"{module}\nnodeSelector: {{kubernetes.io/arch: wasm32}}")).boundary is Boundary.SANDBOX
    assert has(under("wasm"), own).boundary is Boundary.SANDBOX


def test_a_runtime_whose_version_lacks_a_fix_is_shared():
    def versioned(version: str) -> Boundary:
        known = node(handlers=("runsc",), labels={"casemate.dev/version.gvisor": version})
        return has(under("gvisor"), Surroundings(runtime_classes=(GVISOR,), nodes=(known,))).boundary

    assert versioned("20260101.0") is Boundary.SHARED
    assert versioned("20991231.0") is Boundary.SANDBOX
