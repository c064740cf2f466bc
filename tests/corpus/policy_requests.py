"""Random clusters, policies, exceptions and requests, as they are written.

Values that decide are drawn from short lists, so that they meet; everything else that a Pod specification may hold is
drawn from its schema (`casemate.model.kube.pod`), so that what no rule is about is there, too.
"""

from __future__ import annotations

import copy
import random
from typing import Any, Final

import policy_oracle as oracle
from msgspec import inspect
from policy_oracle import Asked, Known

from casemate.model.kube.pod import PodSpec
from casemate.sources.templates import wrap

Object = dict[str, Any]

CLASSES: Final[dict[str, Object]] = {
    "runc": {"handler": "runc"},
    "crun": {"handler": "crun", "metadata": {"labels": {"tier": "legacy"}}},
    "gvisor": {"handler": "runsc", "metadata": {"labels": {"tier": "sandboxed"}}},
    "kata-qemu": {
        "handler": "kata-qemu",
        "metadata": {"labels": {"tier": "sandboxed", "vm": "yes"}},
        "overhead": {"podFixed": {"memory": "160Mi"}},
        "scheduling": {"nodeSelector": {"pool": "kata"}},
    },
    "kata-qemu-snp": {"handler": "kata-qemu-snp", "scheduling": {"nodeSelector": {"pool": "snp"}}},
    "slow": {"handler": "crun", "scheduling": {"nodeSelector": {"pool": "legacy"}}},
    "plain": {"handler": "runc"},
    "gvisor-kvm": {"handler": "runc", "metadata": {"labels": {"tier": "sandboxed"}}},
    "bespoke": {"handler": "bespoke", "metadata": {"labels": {"tier": "sandboxed"}}},
}
NAMES: Final = [*CLASSES, "nowhere"]
BOUNDARIES: Final = ["shared", "hardened", "sandbox", "vm", "confidential"]
ANNOTATIONS: Final = [
    "io.katacontainers.config.hypervisor.path",
    "io.katacontainers.config.hypervisor.default_memory",
    "dev.gvisor.flag.debug",
    "dev.gvisor.spec.mount.x",
    "example.com/dev.gvisor.flag",
    "devices.crio.io",
]
LISTED: Final = [
    "io.katacontainers.config.hypervisor.*",
    "io.katacontainers.*",
    "dev.gvisor.flag.debug",
    "dev.gvisor.*",
]
IMAGES: Final = [
    "nginx",
    "nginx:1.27",
    "docker.io/library/nginx:latest",
    "docker.io/acme/nginx",
    "ghcr.io/acme/web:1",
    "GHCR.io/acme/web:2",
    "ghcr.io/acme/deep/er/web",
    "ghcr.io/acme-evil/web",
    f"ghcr.io/acme/web@sha256:{'a' * 64}",
    f"ghcr.io/acme/web:1@sha256:{'b' * 64}",
    "localhost:5000/web",
    "quay.io/x/y:z",
]
PATTERNS: Final = [
    "nginx",
    "nginx:latest",
    "nginx:1.27",
    "docker.io/library/**",
    "ghcr.io/acme/**",
    "ghcr.io/acme/web",
    "ghcr.io/acme/web:1",
    f"ghcr.io/acme/web@sha256:{'a' * 64}",
    "localhost:5000/**",
]
NAMESPACES: Final[dict[str, Object]] = {
    "team-a": {"tenancy": "shared", "cost": "7"},
    "team-b": {"tenancy": "private"},
    "bare": {},
    "kube-system": {"tenancy": "system"},
    "casemate-system": {"tenancy": "shared"},
}
KINDS: Final = [
    *("Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob"),
    "PodTemplate",
]
OWNERS: Final = {"ReplicaSet": "apps/v1", "Job": "batch/v1", "Deployment": "apps/v1", "TrainingJob": "example.com/v1"}
ASKERS: Final = [
    ("alice", ("tenants", "system:authenticated")),
    ("bob", ("system:authenticated",)),
    ("carol", ("tenants", "contractors", "system:authenticated")),
    ("", ()),
    ("", ("tenants",)),
    ("alice", ()),
    ("system:serviceaccount:kube-system:replicaset-controller", ("system:serviceaccounts", "system:authenticated")),
    ("system:serviceaccount:kube-system:job-controller", ("tenants", "system:authenticated")),
    ("system:serviceaccount:team-a:ci", ("system:serviceaccounts", "system:serviceaccounts:team-a")),
    ("system:node:n1", ("system:nodes", "system:authenticated")),
    ("system:node:n2", ("tenants", "system:authenticated")),
    ("system:serviceaccount:kube-system:tiller", ("system:serviceaccounts", "tenants")),
]
RULES: Final = sorted(oracle.CLASS_RULES | {"sandbox-annotation", "hardening", "no-node"})
ENDS: Final = [
    *("2026-12-31", "2026-11-01", "2026-10-31", "2027-01-30", "2027-01-31", "2030-01-01"),
    *("2026-11-01T00:00:00Z", "2026-11-01T00:00:01Z", "2026-10-31T23:59:59Z", "2026-12-01T00:00:00+02:00"),
]
SPEC: Final = [
    each
    for each in inspect.type_info(PodSpec).fields  # type: ignore[attr-defined]
    if each.name not in ("containers", "initContainers", "ephemeralContainers", "securityContext", "volumes")
    and each.name not in ("runtimeClassName", "serviceAccount", "serviceAccountName", "hostUsers", "priorityClassName")
]


