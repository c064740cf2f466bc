"""What a request's verdict has to be: written from the rules in `casemate.model.policy`, and from nothing else.

It takes documents and objects as they are written (plain dictionaries), so that decoding is compared, too. It is slow
and short on purpose, and knows nothing of `casemate.policy`. What it leaves out, the fuzzer leaves out: what a workload
needs (`minimum: need`), rows of the catalogue that say what breaks, and kinds that are not Kubernetes' own.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

Object = dict[str, Any]

ORDER = ["unknown", "shared", "hardened", "sandbox", "vm", "confidential"]
HANDLERS = {"runc": "shared", "crun": "shared", "runsc": "sandbox", "kata-qemu": "vm", "kata-qemu-snp": "confidential"}
NAMES = {
    **HANDLERS,
    "gvisor": "sandbox",
    "gvisor-kvm": "sandbox",
    "runsc-kvm": "sandbox",
    "kata": "vm",
    "kata-snp": "confidential",
}
CONTROLLERS = {"system:kube-controller-manager"} | {
    f"system:serviceaccount:kube-system:{name}"
    for name in ("replicaset-controller", "deployment-controller", "job-controller", "cronjob-controller")
}
SIDE_DOORS = (
    *("io.katacontainers.", "dev.gvisor.", "run.oci.", "io.kubernetes.cri-o.", "io.kubernetes.cri."),
    *("com.github.containers.virtcontainers.", "module.wasm.image/", "org.systemd.property."),
    *(f"{each}.crio.io" for each in ("cpu-freq-governor", "devices", "seccomp-profile", "userns-mode")),
)
CLASS_RULES = {
    *("class-not-permitted", "class-unset", "class-unknown", "class-mismatch", "class-not-granted"),
    "below-minimum",
}
PARTS = (
    *("user-namespace", "seccomp", "no-new-privileges", "drop-capabilities", "non-root", "not-privileged"),
    *("no-host-namespaces", "no-host-paths"),
)
CONFINED = {"spc_t", "unconfined_t", "container_runtime_t"}
PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
PATH = re.compile(f"{PART}(?:/{PART})*")
HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?")
REFERENCE = re.compile(r"(?P<name>[^@\s]+?)(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>[a-z0-9]+:[a-f0-9]{32,}))?")
MOST = datetime.timedelta(days=90)


@dataclass(frozen=True)
class Known:
    """The cluster: RuntimeClasses, Nodes, and Roles and bindings as they are written."""

    complete: bool
    classes: dict[str, Object]
    nodes: tuple[Object, ...]
    rbac: tuple[Object, ...] = ()


@dataclass(frozen=True)
class Asked:
    """One request. `labels` are the namespace's, None when they could not be had."""

    value: Object
    namespace: str
    labels: dict[str, str] | None
    operation: str = "CREATE"
    user: str = ""
    groups: tuple[str, ...] = ()
    old: Object | None = None

    @property
    def role(self) -> str:
        if not self.user and not self.groups:
            return "nobody"
        if self.user in CONTROLLERS:
            return "controller"
        return "node" if self.user.startswith("system:node:") and "system:nodes" in self.groups else "person"

    @cached_property
    def pod(self) -> Pod:
        return Pod(self.value)


@dataclass(frozen=True)
class Answer:
    decision: str
    class_name: str
    broken: frozenset[tuple[str, str, str]]
    """Policy, rule, mode."""


class Pod:
    """The Pod template of an object."""

    def __init__(self, value: Object) -> None:
        self.kind: str = value["kind"]
        self.outer = value["metadata"]
        template = self._template(value)
        self.meta: Object = template.get("metadata") or {}
        self.spec: Object = template["spec"]
        self.labels: dict[str, str] = self.meta.get("labels") or {}
        self.annotations: dict[str, str] = self.meta.get("annotations") or {}
        self.class_name: str = self.spec.get("runtimeClassName") or ""
        self.containers: list[Object] = [
            each
            for name in ("initContainers", "containers", "ephemeralContainers")
            for each in self.spec.get(name) or []
        ]

    def _template(self, value: Object) -> Object:
        path = {"Pod": "", "PodTemplate": "template", "CronJob": "spec jobTemplate spec template"}
        for key in path.get(self.kind, "spec template").split():
            value = value[key]
        return value

    @property
    def account(self) -> str:
        return self.spec.get("serviceAccountName") or self.spec.get("serviceAccount") or "default"

    @property
    def images(self) -> list[str]:
        volumes = [each["image"].get("reference") for each in self.spec.get("volumes") or [] if each.get("image")]
        return [each for each in (*(one.get("image") for one in self.containers), *volumes) if each]

    @property
    def controller(self) -> str:
        owners = [each for each in self.outer.get("ownerReferences") or [] if each.get("controller")]
        return owners[0]["kind"] if owners else ""


