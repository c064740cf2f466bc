"""What service accounts may do beyond their own objects, and which RuntimeClasses they may `use`, as role-based access
control grants it.

1. A binding gives the rules of its role to its subjects: a service account, the user name of one, or a group of them.
2. A RoleBinding gives them in its namespace, a ClusterRoleBinding everywhere. Both count: what is dangerous in one
   namespace is the door to its other service accounts.
3. Dangerous grants are those of the Kubernetes documents "RBAC good practices": reading secrets, starting Pods or
   entering them, reaching nodes, changing what guards others, and giving rights. Rules that name single objects
   (`resourceNames`) do not count, but for verbs that give rights.
4. Everything on everything, everywhere, is cluster-admin.
5. A role that is not in the input has the rules of the role that every cluster has under its name, or none.
6. A service account may say that Pods get no token of it (`automountServiceAccountToken: false`). Where it stands
   twice, both must.
7. `use` of RuntimeClasses is read exactly (`casemate.model.surroundings.UseGrants`): names in `resourceNames` are no
   patterns; of groups only those count that the API server gives the account when a policy asks it
   (apiserver, pkg/authentication/serviceaccount/util.go): all service accounts, and those of a namespace.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from casemate.model.kube.meta import LabelSelector
from casemate.model.surroundings import Rights, UseBinding, UseGrants
from casemate.model.workload import Workload
from casemate.sources.fast_decode import decode
from casemate.sources.rules.labels import matches

_Subject: TypeAlias = tuple[str, str]
"""Its kind and its name."""

_GROUP: Final = "rbac.authorization.k8s.io"
_WRITE: Final = ("create", "update", "patch")
_DANGEROUS: Final[dict[tuple[str, str], tuple[str, ...]]] = {
    ("", "secrets"): ("get", "list", "watch"),
    ("", "pods"): _WRITE,
    ("", "pods/exec"): ("create", "get"),
    ("", "pods/attach"): ("create", "get"),
    ("", "pods/ephemeralcontainers"): ("update", "patch"),
    ("", "replicationcontrollers"): _WRITE,
    ("apps", "deployments"): _WRITE,
    ("apps", "daemonsets"): _WRITE,
    ("apps", "statefulsets"): _WRITE,
    ("apps", "replicasets"): _WRITE,
    ("batch", "jobs"): _WRITE,
    ("batch", "cronjobs"): _WRITE,
    ("", "persistentvolumes"): _WRITE,
    ("", "nodes"): ("update", "patch"),
    ("", "nodes/proxy"): ("get", "create"),
    ("", "namespaces"): ("update", "patch"),
    ("", "serviceaccounts/token"): ("create",),
    ("", "users"): ("impersonate",),
    ("", "groups"): ("impersonate",),
    ("", "serviceaccounts"): ("impersonate",),
    (_GROUP, "roles"): ("escalate", "bind"),
    (_GROUP, "clusterroles"): ("escalate", "bind"),
    ("certificates.k8s.io", "certificatesigningrequests/approval"): ("update", "patch"),
    ("certificates.k8s.io", "signers"): ("sign", "approve"),
    ("admissionregistration.k8s.io", "mutatingwebhookconfigurations"): _WRITE,
    ("admissionregistration.k8s.io", "validatingwebhookconfigurations"): (*_WRITE, "delete"),
    ("admissionregistration.k8s.io", "mutatingadmissionpolicies"): _WRITE,
    ("admissionregistration.k8s.io", "validatingadmissionpolicies"): (*_WRITE, "delete"),
    ("admissionregistration.k8s.io", "validatingadmissionpolicybindings"): (*_WRITE, "delete"),
    ("apiregistration.k8s.io", "apiservices"): _WRITE,
    ("node.k8s.io", "runtimeclasses"): (*_WRITE, "delete"),
}
_GIVE_RIGHTS: Final = frozenset(("impersonate", "escalate", "bind", "sign", "approve"))
_USE: Final = ("node.k8s.io", "runtimeclasses", "use")
_ACCOUNT: Final = "system:serviceaccount:"
_ACCOUNTS: Final = "system:serviceaccounts"
_UNNAMED: Final = "default"  # Where what is applied without a namespace lands, as the Pods beside it.


@dataclass(frozen=True, slots=True)
class _Rule:
    groups: frozenset[str]
    resources: frozenset[str]
    verbs: frozenset[str]
    named: bool
    names: tuple[str, ...] = ()

    def allows(self, group: str, resource: str, verb: str) -> bool:
        return (not self.named or verb in _GIVE_RIGHTS) and self.is_about(group, resource, verb)

    def is_about(self, group: str, resource: str, verb: str) -> bool:
        """Whether it allows that on some object at least."""
        main, _, sub = resource.partition("/")
        names = {resource, "*", f"*/{sub}"} if sub else {main, "*"}
        return bool({group, "*"} & self.groups and names & self.resources and {verb, "*"} & self.verbs)

    @property
    def is_everything(self) -> bool:
        return "*" in self.groups and "*" in self.resources and "*" in self.verbs and not self.named


@dataclass(frozen=True, slots=True)
class _Role:
    rules: tuple[_Rule, ...]
    labels: dict[str, str]
    aggregated: tuple[LabelSelector, ...] = ()


@dataclass(frozen=True, slots=True)
class _Binding:
    namespace: str
    role: tuple[str, str]
    everywhere: bool


def _all_of(*grants: tuple[str, str, tuple[str, ...]]) -> _Role:
    rules = (_Rule(frozenset((g,)), frozenset((r,)), frozenset(verbs), named=False) for g, r, verbs in grants)
    return _Role(tuple(rules), {})


_EVERY: Final = frozenset(("*",))
_EDITED: Final = tuple(
    (group, resource, _DANGEROUS[group, resource])
    for group, resource in _DANGEROUS
    if group in ("apps", "batch") or resource in ("secrets", "pods", "pods/exec", "pods/attach", "serviceaccounts")
)
_DEFAULT: Final = {
    "cluster-admin": _Role((_Rule(_EVERY, _EVERY, _EVERY, named=False),), {}),
    "admin": _all_of(*_EDITED),
    "edit": _all_of(*_EDITED),
}


class Grants:
    """Roles and bindings."""

    def __init__(self) -> None:
        self._roles: dict[tuple[str, str], _Role] = {}
        self._bindings: dict[_Subject, list[_Binding]] = defaultdict(list)
        self._tokens: dict[str, bool] = {}
        self._use: UseGrants | None = None

    def take(self, group: str, kind: str, value: dict[str, object]) -> bool:
        """Take an object in, or say that it is nothing of the kind."""
        if group != _GROUP and (group, kind) != ("", "ServiceAccount"):
            return False
        self._use = None
        meta = value.get("metadata")
        meta = meta if isinstance(meta, dict) else {}
        namespace = _text(meta.get("namespace"))
        if kind == "ServiceAccount":
            title = f"{namespace}/{_text(meta.get('name'))}"
            gives = value.get("automountServiceAccountToken") is not False
            self._tokens[title] = gives or self._tokens.get(title, False)
        if kind in ("Role", "ClusterRole"):
            name, labels = _text(meta.get("name")), meta.get("labels")
            scope = namespace if kind == "Role" else _CLUSTER
            self._roles[scope, name] = _role(value, labels if isinstance(labels, dict) else {})
        elif kind in ("RoleBinding", "ClusterRoleBinding"):
            self._bind(namespace, value, everywhere=kind == "ClusterRoleBinding")
        return True

    def tokenless(self) -> frozenset[str]:
        """The service accounts that give Pods no token, as `namespace/name`."""
        return frozenset(title for title, gives in self._tokens.items() if not gives)

    def rights(self, workloads: Iterable[Workload]) -> dict[str, Rights]:
        """The rights of these workloads' service accounts, by `namespace/name`, as far as there are dangerous ones."""
        if not self._bindings:
            return {}
        found: dict[str, Rights] = {}
        for namespace, name in {(each.namespace, _account(each)) for each in workloads}:
            rights = self._of(namespace, name)
            if rights.broad or rights.cluster_admin:
                found[f"{namespace}/{name}"] = rights
        return found

    def use(self) -> UseGrants | None:
        """Who may use which RuntimeClasses; None when no role and no binding is known."""
        if self._use is None and (self._roles or self._bindings):
            self._use = self._using()
        return self._use

    def _using(self) -> UseGrants:
        given: dict[_Binding, list[str]] = defaultdict(list)
        for subject, bindings in self._bindings.items():
            if accounts := _accounts(subject):
                for binding in bindings:
                    given[binding].append(accounts)
        classes = {role: _classes(self._rules(role)) for role in self._roles}
        return UseGrants(
            roles={"/".join(role): found for role, found in classes.items()},
            bindings=tuple(
                UseBinding(
                    role="/".join(each.role),
                    accounts=tuple(dict.fromkeys(accounts)),
                    namespace="" if each.everywhere else each.namespace or _UNNAMED,
                )
                for each, accounts in given.items()
                if classes.get(each.role) != ()
            ),
        )

    def _bind(self, namespace: str, value: dict[str, object], *, everywhere: bool) -> None:
        role, subjects = value.get("roleRef"), value.get("subjects")
        if not isinstance(role, dict) or not isinstance(subjects, list):
            return
        scope = _CLUSTER if role.get("kind") == "ClusterRole" else namespace
        if everywhere and scope != _CLUSTER:
            return  # The API server takes no such binding.
        binding = _Binding(namespace, (scope, _text(role.get("name"))), everywhere)
        for each in subjects:
            if isinstance(each, dict):
                self._bindings[_subject(each, namespace)].append(binding)

    def _of(self, namespace: str, name: str) -> Rights:
        subjects = (
            (_USER, f"{_ACCOUNT}{namespace}:{name}"),
            *((_USER_GROUP, each) for each in (f"{_ACCOUNTS}:{namespace}", _ACCOUNTS, "system:authenticated")),
        )
        bindings = [binding for subject in subjects for binding in self._bindings.get(subject, ())]
        broad: dict[str, None] = {}
        admin = False
        for binding in bindings:
            rules = self._rules(binding.role)
            admin = admin or (binding.everywhere and any(rule.is_everything for rule in rules))
            broad |= dict.fromkeys(dangerous(rules))
        return Rights(broad=tuple(broad), cluster_admin=admin)

    def _rules(self, role: tuple[str, str]) -> tuple[_Rule, ...]:
        found = self._roles.get(role)
        if found is None:
            found = _DEFAULT.get(role[1]) if role[0] == _CLUSTER else None
        if found is None:
            return ()
        others = (
            each.rules
            for selector in found.aggregated
            for (scope, _), each in self._roles.items()
            if scope == _CLUSTER and selector != LabelSelector() and matches(selector, each.labels)
        )
        return (*found.rules, *(rule for rules in others for rule in rules))