def cluster(rng: random.Random) -> Known:
    """RuntimeClasses and nodes, all of them or some."""
    complete = rng.random() < 0.8
    names = rng.sample(list(CLASSES), rng.randint(len(CLASSES) - 3, len(CLASSES))) if complete else []
    if not complete and rng.random() < 0.5:
        names = rng.sample(list(CLASSES), 3)
    nodes = tuple(_node(rng, number) for number in range(rng.choice((0, 0, 1, 3))))
    return Known(complete, {name: runtime_class(name) for name in names}, nodes, rights(rng))


def rights(rng: random.Random) -> tuple[Object, ...]:
    """Roles and bindings, some of which are about classes: none to many."""
    names = [("Role", "team-a"), ("Role", "team-b"), ("ClusterRole", ""), ("ClusterRole", "")]
    roles = [_role(rng, kind, space, number) for number, (kind, space) in enumerate(names)]
    bindings = [_bound(rng, roles, number) for number in range(rng.choice((0, 2, 5, 8)))]
    return (*rng.sample(roles, rng.choice((0, 3, 4, 4))), *bindings) if bindings else ()


def _rbac(kind: str, name: str, namespace: str, **more: Any) -> Object:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata, **more}


def _role(rng: random.Random, kind: str, namespace: str, number: int) -> Object:
    rules: list[Object] = []
    for _ in range(rng.choice((1, 1, 2))):
        rule: Object = {
            "apiGroups": rng.choice((["node.k8s.io"], ["node.k8s.io"], ["*"], ["apps"])),
            "resources": rng.choice((["runtimeclasses"], ["runtimeclasses"], ["*"], ["runtimeclasses/status"])),
            "verbs": rng.choice((["use"], ["use"], ["get", "use"], ["*"], ["get"])),
        }
        if rng.random() < 0.6:
            rule["resourceNames"] = rng.sample([*NAMES, "*"], rng.choice((1, 3, 6)))
        rules.append(rule)
    return _rbac(kind, f"r{number}", namespace, rules=rules)


def _bound(rng: random.Random, roles: list[Object], number: int) -> Object:
    namespace = rng.choice(("", "", "team-a", "team-a", "team-b", "bare"))
    fitting = [each for each in roles if each["metadata"].get("namespace", "") in ("", namespace)]
    role = rng.choice(fitting)
    ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": role["kind"], "name": role["metadata"]["name"]}
    if rng.random() < 0.05:
        ref |= {"kind": "ClusterRole", "name": rng.choice(("cluster-admin", "nowhere"))}
    subjects = [_subject(rng, namespace) for _ in range(rng.choice((1, 1, 2)))]
    kind = "RoleBinding" if namespace else "ClusterRoleBinding"
    return _rbac(kind, f"b{number}", namespace, roleRef=ref, subjects=subjects)


