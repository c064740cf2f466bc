"""Every predicate of the catalogue: a manifest that it holds for, the places, and one that it does not hold for."""

from __future__ import annotations

import time

import pytest
from workloads import PLAIN, node, runtime_class, workload

from casemate.catalogue import conditions, tables
from casemate.decide.cases import Cases
from casemate.decide.facts import POD, Facts
from casemate.decide.predicates import Questions
from casemate.model.surroundings import Exposure, Rights, Surroundings
from casemate.model.workload import KUBELET, Source

SETTLED_LATER = {"profile", "below-need"}

C = "containers[0]"


def container(text: str) -> str:
    return f"containers: [{{name: app, image: registry.example/app:1, {text}}}]"


def pod(text: str) -> str:
    return f"{PLAIN}\n{text}"


def mounted(source: str, more: str = "") -> str:
    return f"{container(f'volumeMounts: [{{name: v, mountPath: /v{more}}}]')}\nvolumes: [{{name: v, {source}}}]"


# predicate with arguments, a Pod for which it holds, where, a Pod for which it does not
OF_PODS = [
    ("always", PLAIN, POD, None),
    ("never", None, (), PLAIN),
    ("host-network", pod("hostNetwork: true"), ("hostNetwork",), pod("hostNetwork: false")),
    ("host-pid", pod("hostPID: true"), ("hostPID",), PLAIN),
    ("host-ipc", pod("hostIPC: true"), ("hostIPC",), PLAIN),
    ("user-namespace", pod("hostUsers: false"), ("hostUsers",), pod("hostUsers: true")),
    (
        "host-port",
        container("ports: [{containerPort: 1}, {containerPort: 80, hostPort: 80}]"),
        (f"{C}.ports[1].hostPort",),
        container("ports: [{containerPort: 80}]"),
    ),
    ("shared-processes", pod("shareProcessNamespace: true"), ("shareProcessNamespace",), PLAIN),
    ({"host-path": ["/etc"]}, mounted("hostPath: {path: /}"), ("volumes[0].hostPath.path",), None),
    ({"host-path": ["/etc"]}, mounted("hostPath: {path: /var/../etc//passwd}"), ("volumes[0].hostPath.path",), None),
    ({"host-path": ["/etc"]}, mounted("hostPath: {path: /etc/}"), ("volumes[0].hostPath.path",), None),
    ("host-path", mounted("hostPath: {path: /data}"), ("volumes[0].hostPath.path",), PLAIN),
    ({"host-path": ["/etc"]}, None, (), mounted("hostPath: {path: /etcetera}")),
    (
        {"host-door": ["door-logs"]},
        mounted("hostPath: {path: /var/log}"),
        ("volumes[0].hostPath.path",),
        mounted("hostPath: {path: /var/log}", ", readOnly: true"),
    ),
    (
        "host-door",
        mounted("hostPath: {path: /proc/1/root}"),
        ("volumes[0].hostPath.path",),
        mounted("hostPath: {path: /srv}"),
    ),
    (
        "host-path-writable",
        mounted("hostPath: {path: /data}"),
        ("volumes[0].hostPath.path",),
        mounted("hostPath: {path: /data}", ", readOnly: true"),
    ),
    (
        {"host-path-type": ["Socket"]},
        mounted("hostPath: {path: /x, type: Socket}"),
        ("volumes[0].hostPath.type",),
        mounted("hostPath: {path: /x, type: File}"),
    ),
    ("host-socket", mounted("hostPath: {path: /run/x.sock}"), ("volumes[0].hostPath.path",), PLAIN),
    ({"volume": ["nfs"]}, mounted("nfs: {server: s, path: /p}"), ("volumes[0].nfs",), mounted("emptyDir: {}")),
    ({"volume": ["emptyDir"]}, mounted("emptyDir: {}"), ("volumes[0].emptyDir",), PLAIN),
    (
        {"csi-driver": ["secrets-store*"]},
        mounted("csi: {driver: secrets-store.csi.k8s.io}"),
        ("volumes[0].csi",),
        PLAIN,
    ),
    (
        {"empty-dir-medium": ["HugePages"]},
        mounted("emptyDir: {medium: HugePages-2Mi}"),
        ("volumes[0].emptyDir",),
        mounted("emptyDir: {medium: Memory}"),
    ),
    (
        {"sysctl": ["net.*"]},
        pod("securityContext: {sysctls: [{name: net/core/somaxconn, value: '1'}]}"),
        ("securityContext.sysctls[0]",),
        pod("securityContext: {sysctls: [{name: kernel.shmmax, value: '1'}]}"),
    ),
    (
        "unsafe-sysctl",
        pod("securityContext: {sysctls: [{name: kernel.msgmax, value: '1'}]}"),
        ("securityContext.sysctls[0]",),
        pod("securityContext: {sysctls: [{name: net.ipv4.tcp_syncookies, value: '1'}]}"),
    ),
    (
        "selinux-options",
        pod("securityContext: {seLinuxOptions: {level: s0}}"),
        (f"{C}.securityContext.seLinuxOptions",),
        PLAIN,
    ),
    (
        {"selinux-type": ["spc_t"]},
        container("securityContext: {seLinuxOptions: {type: spc_t}}"),
        (f"{C}.securityContext.seLinuxOptions",),
        container("securityContext: {seLinuxOptions: {type: container_t}}"),
    ),
    ("fs-group", pod("securityContext: {fsGroup: 1}"), ("securityContext.fsGroup",), PLAIN),
    ("node-name", pod("nodeName: n1"), ("nodeName",), PLAIN),
    (
        {"node-selector": ["disk=ss*"]},
        pod("nodeSelector: {disk: ssd}"),
        ("nodeSelector.disk",),
        pod("nodeSelector: {disk: hdd}"),
    ),
    (
        {"tolerates": ["gpu"]},
        pod("tolerations: [{operator: Exists}]"),
        ("tolerations[0]",),
        pod("tolerations: [{key: x}]"),
    ),
    (
        "dedicated-nodes",
        pod("nodeSelector: {pool: ci}"),
        ("nodeSelector",),
        pod("nodeSelector: {kubernetes.io/os: linux}"),
    ),
    ("dedicated-nodes", pod("tolerations: [{key: ci}]"), ("tolerations[0]",), pod("tolerations: [{operator: Exists}]")),
    ("service-account-token", PLAIN, ("automountServiceAccountToken",), pod("automountServiceAccountToken: false")),
    (
        "service-account-token",
        mounted("projected: {sources: [{serviceAccountToken: {path: t}}]}") + "\nautomountServiceAccountToken: false",
        ("volumes[0].projected.sources[0]",),
        None,
    ),
    ("default-service-account", PLAIN, ("serviceAccountName",), pod("serviceAccountName: app")),
    ({"restart-policy": ["Never"]}, pod("restartPolicy: Never"), ("restartPolicy",), PLAIN),
    ("resource-claims", pod("resourceClaims: [{name: gpu}]"), ("resourceClaims",), PLAIN),
    ("overhead-set", pod("overhead: {memory: 1Mi}"), ("overhead",), PLAIN),
    ("windows", pod("os: {name: windows}"), ("os.name",), pod("os: {name: linux}")),
    (
        {"secret": ["db*"]},
        mounted("secret: {secretName: db-key}"),
        ("volumes[0].secret",),
        mounted("secret: {secretName: x}"),
    ),
    (
        "secret",
        container("envFrom: [{secretRef: {name: s}}]"),
        (f"{C}.envFrom[0]",),
        pod("imagePullSecrets: [{name: s}]"),
    ),
    ("privileged", container("securityContext: {privileged: true}"), (f"{C}.securityContext.privileged",), PLAIN),
    (
        "privilege-escalation",
        PLAIN,
        (f"{C}.securityContext.allowPrivilegeEscalation",),
        container("securityContext: {allowPrivilegeEscalation: false}"),
    ),
    (
        {"capability": ["NET_RAW"]},
        PLAIN,
        (f"{C}.securityContext.capabilities.drop",),
        container("securityContext: {capabilities: {drop: [net_raw]}}"),
    ),
    (
        {"capability": ["NET_RAW"]},
        container("securityContext: {capabilities: {drop: [CAP_NET_RAW, CAP_ALL]}}"),
        (f"{C}.securityContext.capabilities.drop",),
        None,
    ),
    (
        {"capability": ["SYS_MODULE"]},
        container("securityContext: {privileged: true}"),
        (f"{C}.securityContext.privileged",),
        PLAIN,
    ),
    (
        {"capability": ["CHOWN"]},
        container("securityContext: {capabilities: {drop: [ALL], add: [CHOWN]}}"),
        (f"{C}.securityContext.capabilities.add",),
        container("securityContext: {capabilities: {drop: [all]}}"),
    ),
    (
        "capability-added",
        container("securityContext: {capabilities: {add: [CAP_SYS_ADMIN]}}"),
        (f"{C}.securityContext.capabilities.add",),
        container("securityContext: {capabilities: {add: [NET_BIND_SERVICE]}}"),
    ),
    (
        {"capability-added": ["NET_ADMIN"]},
        container("securityContext: {capabilities: {add: [ALL]}}"),
        (f"{C}.securityContext.capabilities.add",),
        container("securityContext: {capabilities: {add: [CHOWN]}}"),
    ),
    (
        "capabilities-kept",
        container("securityContext: {capabilities: {drop: [NET_RAW]}}"),
        (f"{C}.securityContext.capabilities.drop",),
        container("securityContext: {capabilities: {drop: [ALL]}}"),
    ),
    (
        "capabilities-kept",
        container("securityContext: {capabilities: {drop: [CAP_ALL]}}"),
        (f"{C}.securityContext.capabilities.drop",),
        container("securityContext: {capabilities: {drop: [all]}}"),
    ),
    (
        "may-be-root",
        container("securityContext: {runAsUser: 4294967296}"),
        (f"{C}.securityContext.runAsUser",),
        container("securityContext: {runAsUser: 2147483647}"),
    ),
    (
        "selinux-beyond",
        container("securityContext: {seLinuxOptions: {type: init_t}}"),
        (f"{C}.securityContext.seLinuxOptions",),
        container("securityContext: {seLinuxOptions: {type: container_init_t, level: 's0:c1,c2'}}"),
    ),
    (
        "selinux-beyond",
        pod("securityContext: {seLinuxOptions: {role: system_r}}"),
        (f"{C}.securityContext.seLinuxOptions",),
        None,
    ),
    ("probe-host", container("livenessProbe: {httpGet: {host: 169.254.169.254, port: 80}}"), (C,), PLAIN),
    ("probe-host", container("startupProbe: {tcpSocket: {host: 127.0.0.1, port: 10250}}"), (C,), None),
    (
        "probe-host",
        container("lifecycle: {preStop: {httpGet: {host: localhost, port: 80}}}"),
        (C,),
        container("lifecycle: {preStop: {httpGet: {port: 80}}}"),
    ),
    ("may-be-root", PLAIN, (f"{C}.securityContext.runAsNonRoot",), pod("securityContext: {runAsNonRoot: true}")),
    (
        "may-be-root",
        pod("securityContext: {runAsUser: 0, runAsNonRoot: true}"),
        (f"{C}.securityContext.runAsUser",),
        pod("securityContext: {runAsUser: 7}"),
    ),
    (
        "root-asked",
        container("securityContext: {runAsUser: 0}") + "\nsecurityContext: {runAsUser: 7}",
        (f"{C}.securityContext.runAsUser",),
        container("securityContext: {runAsUser: 7}") + "\nsecurityContext: {runAsUser: 0}",
    ),
    ("user-unset", PLAIN, (f"{C}.securityContext.runAsUser",), pod("securityContext: {runAsUser: 7}")),
    (
        {"seccomp": ["unset"]},
        PLAIN,
        (f"{C}.securityContext.seccompProfile",),
        pod("securityContext: {seccompProfile: {type: RuntimeDefault}}"),
    ),
    (
        {"seccomp": ["Unconfined"]},
        container("securityContext: {privileged: true, seccompProfile: {type: RuntimeDefault}}"),
        (f"{C}.securityContext.seccompProfile",),
        PLAIN,
    ),
    (
        {"apparmor": ["Unconfined"]},
        container("securityContext: {appArmorProfile: {type: Unconfined}}"),
        (f"{C}.securityContext.appArmorProfile",),
        PLAIN,
    ),
    (
        {"proc-mount": ["Unmasked"]},
        container("securityContext: {procMount: Unmasked}"),
        (f"{C}.securityContext.procMount",),
        container("securityContext: {procMount: Default}"),
    ),
    (
        "writable-root",
        PLAIN,
        (f"{C}.securityContext.readOnlyRootFilesystem",),
        container("securityContext: {readOnlyRootFilesystem: true}"),
    ),
    (
        "host-process",
        pod("securityContext: {windowsOptions: {hostProcess: true}}"),
        ("securityContext.windowsOptions.hostProcess",),
        PLAIN,
    ),
    (
        {"resource": ["nvidia.com/*"]},
        container("resources: {limits: {nvidia.com/gpu: 1}}"),
        (f"{C}.resources.limits",),
        container("resources: {limits: {cpu: 1}}"),
    ),
    (
        {"limit-missing": ["memory"]},
        container("resources: {requests: {memory: 1Mi}}"),
        (f"{C}.resources.limits",),
        pod("resources: {limits: {memory: 1Mi}}"),
    ),
    ("volume-devices", container("volumeDevices: [{name: d, devicePath: /dev/x}]"), (f"{C}.volumeDevices",), PLAIN),
    (
        {"mount-propagation": ["Bidirectional"]},
        mounted("emptyDir: {}", ", mountPropagation: Bidirectional"),
        (f"{C}.volumeMounts[0].mountPropagation",),
        mounted("emptyDir: {}", ", mountPropagation: None"),
    ),
    ("sub-path", mounted("emptyDir: {}", ", subPath: x"), (f"{C}.volumeMounts[0].subPath",), mounted("emptyDir: {}")),
    (
        "config-mounted",
        mounted("configMap: {name: c}"),
        (f"{C}.volumeMounts[0]",),
        mounted("configMap: {name: c}", ", subPath: x"),
    ),
    (
        "exec-probe",
        container("livenessProbe: {exec: {command: [x]}}"),
        (C,),
        container("livenessProbe: {tcpSocket: {port: 1}}"),
    ),
    ({"env": ["DOCKER_HOST=tcp*"]}, container("env: [{name: DOCKER_HOST, value: 'tcp://x'}]"), (f"{C}.env[0]",), PLAIN),
    ({"command": ["dockerd*"]}, container("args: [a, dockerd-entrypoint.sh]"), (f"{C}.args",), PLAIN),
    ({"image": ["app"]}, PLAIN, (f"{C}.image",), "containers: [{name: app, image: other}]"),
    ({"image": ["docker.io/library/redis"]}, "containers: [{name: a, image: redis}]", (f"{C}.image",), PLAIN),
    (
        {"all-images": ["quay.io/prometheus/*", "docker.io/library/*"]},
        "containers: [{name: a, image: quay.io/prometheus/x}, {name: b, image: redis}]",
        POD,
        "containers: [{name: a, image: quay.io/prometheus/x}, {name: b, image: quay.io/prometheus.evil/x}]",
    ),
    ({"all-images": ["*"]}, None, (), "containers: [{name: a, image: redis}, {name: b, image: 'A B'}]"),
    ({"image-registry": ["docker.io"]}, "containers: [{name: a, image: redis}]", (f"{C}.image",), PLAIN),
    ("image-by-tag", PLAIN, (f"{C}.image",), f"containers: [{{name: a, image: 'a@sha256:{'0' * 64}'}}]"),
    ("image-latest", "containers: [{name: a, image: redis}]", (f"{C}.image",), PLAIN),
    (
        "wasm-image",
        "containers: [{name: a, image: 'x/hello-wasm:1'}]",
        (f"{C}.image",),
        "containers: [{name: a, image: wasmer}]",
    ),
    ({"class": ["kata*"]}, pod("runtimeClassName: kata-fc"), ("runtimeClassName",), pod("runtimeClassName: ''")),
    ({"handler": ["runc"]}, PLAIN, ("runtimeClassName",), pod("runtimeClassName: gvisor")),
    ({"family": ["gvisor"]}, pod("runtimeClassName: gvisor"), ("runtimeClassName",), PLAIN),
    ({"boundary": ["sandbox"]}, pod("runtimeClassName: gvisor"), ("runtimeClassName",), PLAIN),
    ("class-unknown", pod("runtimeClassName: whatever"), ("runtimeClassName",), pod("runtimeClassName: gvisor")),
    (
        "class-runs-native",
        pod("runtimeClassName: wasmtime"),
        ("runtimeClassName",),
        pod("runtimeClassName: wasmtime\nnodeSelector: {kubernetes.io/arch: wasm32}"),
    ),
]