_CLUSTER: Final = "*"
_USER: Final = "User"
_USER_GROUP: Final = "Group"


def _classes(rules: Iterable[_Rule]) -> tuple[str, ...] | None:
    """The RuntimeClasses that rules let their holders use; None for every one."""
    using = [each for each in rules if each.is_about(*_USE)]
    if any(not each.named for each in using):
        return None
    return tuple(sorted({name for each in using for name in each.names}))


def _accounts(subject: _Subject) -> str:
    """The service accounts that a subject is: `namespace/name`, `namespace/*`, `*`; empty when it is none."""
    kind, name = subject
    if kind == _USER and name.startswith(_ACCOUNT):
        namespace, _, account = name.removeprefix(_ACCOUNT).partition(":")
        return f"{namespace}/{account}" if namespace and account and account != "*" else ""
    if kind == _USER_GROUP and name == _ACCOUNTS:
        return "*"
    namespace = name.removeprefix(f"{_ACCOUNTS}:")
    return f"{namespace}/*" if kind == _USER_GROUP and namespace != name and namespace else ""


@lru_cache(maxsize=4096)
def dangerous(rules: tuple[_Rule, ...]) -> tuple[str, ...]:
    """The dangerous grants among rules, such as `secrets: list`."""
    return tuple(
        f"{resource}: {verb}"
        for (group, resource), verbs in _DANGEROUS.items()
        for verb in verbs
        if any(rule.allows(group, resource, verb) for rule in rules)
    )