def _subject(rng: random.Random, namespace: str) -> Object:
    account, space = rng.choice(("ci", "default", "default")), rng.choice(("team-a", "team-a", "team-b"))
    group = rng.choice(("", "", ":team-a", ":team-b", ":bare"))
    people = ("User", rng.choice(("alice", f"system:serviceaccount:{space}:{account}", "system:serviceaccounts")))
    groups = ("Group", rng.choice(("tenants", "system:authenticated", f"system:serviceaccounts{group}")))
    kind, name = rng.choice((("ServiceAccount", account), ("ServiceAccount", account), people, groups))
    if kind != "ServiceAccount":
        return {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
    return {"kind": kind, "name": name, **({} if namespace and rng.random() < 0.2 else {"namespace": space})}


def runtime_class(name: str) -> Object:
    """One of `CLASSES` as it is written."""
    written = copy.deepcopy(CLASSES[name])
    metadata = {"name": name, **written.pop("metadata", {})}
    return {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": metadata, **written}


def _node(rng: random.Random, number: int) -> Object:
    written: Object = {"metadata": {"name": f"n{number}", "labels": {"pool": rng.choice(("kata", "legacy", "x"))}}}
    if rng.random() < 0.7:
        handlers = ["", "runc", "crun", *rng.sample(["runsc", "kata-qemu", "bespoke"], 2)]
        written["status"] = {"runtimeHandlers": [{"name": each} for each in handlers]}
    return written


def policies(rng: random.Random) -> list[Object]:
    """One to four policies."""
    return [_policy(rng, number) for number in range(rng.choice((1, 1, 2, 2, 3, 4)))]


def _policy(rng: random.Random, number: int) -> Object:
    spec: Object = {}
    narrowing = rng.random() < 0.15
    if rng.random() < 0.7:
        spec["match"] = match(rng, namespaces=not narrowing)
    if rng.random() < 0.65:
        spec["permitted"] = [_permit(rng) for _ in range(rng.choice((0, 1, 1, 2, 3)))]
    if rng.random() < 0.6:
        spec["default"] = rng.choice([*NAMES, "gvisor", "kata-qemu", "gvisor", "kata-qemu"])
        spec["upgrade"] = rng.random() < 0.5
        if spec.get("permitted") and rng.random() < 0.7:
            spec["permitted"].append(spec["default"])
    if rng.random() < 0.25:
        spec["rbac"] = "use"
    if rng.random() < 0.25:
        spec["minimum"] = rng.choice(BOUNDARIES)
    if rng.random() < 0.35:
        parts = rng.sample(oracle.PARTS, rng.choice((1, 2, 4)))
        spec["hardening"] = {"below": rng.choice(BOUNDARIES[1:]), "require": parts}
    if rng.random() < 0.5:
        spec["fit"] = rng.choice(("deny", "warn"))
    if rng.random() < 0.3:
        spec["mode"] = rng.choice(("audit", "warn", "enforce"))
    metadata = {"name": f"p{number}", **({"namespace": rng.choice(("team-a", "team-b"))} if narrowing else {})}
    kind = "NamespacedIsolationPolicy" if narrowing else "IsolationPolicy"
    return {"apiVersion": "casemate.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec}


def _permit(rng: random.Random) -> str | Object:
    kind = rng.random()
    if kind < 0.45:
        return rng.choice([*NAMES, ""])
    entry: Object = {"labels": {"tier": rng.choice(("sandboxed", "legacy"))}}
    if kind < 0.65:
        entry = {"name": rng.choice([*NAMES, ""])}
    elif kind < 0.9:
        entry = {"boundary": rng.choice(("", ">=")) + rng.choice(BOUNDARIES)}
    if rng.random() < 0.5:
        entry["annotations"] = rng.sample(LISTED, rng.choice((1, 2)))
    return entry


def match(rng: random.Random, *, namespaces: bool = True) -> Object:
    """One to three conditions."""
    conditions: list[Object] = [
        {"podLabels": {"app": rng.choice(("web", "attack"))}},
        {"serviceAccounts": rng.choice((["team-a/ci"], ["ci"], ["default", "team-b/ci"]))},
        {"users": rng.sample(["alice", "bob", "system:serviceaccount:team-a:ci"], 2)},
        {"groups": rng.sample(["tenants", "contractors", "system:nodes"], rng.choice((1, 2)))},
        {"images": rng.sample(PATTERNS, rng.choice((1, 2)))},
        {"kinds": rng.sample([*KINDS, "TrainingJob"], rng.choice((1, 2, 4)))},
    ]
    if namespaces:
        conditions += [{"namespaces": _namespaces(rng)}] * 4
    found: Object = {}
    for each in rng.sample(conditions, rng.choice((1, 1, 2, 3))):
        found.update(each)
    return found


def _namespaces(rng: random.Random) -> Object:
    operator = rng.choice(("In", "NotIn", "Exists", "DoesNotExist"))
    expression: Object = {"key": rng.choice(("tenancy", "cost", "nobody")), "operator": operator}
    if operator in ("In", "NotIn"):
        expression["values"] = rng.choice((["shared"], ["shared", "private"], ["7"]))
    written: Object = {}
    if rng.random() < 0.4:
        written["names"] = rng.sample(list(NAMESPACES), 2)
    if rng.random() < 0.4:
        written["labels"] = {"tenancy": rng.choice(("shared", "private"))}
    if not written or rng.random() < 0.3:
        written["expressions"] = [expression]
    return written


def exceptions(rng: random.Random) -> list[Object]:
    """None to three exceptions."""
    return [_exception(rng, number) for number in range(rng.choice((0, 0, 1, 2, 3)))]


def _exception(rng: random.Random, number: int) -> Object:
    spec: Object = {
        "reason": "a reason",
        "owner": "team",
        "expires": rng.choice([*ENDS, "2026-12-31", "2026-12-31"]),
        "policies": rng.sample(["p0", "p1", "p2", "team-a/p0"], rng.choice((1, 2, 4, 4))),
        "rules": rng.sample(RULES, rng.choice((1, 3, len(RULES), len(RULES)))),
        "scope": match(rng) if rng.random() < 0.6 else {"namespaces": {"names": ["team-a", "team-b", "bare"]}},
    }
    if rng.random() < 0.4:
        spec["permitted"] = rng.sample([*NAMES, ""], rng.choice((1, 2, 4)))
    meta = {"name": f"e{number}"}
    return {"apiVersion": "casemate.dev/v1alpha1", "kind": "IsolationException", "metadata": meta, "spec": spec}


def asked(rng: random.Random, *, plain: bool = False) -> Asked:
    """One request. A plain one makes something that an API server could admit, in a namespace that is known."""
    names = [each for each in NAMESPACES if not (plain and each == "kube-system")]
    namespace = rng.choice([*names, "team-a", "team-a", "team-b"])
    labels = {**NAMESPACES[namespace], "kubernetes.io/metadata.name": namespace}
    user, groups = rng.choice(ASKERS)
    kind = rng.choice([*KINDS, "Pod", "Pod", "Pod"])
    pod = _pod(rng, namespace)
    if plain:
        _make_valid(rng, pod)
        user, groups = (user or "alice", groups)
        return Asked(_whole(pod, kind), namespace, labels, "CREATE", user, groups)
    old = _before(rng, pod) if rng.random() < 0.3 else None
    return Asked(
        value=_whole(pod, kind),
        namespace=namespace,
        labels=None if rng.random() < 0.06 else labels,
        operation="UPDATE" if old else "CREATE",
        user=user,
        groups=groups,
        old=_whole(old, kind) if old else None,
    )


def _make_valid(rng: random.Random, pod: Object) -> None:
    """Take out what an API server refuses by itself, whatever the policies say."""
    spec = pod["spec"]
    kept = ("containers", "initContainers", "runtimeClassName", "hostUsers", "serviceAccountName", "volumes")
    pod["spec"] = spec = {key: spec[key] for key in (*kept, "securityContext") if key in spec}
    for each in (*spec["containers"], *spec.get("initContainers", ())):
        context = each.get("securityContext", {})
        for key in ("windowsOptions", "procMount"):
            context.pop(key, None)
        if context.get("seccompProfile") == {"type": "Localhost"}:
            context["seccompProfile"] = {"type": "Unconfined"}
        if context.get("privileged") or "SYS_ADMIN" in context.get("capabilities", {}).get("add", ()):
            context.pop("allowPrivilegeEscalation", None)
        if oracle.image(each["image"]) is None:
            each["image"] = rng.choice(IMAGES)
    spec.get("securityContext", {}).pop("windowsOptions", None)
    if spec.get("securityContext", {}).get("seccompProfile") == {"type": "Localhost"}:
        spec["securityContext"].pop("seccompProfile")


def _whole(pod: Object, kind: str) -> Object:
    return pod if kind == "Pod" else wrap(pod, kind)


def _before(rng: random.Random, pod: Object) -> Object:
    """What the Pod was before: the same, or with something else."""
    old = copy.deepcopy(pod)
    changes = (_reclassed, _rehardened, _reannotated, _relabelled, _reaccounted)
    for change in rng.sample(changes, rng.choice((0, 1, 1, 2))):
        change(rng, old)
    return old


def _reclassed(rng: random.Random, pod: Object) -> None:
    pod["spec"].pop("runtimeClassName", None)
    if rng.random() < 0.8:
        pod["spec"]["runtimeClassName"] = rng.choice(NAMES)


def _reaccounted(rng: random.Random, pod: Object) -> None:
    pod["spec"]["serviceAccountName"] = rng.choice(("ci", "default", "other"))


def _rehardened(rng: random.Random, pod: Object) -> None:
    pod["spec"]["containers"] = _containers(rng, "app")


def _reannotated(rng: random.Random, pod: Object) -> None:
    pod["metadata"]["annotations"] = _annotations(rng)


def _relabelled(rng: random.Random, pod: Object) -> None:
    pod["metadata"]["labels"] = {"app": rng.choice(("web", "attack", "other"))}


def _pod(rng: random.Random, namespace: str) -> Object:
    metadata: Object = {"name": "attack", "namespace": namespace}
    if rng.random() < 0.6:
        _relabelled(rng, {"metadata": metadata})
    if rng.random() < 0.35:
        metadata["annotations"] = _annotations(rng)
    if rng.random() < 0.35:
        metadata["ownerReferences"] = [_owner(rng)]
    spec: Object = {"containers": _containers(rng, "app")}
    if rng.random() < 0.25:
        spec["initContainers"] = _containers(rng, "init")
    if rng.random() < 0.1:
        spec["ephemeralContainers"] = _containers(rng, "debug")
    if rng.random() < 0.65:
        spec["runtimeClassName"] = rng.choice([*NAMES, "gvisor", "kata-qemu", "", "Gvisor"])
    _surround(rng, spec)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _annotations(rng: random.Random) -> Object:
    found = dict.fromkeys(rng.sample(ANNOTATIONS, rng.choice((0, 1, 2))), "x")
    if rng.random() < 0.15:
        found["kubernetes.io/config.mirror"] = "abc"
    if rng.random() < 0.2:
        found["container.apparmor.security.beta.kubernetes.io/app"] = rng.choice(("unconfined", "runtime/default"))
    return found


def _owner(rng: random.Random) -> Object:
    kind = rng.choice(list(OWNERS))
    found: Object = {
        "apiVersion": OWNERS[kind],
        "kind": kind,
        "name": "o",
        "uid": "00000000-0000-0000-0000-000000000001",
    }
    return found | ({"controller": rng.random() < 0.8} if rng.random() < 0.9 else {})


def _containers(rng: random.Random, name: str) -> list[Object]:
    return [_container(rng, f"{name}{number}") for number in range(rng.choice((1, 1, 2)))]


def _container(rng: random.Random, name: str) -> Object:
    found: Object = {"name": name, "image": rng.choice(IMAGES)}
    if rng.random() < 0.03:
        found["image"] = rng.choice(("UPPER/case", "white space", "a//b", "x:y:z", "-bad/x"))
    if rng.random() < 0.8:
        found["securityContext"] = _context(rng)
    return found


def _context(rng: random.Random) -> Object:
    """A container's security context: mostly as it should be, with something missing or wrong."""
    found: Object = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for key in rng.sample(list(found), rng.choice((0, 0, 0, 1, 2))):
        found.pop(key)
    wrong: list[Object] = [
        {"privileged": True},
        {"privileged": False, "readOnlyRootFilesystem": True},
        {"allowPrivilegeEscalation": True},
        {"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}},
        {"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}},
        {"capabilities": {"drop": ["NET_RAW"]}},
        {"runAsUser": 0},
        {"runAsUser": 1000},
        {"runAsNonRoot": False},
        {"seccompProfile": {"type": "Unconfined"}},
        {"seccompProfile": {"type": "Localhost", "localhostProfile": "p.json"}},
        {"seccompProfile": {"type": "Localhost"}},
        {"procMount": "Unmasked"},
        {"procMount": "Default"},
        {"appArmorProfile": {"type": "Unconfined"}},
        {"appArmorProfile": {"type": "RuntimeDefault"}},
        {"seLinuxOptions": {"type": "spc_t"}},
        {"seLinuxOptions": {"type": "container_t"}},
        {"windowsOptions": {"hostProcess": True}},
    ]
    for each in rng.sample(wrong, rng.choice((0, 0, 1, 2))):
        found.update(each)
    return found


def _surround(rng: random.Random, spec: Object) -> None:
    """What stands around the containers."""
    if rng.random() < 0.5:
        spec["hostUsers"] = rng.random() < 0.1
    if rng.random() < 0.3:
        spec["serviceAccountName"] = rng.choice(("ci", "default", "other"))
    elif rng.random() < 0.1:
        spec["serviceAccount"] = "ci"
    if rng.random() < 0.25:
        spec["nodeSelector"] = rng.choice(({"pool": "kata"}, {"pool": "legacy"}, {"zone": "a"}))
    if rng.random() < 0.15:
        spec["priorityClassName"] = rng.choice(("system-node-critical", "low"))
    if rng.random() < 0.3:
        context = _context(rng)
        spec["securityContext"] = {
            key: value
            for key, value in context.items()
            if key
            in ("runAsUser", "runAsNonRoot", "seccompProfile", "appArmorProfile", "seLinuxOptions", "windowsOptions")
        }
    if rng.random() < 0.3:
        spec["volumes"] = rng.sample(
            [
                {"name": "a", "emptyDir": {}},
                {"name": "b", "hostPath": {"path": "/var"}},
                {"name": "c", "image": {"reference": rng.choice(IMAGES)}},
            ],
            rng.choice((1, 2)),
        )
    for each in rng.sample(SPEC, rng.choice((0, 0, 1, 3))):
        if each.name not in spec:
            spec[each.name] = value_of(rng, each.type, 3)


def value_of(rng: random.Random, kind: Any, depth: int) -> Any:
    """Any value of a type of the Kubernetes API."""
    match kind:
        case inspect.BoolType():
            return rng.random() < 0.5
        case inspect.IntType():
            return rng.choice((0, 1, 30, 1000))
        case inspect.DictType():
            return {"example.com/x": value_of(rng, kind.value_type, depth - 1)} if depth else {}
        case inspect.VarTupleType() | inspect.ListType():
            return [value_of(rng, kind.item_type, depth - 1)] if depth else []
        case inspect.UnionType():
            return value_of(
                rng, rng.choice([one for one in kind.types if not isinstance(one, inspect.NoneType)]), depth
            )
        case inspect.StructType():
            return _struct(rng, kind, depth)
    return rng.choice(("x", "a-b", "Default", "10Mi"))


def _struct(rng: random.Random, kind: inspect.StructType, depth: int) -> Object:
    wanted = [each for each in kind.fields if each.required or (depth and rng.random() < 0.3)]
    return {each.encode_name: value_of(rng, each.type, depth - 1 if depth else 0) for each in wanted}