def rank(boundary: str) -> int:
    return ORDER.index(boundary)


# --- images -----------------------------------------------------------------------------------------------------------


def image(text: str) -> tuple[str, str, str] | None:
    """Repository, tag and digest as a runtime completes them; None for what is no reference."""
    read = REFERENCE.fullmatch(text)
    if read is None:
        return None
    host, _, path = read["name"].partition("/")
    if not path or not ("." in host or ":" in host or host == "localhost" or host != host.lower()):
        host, path = "docker.io", read["name"] if path else f"library/{read['name']}"
    if not PATH.fullmatch(path) or not HOST.fullmatch(host):
        return None
    return f"{host.lower()}/{path}", read["tag"] or ("" if read["digest"] else "latest"), read["digest"] or ""


def image_fits(pattern: str, found: tuple[str, str, str], *, widening: bool) -> bool:
    if pattern.endswith("/**"):
        return bool(found[0].startswith(pattern[:-2]))
    wanted = image(pattern)
    assert wanted
    tagged = ":" in pattern.rpartition("/")[2]
    if wanted[0] != found[0]:
        return False
    if wanted[2]:
        return wanted[2] == found[2]
    if tagged and widening and found[2]:
        return False
    return not tagged or wanted[1] == found[1]


# --- 1. match ---------------------------------------------------------------------------------------------------------


def namespace_fits(match: Object | None, asked: Asked) -> bool | None:
    """None when the labels that it asks for are not known."""
    if match is None:
        return True
    if not asked.namespace or (match.get("names") and asked.namespace not in match["names"]):
        return False
    if not (match.get("labels") or match.get("expressions")):
        return True
    if asked.labels is None:
        return None
    labels = asked.labels
    if any(labels.get(key) != value for key, value in (match.get("labels") or {}).items()):
        return False
    return all(_expression(each, labels) for each in match.get("expressions") or [])


def _expression(each: Object, labels: dict[str, str]) -> bool:
    found = labels.get(each["key"])
    match each["operator"]:
        case "In":
            return found is not None and found in each["values"]
        case "NotIn":
            return found is None or found not in each["values"]
        case "Exists":
            return found is not None
    return found is None


def rest_fits(match: Object, asked: Asked, *, scope: bool) -> bool:
    """All conditions but those about namespaces. `scope`: of an exception."""
    pod = asked.pod
    if any(pod.labels.get(key) != value for key, value in (match.get("podLabels") or {}).items()):
        return False
    if match.get("serviceAccounts") and not {pod.account, f"{asked.namespace}/{pod.account}"} & set(
        match["serviceAccounts"]
    ):
        return False
    if (match.get("users") or match.get("groups")) and asked.role != "person":
        return False
    if match.get("users") and asked.user not in match["users"]:
        return False
    if match.get("groups") and not set(asked.groups) & set(match["groups"]):
        return False
    if match.get("images") and not _images(match["images"], pod, scope=scope):
        return False
    return not match.get("kinds") or bool(_kinds(asked, scope=scope) & set(match["kinds"]))


def _images(patterns: list[str], pod: Pod, *, scope: bool) -> bool:
    read = [image(each) for each in pod.images]
    if None in read:
        return not scope
    answers = [any(image_fits(each, one, widening=scope) for each in patterns) for one in read if one]
    return all(answers) if scope else any(answers)


def _kinds(asked: Asked, *, scope: bool) -> set[str]:
    found = {asked.pod.kind}
    if asked.pod.kind == "Pod" and (not scope or asked.role in ("controller", "nobody")):
        found.add(asked.pod.controller)
    return found


