"""What becomes of the fields of a Pod, by runtime, node and engine."""

import io
import time

import pytest

from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.support.classify import classify, degraded, refusals
from casemate.engine.support.degrade import without_degraded
from casemate.engine.support.features import engine_features
from casemate.model.boundary import Boundary
from casemate.model.handler import Handler, NodeFacts
from casemate.model.support import EngineFeatures
from casemate.sources.files import load

PLAIN = NodeFacts(
    name="n",
    address="10.0.0.1",
    cgroups="v2",
    lsms=("capability", "landlock"),
    can_lower_oom_score=True,
    user_namespaces=True,
    seccomp=True,
    cpus=2,
    memory=1 << 30,
)
HARDENED = NodeFacts(
    **{field: getattr(PLAIN, field) for field in PLAIN.__struct_fields__} | {"lsms": ("apparmor", "selinux")}
)
OLD, NEW = (
    EngineFeatures(),
    EngineFeatures(
        version="2.2.0",
        user_namespaces=True,
        recursive_read_only=True,
        supplemental_groups_policy=True,
        stop_signal=True,
    ),
)


def handler(runtime: str) -> Handler:
    return Handler(name="h", runtime=runtime, version="1", path="/h", boundary=Boundary.UNKNOWN, works=True)


def pod(container: str = "", rest: str = ""):
    inner = f", {container}" if container else ""
    text = f"apiVersion: v1\nkind: Pod\nspec:\n  containers: [{{name: c, image: i{inner}}}]\n  {rest}"
    (document,) = load(["-"], io.BytesIO(text.encode()))
    return document.object


def verdict(path: str, which, runtime: str = "runc", node: NodeFacts = PLAIN, features: EngineFeatures = OLD) -> str:
    found = {note.path: note.verdict for note in classify(which, handler(runtime), node, features)}
    return str(found[path])


SECCOMP = "containers[0].securityContext.seccompProfile"
APPARMOR = "containers[0].securityContext.appArmorProfile"
LOCAL = pod("securityContext: {seccompProfile: {type: Localhost, localhostProfile: a.json}}")
DEFAULT = pod("securityContext: {seccompProfile: {type: RuntimeDefault}}")
UNCONFINED = pod("securityContext: {seccompProfile: {type: Unconfined}}")
ARMOURED = pod("securityContext: {appArmorProfile: {type: RuntimeDefault}}")
LABELLED = pod(rest="securityContext: {seLinuxOptions: {level: s0}}")

BY_RUNTIME = [
    (SECCOMP, LOCAL, {"runc": "honoured", "crun": "honoured", "gvisor": "refused", "kata": "refused"}),
    (SECCOMP, DEFAULT, {"runc": "honoured", "gvisor": "approximated", "casemate-wasm": "approximated"}),
    (SECCOMP, UNCONFINED, {"runc": "honoured", "gvisor": "honoured", "casemate-wasm": "honoured"}),
    ("hostNetwork", pod(rest="hostNetwork: true"), {"runc": "honoured", "gvisor": "refused", "kata": "refused"}),
    ("hostNetwork", pod(rest="hostNetwork: false"), {"runc": "honoured", "gvisor": "honoured"}),
    ("hostPID", pod(rest="hostPID: true"), {"runc": "honoured", "gvisor": "refused", "casemate-wasm": "approximated"}),
    (
        "containers[0].securityContext.capabilities.add",
        pod("securityContext: {capabilities: {add: [CAP_NET_RAW]}}"),
        {"runc": "honoured", "gvisor": "refused", "casemate-wasm": "approximated"},
    ),
    (
        "containers[0].securityContext.capabilities.add",
        pod("securityContext: {capabilities: {add: [NET_BIND_SERVICE]}}"),
        {"runc": "honoured", "gvisor": "approximated", "casemate-wasm": "honoured"},
    ),
    (
        "containers[0].livenessProbe.exec",
        pod("livenessProbe: {exec: {command: [a]}}"),
        {"runc": "honoured", "gvisor": "honoured", "casemate-wasm": "refused"},
    ),
    (
        "volumes[0].hostPath",
        pod(rest="volumes: [{name: v, hostPath: {path: /run/containerd.sock, type: Socket}}]"),
        {"runc": "honoured", "gvisor": "refused", "casemate-wasm": "refused"},
    ),
    (
        "volumes[0].hostPath",
        pod(rest="volumes: [{name: v, hostPath: {path: /tmp}}]"),
        {"runc": "honoured", "gvisor": "honoured", "casemate-wasm": "honoured"},
    ),
]