def _role(value: dict[str, object], labels: dict[str, object]) -> _Role:
    rules, aggregation = value.get("rules"), value.get("aggregationRule")
    selectors = aggregation.get("clusterRoleSelectors") if isinstance(aggregation, dict) else None
    return _Role(
        tuple(_rule(each) for each in rules if isinstance(each, dict)) if isinstance(rules, list) else (),
        {key: text for key, text in labels.items() if isinstance(text, str)},
        tuple(decode(each, LabelSelector).struct for each in selectors) if isinstance(selectors, list) else (),
    )


def _rule(value: dict[str, object]) -> _Rule:
    return _Rule(
        groups=_names(value.get("apiGroups")),
        resources=_names(value.get("resources")),
        verbs=_names(value.get("verbs")),
        named=bool(value.get("resourceNames")),
        names=tuple(sorted(_names(value.get("resourceNames")))),
    )


def _names(value: object) -> frozenset[str]:
    return frozenset(each for each in value if isinstance(each, str)) if isinstance(value, list) else frozenset()


def _subject(value: dict[str, object], namespace: str) -> _Subject:
    """The user or group that a subject is: a service account is a user with a long name."""
    kind, name = _text(value.get("kind")), _text(value.get("name"))
    if kind == "ServiceAccount":
        return _USER, f"{_ACCOUNT}{_text(value.get('namespace')) or namespace}:{name}"
    return kind, name


def _account(workload: Workload) -> str:
    return workload.spec.serviceAccountName or workload.spec.serviceAccount or "default"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
