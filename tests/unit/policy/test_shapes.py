"""Workloads share verdicts by shape: what they share must be what each would get alone."""

from __future__ import annotations

import datetime
import itertools
from typing import Any

import pytest
from asked import NOW, ask, exception, made, pod, policy, runtime_class
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.catalogue import tables
from casemate.catalogue.conditions import asked, predicates
from casemate.decide.fit import families
from casemate.model.assessment import Outcome
from casemate.model.kube.objects import Overhead, RuntimeClass
from casemate.model.surroundings import Node, Surroundings
from casemate.policy.evaluate import PolicySet

NVIDIA = {"limits": {"nvidia.com/gpu": "1"}}
CONTAINERS: tuple[dict[str, Any], ...] = (
    {},
    {"image": "spin-app"},
    {"image": "app:wasm"},
    {"image": "quay.io/cilium/cilium:1"},
    {"image": "scylladb"},
    {"image": "postgres:17"},
    {"image": "istio/proxyv2:1"},
    {"image": "localhost:5000/s3fs"},
    {"image": "not an image bpf"},
    {"image": "a:b:bpf"},
    {"image": "nginx@sha256:" + "0" * 64},
    {"command": ["iptables", "-L"]},
    {"args": ["/usr/bin/sudo"]},
    {"command": ["dockerd"]},
    {"command": ["strace"]},
    {"env": [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}]},
    {"env": [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"}]},
    {"env": [{"name": "MODE", "value": "production"}]},
    {"resources": NVIDIA},
    {"resources": {"requests": {"devices.kubevirt.io/kvm": "1"}}},
    {"resources": {"limits": {"github.com/fuse": "1"}}},
    {"resources": {"limits": {"rdma/hca": "1"}}},
    {"resources": {"limits": {"cpu": "1", "memory": "1Gi"}}},
    {"resources": {"limits": {"example.com/x": "1"}}},
    {"resources": {"limits": {"example.com/x": "1"}, "claims": [{"name": "gpu"}]}},
    {"resources": {"claims": [{"name": "gpu"}]}},
    {"volumeDevices": [{"name": "v", "devicePath": "/dev/xvda"}]},
    {"volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "x"}]},
    {"volumeMounts": [{"name": "v", "mountPath": "/v", "mountPropagation": "Bidirectional"}]},
    {"volumeMounts": [{"name": "v", "mountPath": "/v"}]},
    {"volumeMounts": [{"name": "v", "mountPath": "/v", "subPathExpr": "$(NAME)"}]},
    {"volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": ""}]},
    {"livenessProbe": {"exec": {"command": ["true"]}}},
    {"readinessProbe": {"httpGet": {"port": 80}}},
    {"lifecycle": {"preStop": {"exec": {"command": ["true"]}}}},
    {"lifecycle": {"preStop": {"sleep": {"seconds": 1}}}},
    *({"securityContext": {"capabilities": {"add": [name]}}} for name in ("BPF", "SYS_MODULE", "NET_RAW")),
    *({"securityContext": {"capabilities": {"add": [name]}}} for name in ("SYS_PTRACE", "CAP_NET_RAW", "all")),
    {"securityContext": {"capabilities": {"add": ["NET_BIND_SERVICE"]}}},
    {"securityContext": {"capabilities": {"drop": ["ALL"]}}},
    {"securityContext": {"privileged": True}},
    {"securityContext": {"privileged": False}},
    {"securityContext": {"seLinuxOptions": {"type": "container_t"}}},
    {"securityContext": {"windowsOptions": {"hostProcess": True}}},
    {"securityContext": {"procMount": "Unmasked"}},
    {"securityContext": {"allowPrivilegeEscalation": False}},
    {"securityContext": {"runAsNonRoot": True}},
)
PATHS = ("/sys/fs/bpf", "/lib/modules", "/dev/kvm", "/dev/fuse", "/proc", "/var/log", "/data")
VOLUMES: tuple[dict[str, Any], ...] = (
    *({"hostPath": {"path": path}} for path in PATHS),
    {"hostPath": {"path": "/run/x.sock", "type": "Socket"}},
    {"hostPath": {"path": "/dev/sda", "type": "BlockDevice"}},
    {"configMap": {"name": "c"}, "hostPath": {"path": "/dev/kvm"}},
    {"nfs": {"server": "s", "path": "/"}},
    {"image": {"reference": "nginx"}},
    {"emptyDir": {}},
    {"secret": {"secretName": "s"}},
    {},
)
MOUNTED: dict[str, Any] = {
    "containers": [{"name": "c", "image": "nginx", "volumeMounts": [{"name": "v", "mountPath": "/"}]}]
}
SPECS: tuple[dict[str, Any], ...] = (
    *({field: value} for field in ("hostNetwork", "hostPID", "hostIPC", "hostUsers") for value in (True, False)),
    {"hostUsers": False, "volumes": [{"name": "v", "nfs": {"server": "s", "path": "/"}}]},
    {"shareProcessNamespace": True},
    {"os": {"name": "windows"}},
    {"nodeSelector": {"kubernetes.io/os": "windows"}},
    {"nodeSelector": {"kubernetes.io/arch": "wasm32"}},
    *({"nodeSelector": each} for each in ({"pool": "gvisor"}, {"pool": "other"}, {"disk": "fast", "pool": "other"})),
    *({"nodeName": each} for each in ("a", "b")),
    *({"overhead": {"cpu": each}} for each in ("1", "2")),
    {"overhead": {"cpu": "1"}, "nodeSelector": {"pool": "other"}},
    {"resourceClaims": [{"name": "gpu", "resourceClaimName": "g"}]},
    {"securityContext": {"sysctls": [{"name": "net.core.somaxconn", "value": "1"}]}},
    {"securityContext": {"seLinuxOptions": {"type": "spc_t"}}},
    {"securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}},
    {"securityContext": {"windowsOptions": {"hostProcess": True}}},
    {"serviceAccountName": "builder"},
    *({"volumes": [{"name": "v", **each}]} for each in VOLUMES),
    *({"volumes": [{"name": "v", **each}], **MOUNTED} for each in VOLUMES),
    *({"volumes": [{"name": "u", "emptyDir": {}}, {"name": "v", **each}]} for each in VOLUMES),
    *({"volumes": [{"name": "v", "emptyDir": {}}, {"name": "v", **each}]} for each in VOLUMES),
    *({"volumes": [{"name": "v", **each}, {"name": "v", "emptyDir": {}}]} for each in VOLUMES),
    *({"volumes": [{"name": "v", **each}, {"name": "u", "emptyDir": {}}]} for each in VOLUMES),
)
PLACING = {"nodeSelector", "nodeName", "overhead", "os"}
ANNOTATIONS: tuple[dict[str, str], ...] = (
    {"kubernetes.io/config.source": "file"},
    {"module.wasm.image/variant": "compat"},
    *({"run.oci.handler": each} for each in ("krun", "wasm")),
    {"io.katacontainers.config.hypervisor.path": "/x"},
    {"container.apparmor.security.beta.kubernetes.io/c": "unconfined"},
    {"team": "a"},
)


def bodies() -> list[dict[str, Any]]:
    """Pods that each say one thing."""
    container = {"name": "c", "image": "nginx"}
    return [
        *(pod({"containers": [container | each]}) for each in CONTAINERS),
        *(pod({"initContainers": [{"name": "i", "image": "nginx"} | each]}) for each in CONTAINERS),
        *(pod(each) for each in SPECS),
        *(pod(metadata={"annotations": each}) for each in ANNOTATIONS),
        *(pod(metadata={"labels": {"app": each}}) for each in ("web", "other")),
    ]


def under(body: dict[str, Any], name: str) -> dict[str, Any]:
    return {**body, "spec": {**body["spec"], **({"runtimeClassName": name} if name else {})}}


class Days:
    """Each day begins with nothing kept: on one of its own, a request is the first."""

    def __init__(self, of: PolicySet) -> None:
        self._of = of
        self._days = itertools.count(1)

    def together(self, body: dict[str, Any], **more: Any) -> Any:
        return ask(self._of, body, now=NOW, **more)

    def alone(self, body: dict[str, Any], **more: Any) -> Any:
        return ask(self._of, body, now=NOW + datetime.timedelta(days=next(self._days)), **more)


def classes() -> list[str]:
    """A class of each runtime."""
    named = (next((name for name in row.classes if "*" not in name), "") for row in tables.load().runtimes.runtimes)
    return list(dict.fromkeys(("", *named)))


@pytest.mark.parametrize("name", classes())
def test_whatever_one_pod_says_the_next_is_judged_as_if_it_were_the_first(name):
    rules = "{hardening: {below: confidential, require: [seccomp, not-privileged, user-namespace]}}"
    days = Days(made(policy(rules), around=Surroundings()))
    found = [under(each, name) for each in bodies()]
    alone = [days.alone(each) for each in found]
    assert [days.together(each) for each in found] == alone
    assert [days.together(each) for each in reversed(found)] == alone[::-1]


def nodes() -> Surroundings:
    """A cluster in which it matters where a Pod lands: one of its nodes is too old for user namespaces."""
    both = ("runsc", "runc")
    old = Node(name="a", labels={"pool": "gvisor"}, handlers=both, kernel="5.4.0", kubelet="v1.30.0")
    new = Node(name="b", labels={"pool": "other"}, handlers=both, user_namespace_handlers=both, kernel="6.12.0")
    overhead = Overhead(podFixed={"cpu": "1"})
    gvisor = runtime_class("gvisor", "runsc", {"pool": "gvisor"})
    classes = (
        RuntimeClass(metadata=gvisor.metadata, handler="runsc", scheduling=gvisor.scheduling, overhead=overhead),
    )
    return Surroundings(complete=True, runtime_classes=(*classes, runtime_class("runc", "runc")), nodes=(old, new))


@pytest.mark.parametrize("name", ["", "gvisor", "runc"])
@pytest.mark.parametrize("permitted", ["gvisor", "gvisor, runc"])
def test_pods_that_land_elsewhere_are_judged_by_where_they_land(name, permitted):
    days = Days(made(policy(f"{{default: gvisor, permitted: [{permitted}], upgrade: true}}"), around=nodes()))
    found = [under(pod({**each, "hostUsers": False}), name) for each in SPECS if each.keys() & PLACING]
    alone = [days.alone(each) for each in found]
    assert [days.together(each) for each in found] == alone
    assert [days.together(each) for each in reversed(found)] == alone[::-1]
    assert len({str(each) for each in alone}) > 1


def test_pods_of_one_node_selector_share_a_verdict_without_being_equal():
    of = made(policy("{permitted: [gvisor]}"))
    for index in range(3):
        body = {"nodeSelector": {"pool": "other"}, "containers": [{"name": "c", "image": f"nginx:{index}"}]}
        assert ask(of, pod(body)).decision == "deny"
    assert len(of._period.kept._verdicts) == 1


def test_what_is_too_long_to_keep_is_judged_each_time():
    of = made(policy("{permitted: [gvisor]}"))
    long = {"nodeSelector": {"pool": "x" * (1 << 18)}}
    assert ask(of, pod(long)).decision == ask(of, pod(long)).decision == "deny"
    assert not of._period.kept._verdicts


def test_every_row_that_fails_somewhere_is_met_by_one_of_these_pods():
    met = set()
    for name in classes():
        of = made(policy("{}"), around=Surroundings())
        reasons = (reason for each in bodies() for reason in ask(of, under(each, name)).reasons)
        met |= {reason.message.rpartition("(")[2].rstrip(")") for reason in reasons if reason.rule == "would-break"}
    table = tables.load()
    stands = [families(row, user_namespace=each) for row in table.runtimes.runtimes for each in (True, False)]
    failing = [row for row in table.fits if any(row.cell(each).outcome is Outcome.FAILS for each in stands)]
    scopes = {"class", "node"}
    tellable = [
        row.id
        for row in failing
        if not any(
            predicates()[each.predicate].scope in scopes or each.predicate == "never" for each in asked(row.when)
        )
    ]
    assert set(tellable) <= met


fragments = st.tuples(st.sampled_from(CONTAINERS), st.sampled_from(CONTAINERS), st.sampled_from(SPECS), st.booleans())


@settings(deadline=None)
@given(
    values=st.lists(fragments, min_size=2, max_size=6),
    name=st.sampled_from(["", "gvisor", "kata", "runc"]),
    spec=st.sampled_from(
        [
            "{default: gvisor}",
            "{default: kata, permitted: [gvisor, kata], upgrade: true}",
            "{minimum: hardened}",
            "{minimum: need}",
            "{match: {podLabels: {app: web}}, permitted: [runc]}",
            "{match: {images: [nginx]}, default: gvisor, mode: warn}",
            "{match: {users: [alice]}, permitted: []}",
            "{match: {serviceAccounts: [builder]}, permitted: [kata], fit: warn}",
        ]
    ),
    user=st.sampled_from(["", "alice", "bob"]),
)
def test_verdicts_on_any_mixture_are_those_of_each_alone(values, name, spec, user):
    held = exception("{scope: {podLabels: {app: web}}, rules: [class-not-permitted, hardening]}")
    days = Days(made(policy(spec), policy("{default: gvisor, mode: audit}", "q"), exceptions=(held,)))
    found = []
    for first, second, body, labelled in values:
        containers = [{"name": "c", "image": "nginx"} | first, {"name": "d", "image": "nginx:1"} | second]
        labels = {"labels": {"app": "web"}} if labelled else {}
        found.append(under(pod({"containers": containers, **body}, labels), name))
    assert [days.together(each, user=user) for each in found] == [days.alone(each, user=user) for each in found]


def test_unseen_templates_of_one_shape_share_a_verdict_that_names_their_own_containers():
    of = made(policy("{permitted: [runc], hardening: {below: vm, require: [seccomp]}}"))
    first, second = (
        ask(of, pod({"runtimeClassName": "runc", "containers": [{"name": name, "image": f"{name}:1"}]}))
        for name in ("web", "shop")
    )
    assert "container web lacks" in first.reasons[0].message
    assert "container shop lacks" in second.reasons[0].message