IDENTITIES = [
    ({"kind": ["DaemonSet"]}, {"kind": "DaemonSet"}, {}),
    ({"kind": ["Sandbox"]}, {"owners": ("Sandbox/x", "ReplicaSet/x-1")}, {}),
    ({"api-version": ["agents.x-k8s.io/*"]}, {"api_version": "agents.x-k8s.io/v1"}, {}),
    ({"name": ["*runner*"]}, {"name": "ci-runner-1"}, {"name": "web"}),
    ({"namespace": ["kube-*"]}, {"namespace": "kube-system"}, {}),
    ({"label": ["app=web"]}, {"labels": {"app": "web"}}, {"labels": {"app": "db"}}),
    ({"label": ["app=web"]}, {"labels": {"app": "db"}, "object_labels": {"app": "web"}}, {}),
    ("unknown-label", {"labels": {"casemate.dev/need": "sandbx"}}, {"labels": {"casemate.dev/need": "sandbox"}}),
    ("unknown-label", {"labels": {"casemate.dev/trsut": "internal"}}, {"labels": {"casemate.dev/engine": "x"}}),
    ("unknown-label", {"labels": {"casemate.io/trust": "internal"}}, {"labels": {"example.com/trust": "internal"}}),
    ("unknown-label", {"object_labels": {"casemate.dev/profile": "Web"}}, {}),
    ("unknown-label", {"annotations": {"casemate.dev/need": "vm"}}, {"annotations": {"casemate.dev/accept": "x"}}),
    ({"annotation": ["io.katacontainers.*"]}, {"annotations": {"io.katacontainers.x": "1"}}, {}),
    (
        {"apparmor": ["Unconfined"]},
        {"annotations": {"container.apparmor.security.beta.kubernetes.io/app": "unconfined"}},
        {},
    ),
    ("wasm-image", {"annotations": {"module.wasm.image/variant": "compat"}}, {}),
    (
        "reconfigured",
        {"annotations": {"io.katacontainers.config_path": "/x"}},
        {"annotations": {"io.katacontainers.config.hypervisor.default_memory": "512"}},
    ),
    (
        "reconfigured",
        {"annotations": {"dev.gvisor.spec.rootfs.source": "/x"}},
        {"annotations": {"dev.gvisor.spec.mount.cache.share": "pod"}},
    ),
    ("helm-test", {"annotations": {"helm.sh/hook": "test"}}, {}),
    ("unknown-field", {"unknown_fields": ("imge",)}, {}),
    (
        "static-pod",
        {"kind": "Pod", "annotations": {"kubernetes.io/config.mirror": "x"}, "source": Source(uid="1")},
        {"kind": "Pod", "annotations": {"kubernetes.io/config.mirror": "x"}},
    ),
    (
        "static-pod",
        {"kind": "Pod", "creator": KUBELET},
        {"kind": "Pod", "annotations": {"kubernetes.io/config.source": "file"}},
    ),
]