@pytest.mark.parametrize(("path", "which", "expected"), BY_RUNTIME)
def test_a_verdict_depends_on_the_runtime(path, which, expected):
    assert {runtime: verdict(path, which, runtime) for runtime in expected} == expected


BY_NODE = [
    (APPARMOR, ARMOURED, PLAIN, "runc", "refused"),
    (APPARMOR, ARMOURED, HARDENED, "runc", "honoured"),
    (APPARMOR, ARMOURED, HARDENED, "gvisor", "refused"),
    ("securityContext.seLinuxOptions", LABELLED, PLAIN, "runc", "refused"),
    ("securityContext.seLinuxOptions", LABELLED, HARDENED, "runc", "honoured"),
    ("securityContext.seLinuxOptions", LABELLED, HARDENED, "gvisor", "refused"),
]


@pytest.mark.parametrize(("path", "which", "node", "runtime", "expected"), BY_NODE)
def test_a_verdict_depends_on_the_nodes_kernel(path, which, node, runtime, expected):
    assert verdict(path, which, runtime, node) == expected


BY_ENGINE = [
    ("hostUsers", pod(rest="hostUsers: false"), "refused", "honoured"),
    ("hostUsers", pod(rest="hostUsers: true"), "honoured", "honoured"),
    (
        "securityContext.supplementalGroupsPolicy",
        pod(rest="securityContext: {supplementalGroupsPolicy: Strict}"),
        "refused",
        "honoured",
    ),
    (
        "securityContext.supplementalGroupsPolicy",
        pod(rest="securityContext: {supplementalGroupsPolicy: Merge}"),
        "honoured",
        "honoured",
    ),
    (
        "containers[0].lifecycle.stopSignal",
        pod("lifecycle: {stopSignal: SIGINT}", "os: {name: linux}"),
        "refused",
        "honoured",
    ),
    (
        "containers[0].volumeMounts[0].recursiveReadOnly",
        pod("volumeMounts: [{name: v, mountPath: /v, readOnly: true, recursiveReadOnly: Enabled}]"),
        "refused",
        "honoured",
    ),
]


@pytest.mark.parametrize(("path", "which", "old", "new"), BY_ENGINE)
def test_a_verdict_depends_on_the_engine(path, which, old, new):
    assert (verdict(path, which), verdict(path, which, features=NEW)) == (old, new)


def test_user_namespaces_need_the_kernel_too():
    node = NodeFacts(**{field: getattr(PLAIN, field) for field in PLAIN.__struct_fields__} | {"user_namespaces": False})
    assert verdict("hostUsers", pod(rest="hostUsers: false"), node=node, features=NEW) == "refused"


ANYWHERE = [
    ("volumes[0].nfs", pod(rest="volumes: [{name: v, nfs: {server: s, path: /}}]"), "refused"),
    (
        "volumes[0].persistentVolumeClaim",
        pod(rest="volumes: [{name: v, persistentVolumeClaim: {claimName: c}}]"),
        "approximated",
    ),
    (
        "volumes[0].projected.sources[0].serviceAccountToken",
        pod(rest="volumes: [{name: v, projected: {sources: [{serviceAccountToken: {path: t}}]}}]"),
        "refused",
    ),
    ("securityContext.sysctls", pod(rest="securityContext: {sysctls: [{name: vm.swappiness, value: '1'}]}"), "refused"),
    (
        "securityContext.sysctls",
        pod(rest="securityContext: {sysctls: [{name: net/core/somaxconn, value: '1'}]}"),
        "honoured",
    ),
    ("containers[0].resources.limits", pod("resources: {limits: {nvidia.com/gpu: 1}}"), "refused"),
    ("containers[0].resources.limits", pod("resources: {limits: {cpu: 1}}"), "honoured"),
    ("containers[0].ports[0].hostPort", pod("ports: [{containerPort: 80, hostPort: 80}]"), "approximated"),
    (
        "containers[0].ports[0].hostPort",
        pod("ports: [{containerPort: 80, hostPort: 80}]", "hostNetwork: true"),
        "honoured",
    ),
    ("nodeSelector", pod(rest="nodeSelector: {disk: ssd}"), "ignored"),
    ("os", pod(rest="os: {name: windows}"), "refused"),
    ("schedulingGates", pod(rest="schedulingGates: [{name: a/b}]"), "refused"),
    (
        "initContainers[0].securityContext.privileged",
        pod(rest="initContainers: [{name: i, securityContext: {privileged: true}}]"),
        "honoured",
    ),
]