# --- 2. and 3.: classes -----------------------------------------------------------------------------------------------


def missing(name: str, known: Known) -> bool:
    return bool(name) and known.complete and name not in known.classes


def boundary(name: str, known: Known) -> str:
    if not name:
        return "shared"
    if name in known.classes:
        return HANDLERS.get(known.classes[name]["handler"], "unknown")
    return "unknown" if known.complete else NAMES.get(name, "unknown")


def lies(name: str, known: Known) -> bool:
    if name not in known.classes:
        return False
    gives = HANDLERS.get(known.classes[name]["handler"], "unknown")
    return gives != "unknown" and rank(NAMES.get(name, "unknown")) > rank(gives)


def entry_permits(entry: str | Object, name: str, known: Known) -> bool:
    if isinstance(entry, str):
        entry = {"name": entry}
    if "name" in entry:
        return _named(entry["name"], name, known)
    if entry.get("boundary"):
        wanted, found = entry["boundary"], boundary(name, known)
        if wanted.startswith(">="):
            return found != "unknown" and rank(found) >= rank(wanted[2:])
        return bool(found == wanted)
    labels = (known.classes.get(name) or {"metadata": {}})["metadata"].get("labels") or {}
    return all(labels.get(key) == value for key, value in entry["labels"].items())


def _named(wanted: str, name: str, known: Known) -> bool:
    if wanted == name or name:
        return wanted == name
    if wanted in known.classes:
        return bool(known.classes[wanted]["handler"] == "runc")
    return wanted == "runc"


def permits(spec: Object, name: str, known: Known) -> bool:
    if "permitted" not in spec:
        return True
    if not spec["permitted"]:
        return not name
    return any(entry_permits(each, name, known) for each in spec["permitted"])


def granted(namespace: str, account: str, name: str, known: Known) -> bool:
    """Whether some binding gives the account the right to use the class."""
    return any(
        _binds(each, namespace, account) and _gives(_role_of(each, known), name)
        for each in known.rbac
        if each["kind"].endswith("Binding")
    )


def _binds(binding: Object, namespace: str, account: str) -> bool:
    own = binding["metadata"].get("namespace", "")
    if binding["kind"] == "RoleBinding" and own != namespace:
        return False
    names = {
        "User": [f"system:serviceaccount:{namespace}:{account}"],
        "Group": ["system:serviceaccounts", f"system:serviceaccounts:{namespace}"],
    }
    return any(
        (each.get("namespace") or own, each["name"]) == (namespace, account)
        if each["kind"] == "ServiceAccount"
        else each["name"] in names[each["kind"]]
        for each in binding["subjects"]
    )


def _role_of(binding: Object, known: Known) -> list[Object]:
    ref = binding["roleRef"]
    where = binding["metadata"].get("namespace", "") if ref["kind"] == "Role" else ""
    for each in known.rbac:
        meta = each["metadata"]
        if (each["kind"], meta["name"], meta.get("namespace", "")) == (ref["kind"], ref["name"], where):
            return list(each["rules"])
    return [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}] if ref["name"] == "cluster-admin" else []


def _gives(rules: list[Object], name: str) -> bool:
    return any(
        {"node.k8s.io", "*"} & set(each["apiGroups"])
        and {"runtimeclasses", "*"} & set(each["resources"])
        and {"use", "*"} & set(each["verbs"])
        and (not each.get("resourceNames") or name in each["resourceNames"])
        for each in rules
    )


# --- 5. hardening -----------------------------------------------------------------------------------------------------


def lacks(part: str, pod: Pod) -> list[str]:
    """The containers that lack it; "" is the Pod as a whole."""
    spec, context = pod.spec, pod.spec.get("securityContext") or {}
    whole = False
    match part:
        case "user-namespace":
            return [""] if spec.get("hostUsers") is not False else []
        case "no-host-paths":
            return [""] if any(each.get("hostPath") for each in spec.get("volumes") or []) else []
        case "no-host-namespaces":
            whole = any(spec.get(each) for each in ("hostNetwork", "hostPID", "hostIPC")) or _host_process(context)
            found = [each["name"] for each in pod.containers if _host_process(each.get("securityContext") or {})]
            return [""] * whole + found
        case "not-privileged":
            old = (
                value for key, value in pod.annotations.items() if key.startswith("container.apparmor.security.beta")
            )
            whole = "unconfined" in old or _host_process(context)
    own = ((each["name"], each.get("securityContext") or {}) for each in pod.containers)
    return [""] * whole + [name for name, each in own if _container_lacks(part, each, context)]