GVISOR = runtime_class("gvisor", "runsc")
OLD = node(kernel="5.10.0-28", kubelet="v1.29.3", container_runtime="containerd://1.6.20", handlers=("", "runc"))
IN_SURROUNDINGS = [
    ({"kernel-below": ["5.15"]}, PLAIN, {"nodes": (OLD,)}),
    ({"kubelet-below": ["1.30.0"]}, PLAIN, {"nodes": (OLD,)}),
    ({"containerd-below": ["1.7.0"]}, PLAIN, {"nodes": (OLD,)}),
    ({"container-runtime": ["containerd://1.6*"]}, PLAIN, {"nodes": (OLD,)}),
    ("user-namespace-unsupported", PLAIN, {"nodes": (OLD,)}),
    ("class-missing", pod("runtimeClassName: gvisor"), {"complete": True}),
    ("class-name-lies", pod("runtimeClassName: gvisor"), {"runtime_classes": (runtime_class("gvisor", "runc"),)}),
    ("class-without-overhead", pod("runtimeClassName: gvisor"), {"runtime_classes": (GVISOR,)}),
    ("class-without-scheduling", pod("runtimeClassName: gvisor"), {"runtime_classes": (GVISOR,)}),
    ("handler-missing", pod("runtimeClassName: gvisor"), {"runtime_classes": (GVISOR,), "nodes": (OLD,)}),
    ("overhead-differs", pod("overhead: {memory: 1Mi}"), {}),
    (
        "selector-conflict",
        pod("runtimeClassName: gvisor\nnodeSelector: {pool: a}"),
        {"runtime_classes": (runtime_class("gvisor", "runsc", "{scheduling: {nodeSelector: {pool: b}}}"),)},
    ),
    (
        "known-bad-version",
        pod("runtimeClassName: gvisor"),
        {
            "runtime_classes": (GVISOR,),
            "nodes": (node(handlers=("runsc",), labels={"casemate.dev/version.gvisor": "1.0"}),),
        },
    ),
    ("internet", PLAIN, {"exposure": {"Deployment shop/app": Exposure(internet=True)}}),
    ("exposed", PLAIN, {"exposure": {"Deployment shop/app": Exposure(via=("Service shop/app",))}}),
    ("network-policy-missing", PLAIN, {"complete": True}),
    ("cluster-admin", PLAIN, {"rights": {"shop/default": Rights(cluster_admin=True)}}),
    ({"broad-rights": ["secrets*"]}, PLAIN, {"rights": {"shop/default": Rights(broad=("secrets: list",))}}),
    ({"namespace-label": ["tenancy=shared"]}, PLAIN, {"namespaces": {"shop": {"tenancy": "shared"}}}),
    ({"label": ["casemate.dev/trust=untrusted"]}, PLAIN, {"namespaces": {"shop": {"casemate.dev/trust": "untrusted"}}}),
]