@pytest.mark.parametrize(("path", "which", "expected"), ANYWHERE)
def test_a_verdict_depends_on_the_field(path, which, expected):
    assert verdict(path, which) == expected


def test_only_set_fields_are_reported_and_each_once():
    notes = classify(pod("env: [{name: A, value: s3cret}]"), None, PLAIN)
    assert [note.path for note in notes] == ["containers[0].name", "containers[0].env", "containers[0].image"]


def test_the_values_of_variables_are_not_shown():
    assert not any("s3cret" in note.value for note in classify(pod("env: [{name: A, value: s3cret}]"), None, PLAIN))


def test_a_value_cannot_speak_to_the_terminal():
    notes = classify(pod(r'workingDir: "/\x1b[31m"'), None, PLAIN)
    assert not any("\x1b" in note.value for note in notes)


def test_a_refused_field_stops_the_run():
    notes = classify(LOCAL, handler("gvisor"), PLAIN)
    assert [note.path for note in refusals(notes, allow_degraded=False)] == [SECCOMP]


def test_degraded_gives_up_security_fields_and_no_others():
    which = pod(
        "securityContext: {appArmorProfile: {type: RuntimeDefault}}", "volumes: [{name: v, nfs: {server: s, path: /}}]"
    )
    notes = classify(which, handler("runc"), PLAIN)
    assert [note.path for note in degraded(notes)] == [APPARMOR]
    assert [note.path for note in refusals(notes, allow_degraded=True)] == ["volumes[0].nfs"]


def test_what_is_given_up_is_unset_and_the_rest_stays():
    text = "securityContext: {runAsUser: 5, seccompProfile: {type: Localhost, localhostProfile: a}}"
    which = pod(text, f"hostUsers: false\n  {text}\n  initContainers: [{{name: i, {text}}}]")
    left = without_degraded(which.spec, classify(which, handler("gvisor"), PLAIN))
    contexts = [left.securityContext, left.containers[0].securityContext, left.initContainers[0].securityContext]
    assert left.hostUsers is None
    assert [(each.runAsUser, each.seccompProfile) for each in contexts] == [(5, None)] * 3
    assert not refusals(classify(type(which)(spec=left), handler("gvisor"), PLAIN), allow_degraded=False)


def test_an_engine_is_believed_only_what_it_says():
    status = pb.StatusResponse(
        runtime_handlers=[
            pb.RuntimeHandler(
                name="runc",
                features=pb.RuntimeHandlerFeatures(user_namespaces=True, recursive_read_only_mounts=True),
            )
        ],
        features=pb.RuntimeFeatures(supplemental_groups_policy=True),
    )
    version = pb.VersionResponse(runtime_name="containerd", runtime_version="v2.4.2")
    assert engine_features(version, status, "runc") == EngineFeatures(
        version="v2.4.2",
        user_namespaces=True,
        recursive_read_only=True,
        supplemental_groups_policy=True,
        image_volumes=True,
        stop_signal=True,
    )
    old = pb.VersionResponse(runtime_name="containerd", runtime_version="1.6.20~ds1")
    assert engine_features(old, pb.StatusResponse(), "runc") == EngineFeatures(version="1.6.20~ds1")
    assert not engine_features(version, status, "runsc").user_namespaces


def test_a_pod_without_a_spec_has_no_notes():
    assert classify(type(LOCAL)(), None, PLAIN) == ()


def test_a_thousand_pods_are_judged_in_a_moment():
    which = pod(
        "env: [{name: A, value: b}], resources: {limits: {cpu: 1}}, ports: [{containerPort: 80}]", "hostUsers: true"
    )
    began = time.process_time()
    for _ in range(1000):
        classify(which, handler("gvisor"), PLAIN)
    assert time.process_time() - began < 2