def _host_process(context: Object) -> bool:
    return bool((context.get("windowsOptions") or {}).get("hostProcess"))


def _container_lacks(part: str, own: Object, pod: Object) -> bool:
    def outranking(key: str) -> Any:
        return own[key] if own.get(key) is not None else pod.get(key)

    privileged = bool(own.get("privileged"))
    match part:
        case "seccomp":
            profile = outranking("seccompProfile") or {}
            local = profile.get("type") == "Localhost" and bool(profile.get("localhostProfile"))
            return privileged or not (profile.get("type") == "RuntimeDefault" or local)
        case "no-new-privileges":
            return privileged or own.get("allowPrivilegeEscalation") is not False
        case "drop-capabilities":
            found = own.get("capabilities") or {}
            added = set(found.get("add") or []) - {"NET_BIND_SERVICE"}
            return privileged or "ALL" not in (found.get("drop") or []) or bool(added)
        case "non-root":
            user = outranking("runAsUser")
            return user <= 0 if user is not None else outranking("runAsNonRoot") is not True
    selinux = outranking("seLinuxOptions") or {}
    return (
        privileged
        or _host_process(own)
        or (own.get("procMount") or "Default") != "Default"
        or (outranking("appArmorProfile") or {}).get("type") == "Unconfined"
        or selinux.get("type") in CONFINED
    )


# --- 4., 7. and all rules of one policy -------------------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class Broken:
    policy: str
    rule: str
    what: str
    mode: str = field(compare=False, default="enforce")


def violations(policy: Object, name: str, asked: Asked, selector: dict[str, str], known: Known) -> Iterator[Broken]:
    """What the Pod breaks of one policy under that class."""
    spec, pod, namespace = policy["spec"], asked.pod, asked.namespace

    def broken(rule: str, what: str = name) -> Broken:
        return Broken(title_of(policy), rule, what, mode_of(policy))

    yield from (broken(rule) for rule in _class_rules(spec, name, pod, known))
    if spec.get("rbac") and name and not granted(namespace, pod.account, name, known):
        yield broken("class-not-granted", f"{name} as {pod.account}")
    yield from (broken("sandbox-annotation", each) for each in _annotations(spec, name, pod, known))
    hardening = spec.get("hardening")
    if hardening and rank(boundary(name, known)) < rank(hardening["below"]):
        yield from (broken("hardening", f"{part} {who}") for part in hardening["require"] for who in lacks(part, pod))
    if not missing(name, known) and homeless(name, selector, known):
        yield replace(broken("no-node"), mode=mode_of(policy) if spec.get("fit") != "warn" else _told(mode_of(policy)))


def _told(mode: str) -> str:
    return "audit" if mode == "audit" else "warn"


def _class_rules(spec: Object, name: str, pod: Pod, known: Known) -> Iterator[str]:
    if missing(name, known):
        yield "class-unknown"
    if not permits(spec, name, known):
        yield "class-not-permitted" if name else "class-unset"
    if lies(name, known):
        yield "class-mismatch"
    if spec.get("minimum") and _below(spec["minimum"], name, pod, known):
        yield "below-minimum"


def _annotations(spec: Object, name: str, pod: Pod, known: Known) -> Iterator[str]:
    entries = [each for each in spec.get("permitted") or [] if isinstance(each, dict)]
    listed = [one for each in entries if entry_permits(each, name, known) for one in each.get("annotations") or []]
    for each in pod.annotations:
        if each.startswith(SIDE_DOORS) and not any(_listed(one, each) for one in listed):
            yield each


def _below(minimum: str, name: str, pod: Pod, known: Known) -> bool:
    found = boundary(name, known)
    if found == "shared" and not any(lacks(each, pod) for each in PARTS):
        found = "hardened"
    return rank(found) < rank(minimum)