def holds(when: object, text: str, surroundings: Surroundings | None = None, **identity: object) -> tuple[str, ...]:
    questions = Questions()
    condition = questions.condition(conditions.read(when))
    cases = Cases(tables.load(), surroundings or Surroundings(), None, questions)
    subject = workload(text, **identity)  # type: ignore[arg-type]
    return condition(cases.answers(cases.read(subject), cases.resolve(subject)))


@pytest.mark.parametrize(("when", "pod", "places", "other"), OF_PODS)
def test_a_predicate_holds_where_the_pod_says_so(when, pod, places, other):
    assert pod is None or holds(when, pod) == places
    assert other is None or holds(when, other) == ()


@pytest.mark.parametrize(("when", "identity", "other"), IDENTITIES)
def test_a_predicate_of_identity_holds_for_the_workload(when, identity, other):
    assert holds(when, PLAIN, **identity)
    assert not holds(when, PLAIN, **other)


@pytest.mark.parametrize(("when", "pod", "known"), IN_SURROUNDINGS)
def test_a_predicate_of_surroundings_is_false_when_nothing_is_known(when, pod, known):
    assert holds(when, pod, Surroundings(**known))
    assert when == "overhead-differs" or not holds(when, pod)


def test_every_predicate_of_the_catalogue_is_tried_here():
    cases = [case[0] for table in (OF_PODS, IDENTITIES, IN_SURROUNDINGS) for case in table]
    tried = {next(iter(case)) if isinstance(case, dict) else case for case in cases}
    assert tried == set(conditions.predicates()) - SETTLED_LATER