def _listed(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def homeless(name: str, selector: dict[str, str], known: Known) -> bool:
    if name not in known.classes:
        return False
    written = known.classes[name]
    wanted = (written.get("scheduling") or {}).get("nodeSelector") or {}
    if any(key in selector and selector[key] != value for key, value in wanted.items()):
        return True
    return bool(known.nodes) and not any(_houses(each, wanted, written["handler"]) for each in known.nodes)


def _houses(node: Object, wanted: dict[str, str], handler: str) -> bool:
    labels = node["metadata"].get("labels") or {}
    handlers = (node.get("status") or {}).get("runtimeHandlers")
    told = handlers is None or handler in [each.get("name") for each in handlers]
    return told and all(labels.get(key) == value for key, value in wanted.items())


def title_of(policy: Object) -> str:
    meta = policy["metadata"]
    return f"{meta['namespace']}/{meta['name']}" if meta.get("namespace") else str(meta["name"])


# --- 8. exceptions ----------------------------------------------------------------------------------------------------


def holds(exception: Object, now: datetime.datetime) -> bool:
    text = exception["spec"]["expires"]
    if len(text) == len("2026-01-01"):
        ends = datetime.datetime.fromisoformat(f"{text}T00:00:00+00:00") + datetime.timedelta(days=1)
        latest = now + MOST + datetime.timedelta(days=1)
    else:
        ends, latest = datetime.datetime.fromisoformat(text), now + MOST
    return now < ends <= latest


def accepts(exception: Object, policy: str, rule: str, name: str) -> bool:
    spec = exception["spec"]
    if policy not in spec["policies"] or rule not in spec["rules"]:
        return False
    return not spec.get("permitted") or rule not in CLASS_RULES or name in spec["permitted"]


def accepted(applying: list[Object], policy: str, rule: str, name: str) -> bool:
    return bool(applying) and all(accepts(each, policy, rule, name) for each in applying)


# --- the verdict ------------------------------------------------------------------------------------------------------


def verdict(policies: list[Object], exceptions: list[Object], asked: Asked, known: Known, now: Any) -> Answer:
    """The whole of rules 1 to 11."""
    pod = asked.pod
    if asked.namespace == "casemate-system":
        return Answer("allow", pod.class_name, frozenset())
    if asked.namespace == "kube-system" and pod.spec.get("priorityClassName") == "system-node-critical":
        policies = [each for each in policies if _names(each, "kube-system")]
    mirror = pod.kind == "Pod" and asked.role == "node" and "kubernetes.io/config.mirror" in pod.annotations
    if asked.old is not None and not mirror and same_template(asked):
        return Answer("allow", pod.class_name, frozenset())
    case = Case(policies, [each for each in exceptions if holds(each, now)], asked, known)
    found = case.broken(mirror=mirror)
    denied = any(mode == "enforce" for _, _, mode in found)
    name = pod.class_name if mirror or not case.writes else case.name
    changed = name != pod.class_name and not denied
    return Answer("deny" if denied else "change" if changed else "allow", name if changed else pod.class_name, found)


class Case:
    """One request under the policies that are about it."""

    def __init__(self, policies: list[Object], held: list[Object], asked: Asked, known: Known) -> None:
        self.asked, self.known, self._written = asked, known, (policies, held)
        self.applying = [each for each in held if _scope(each, asked)]
        self.matching, self.unknown = _matching(policies, asked)
        once = asked.pod.kind in ("Pod", "Job")
        self.may = not once or asked.operation == "CREATE"
        self.writes = self.may and not (asked.pod.kind == "ReplicaSet" and asked.pod.controller == "Deployment")
        enforcing = [each for each in self.matching if mode_of(each) == "enforce"]
        self.name = self._chosen(asked.pod.class_name, enforcing) if self.may else asked.pod.class_name
        self.before: frozenset[Broken] = self._before() if asked.old is not None else frozenset()

    def broken(self, *, mirror: bool) -> frozenset[tuple[str, str, str]]:
        """What is left of all violations. A mirror Pod is judged as it stands, and only noted."""
        found = {(title_of(each), "namespace-unknown", mode_of(each)) for each in self.unknown}
        for policy in self.matching:
            name = self.asked.pod.class_name if mirror else self._own(policy)
            for each in violations(policy, name, self.asked, self._selector(name), self.known):
                left = mirror or each not in self.before
                judged = self.asked.pod.class_name if mirror else self.name
                if left and not accepted(self.applying, each.policy, each.rule, judged):
                    found.add((each.policy, each.rule, each.mode))
        return frozenset((title, rule, "audit" if mirror else mode) for title, rule, mode in found)

    def _own(self, policy: Object) -> str:
        """The class of which a policy judges: one that does not enforce, of the one that it would have put there."""
        if mode_of(policy) == "enforce" or not self.may:
            return self.name
        return self._chosen(self.name, [policy])

    def _chosen(self, name: str, policies: list[Object]) -> str:
        """The class that these policies put there (rule 6)."""
        if not name:
            wanting = [each for each in policies if not self._left_unset(title_of(each))]
            return self._strongest(wanting) or name
        if all(self._bears(each, name) for each in policies):
            return name
        better = self._strongest([each for each in policies if each["spec"].get("upgrade")])
        here = boundary(name, self.known)
        stronger = bool(better) and rank(boundary(better, self.known)) > rank(here)
        return better if stronger and here != "unknown" else name

    def _bears(self, policy: Object, name: str) -> bool:
        if missing(name, self.known):
            return False
        return permits(policy["spec"], name, self.known) or accepted(
            self.applying, title_of(policy), "class-not-permitted", name
        )

    def _left_unset(self, title: str) -> bool:
        named = all("" in (each["spec"].get("permitted") or []) for each in self.applying)
        return named and accepted(self.applying, title, "class-unset", "")

    def _strongest(self, policies: list[Object]) -> str:
        wanting = [each for each in policies if each["spec"].get("default")]
        order = sorted(wanting, key=lambda e: (-rank(boundary(e["spec"]["default"], self.known)), title_of(e)))
        return str(order[0]["spec"]["default"]) if order else ""

    def _selector(self, name: str) -> dict[str, str]:
        """The Pod's own node selector, without what the class that was replaced had put there."""
        pod = self.asked.pod
        selector = dict(pod.spec.get("nodeSelector") or {})
        if name == pod.class_name or pod.class_name not in self.known.classes:
            return selector
        left = (self.known.classes[pod.class_name].get("scheduling") or {}).get("nodeSelector") or {}
        return {key: value for key, value in selector.items() if left.get(key) != value}

    def _before(self) -> frozenset[Broken]:
        """What the object before an update broke as it stood, of the policies that were about it."""
        assert self.asked.old is not None
        old = Case(*self._written, replace(self.asked, value=self.asked.old, old=None), self.known)
        old.name = old.asked.pod.class_name
        return frozenset(
            one
            for each in old.matching
            for one in violations(each, old._own(each), old.asked, old._selector(old._own(each)), self.known)
        )


def mode_of(policy: Object) -> str:
    return str(policy["spec"].get("mode", "enforce"))


def _names(policy: Object, namespace: str) -> bool:
    match = (policy["spec"].get("match") or {}).get("namespaces") or {}
    return policy["metadata"].get("namespace") == namespace or namespace in (match.get("names") or [])


def _is_about(policy: Object, asked: Asked) -> bool | None:
    own = policy["metadata"].get("namespace")
    match = policy["spec"].get("match") or {}
    if (own and own != asked.namespace) or not rest_fits(match, asked, scope=False):
        return False
    return namespace_fits(match.get("namespaces"), asked)


def _matching(policies: list[Object], asked: Asked) -> tuple[list[Object], list[Object]]:
    """The policies that are about a request, and those of which that is not known."""
    answers = [(each, _is_about(each, asked)) for each in policies]
    return [each for each, is_ in answers if is_], [each for each, is_ in answers if is_ is None]


def _scope(exception: Object, asked: Asked) -> bool:
    scope = exception["spec"]["scope"]
    return namespace_fits(scope.get("namespaces"), asked) is True and rest_fits(scope, asked, scope=True)


def same_template(asked: Asked) -> bool:
    old, new = Pod(asked.old or {}), asked.pod
    return (old.spec, old.labels, old.annotations) == (new.spec, new.labels, new.annotations)