def test_all_containers_count():
    text = """
        initContainers: [{name: i, image: a, securityContext: {privileged: true}}]
        containers: [{name: c, image: a}, {name: d, image: a, securityContext: {privileged: true}}]
        ephemeralContainers: [{name: e, image: a, securityContext: {privileged: true}}]
    """
    lists = ("initContainers[0]", "containers[1]", "ephemeralContainers[0]")
    assert holds("privileged", text) == tuple(f"{each}.securityContext.privileged" for each in lists)


def test_all_holds_at_its_first_part_any_at_each_and_not_nowhere_in_particular():
    text = pod("hostNetwork: true\nhostPID: true")
    assert holds({"all": [{"not": "host-ipc"}, "host-pid", "host-network"]}, text) == ("hostPID",)
    assert holds({"any": ["host-ipc", "host-pid", "host-network"]}, text) == ("hostPID", "hostNetwork")
    assert holds({"not": "host-ipc"}, text) == POD
    assert holds({"all": ["host-pid", "host-ipc"]}, text) == ()


@pytest.mark.parametrize(
    ("text", "tokenless", "mounted"),
    [
        (PLAIN, "shop/default", False),
        (PLAIN, "other/default", True),
        (pod("serviceAccountName: robot"), "shop/robot", False),
        (pod("serviceAccountName: robot"), "shop/default", True),
        (pod("automountServiceAccountToken: true"), "shop/default", True),
        (pod("automountServiceAccountToken: false"), "other/default", False),
    ],
)
def test_a_pods_word_about_its_token_outranks_its_service_accounts(text, tokenless, mounted):
    around = Surroundings(tokenless=frozenset({tokenless}))
    assert bool(holds("service-account-token", text, around)) is mounted


def test_thousands_of_places_are_found_in_time_that_grows_with_them():
    questions = Questions()
    condition = questions.condition(conditions.read({"image-registry": ["registry.example"]}))
    images = tuple(("registry.example", f"containers[{number}].image") for number in range(20_000))
    began = time.process_time()
    assert len(condition(questions.answers(Facts(values={"image-registry": images})))) == 20_000
    assert time.process_time() - began < 1
