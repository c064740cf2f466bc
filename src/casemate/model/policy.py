"""Isolation policies, exceptions from them, what is asked of them, and what they answer.

The documents mirror the YAML that people write (`apiVersion: casemate.dev/v1alpha1`); an unknown field is an error,
because a misspelt condition that is ignored is a hole (CVE-2025-29778).

What a policy means, in the order in which `casemate.policy` decides:

1. *Match*: every stated condition must hold; an absent one holds for all. An object that is in no namespace matches no
   condition about namespaces: its Pods are judged where they are. A Pod counts as a Pod and as its
   controller's kind. `images` matches when any container's image (init, sidecar, ephemeral, image volume) does; an
   image whose name cannot be read matches every policy and no exception.
   `users` and `groups` are judged where they are real: not on requests that Kubernetes' own controllers (`CONTROLLERS`)
   and nodes make.
   In an exception's scope a Pod counts as its controller's kind only where a controller asks, or nobody is known to: a
   Pod names its owner itself.
2. *Class*: permitted sets of all matching policies intersect. An absent `permitted` permits every class, an empty one
   none but unset. Unset (and "") is the class that the node's default handler gives, and must be permitted like any:
   by the name "", by that of a class with the same handler (or the handler's own, if no class has it), or by that
   handler's boundary. Names are compared whole; a boundary is that of the class's handler, or what its name declares
   where RuntimeClasses are not known (`surroundings.complete` is false); labels are those of a RuntimeClass that is
   known. A class that a completely known cluster lacks is refused by every matching policy.
   With `rbac: use`, the Pod's own service account must also have the right to use the class: verb `use` on
   `runtimeclasses` of `node.k8s.io`, by a ClusterRoleBinding or a RoleBinding in the Pod's namespace, to itself or to
   `system:serviceaccounts` (all, or its namespace's; the API server counts no other groups there). What who asks may do
   is of no account. Unset needs no right; a right that is not known is none.
3. *Minimum*: the class's boundary, resolved by its handler, must reach `minimum`; `need` is what `assess` says.
   The workload's own labels may raise that, not lower it. Unknown reaches nothing. A shared kernel reaches `hardened`
   where every `Part` holds. A class whose name claims more than its known handler gives is refused by every
   matching policy.
4. *Annotations* that reconfigure a sandbox (`SANDBOX_ANNOTATIONS`) are refused unless an entry that permits the class
   lists them. An absent or empty `permitted` lists none.
5. *Hardening*: where the class's boundary is below `hardening.below`, or unknown, every listed part must hold for every
   container.
6. *Default*: set when unset: of the defaults of all matching policies the one with the strongest boundary, then that
   of the first policy by title. It must be permitted by all. With `upgrade`, a class that some matching policy does not
   permit and that is weaker than the strongest default of a policy with `upgrade` is replaced by it; never the other
   way, and never one whose boundary is unknown. What was replaced takes its overhead and node selector with it.
   Everything else is judged of the class that then stands there. A policy's default is not set where an exception
   accepts rule `class-unset` of that policy with "" in its `permitted`.
   Pods and Jobs change at CREATE only, the field is immutable; other templates also when an update rewrites them. A
   ReplicaSet of a Deployment is left as it is (its Deployment would make another one for ever) and judged as if it had
   been changed: its Pods are.
7. *Fit*: a class without a node (no known node has its selector's labels and, where it tells, its handler), one whose
   selector the Pod's own contradicts, or one that would break the workload (a row of the catalogue fails), is refused
   with the reason, or warned of. Unset fits.
8. *Exceptions* accept a rule's violations within their scope until they expire. Where several scopes match one
   request, only what all of them accept is accepted: exceptions intersect, never add up (GHSA-gg4x-fgg2-h9w9). One that
   has expired, or that expires later than `max_exception_days` from now, is as if it were not there.
9. *Mode*: only `enforce` denies and changes. What `warn` and `audit` would have denied is a reason, not a decision.
10. *Update*: what the old object violated in the same way (policy, rule, and class, container or annotation; a missing
    right: class and service account), and what leaves specification, labels and annotations of the template alone, is
    not denied again; everything else is judged as new. An object that is being deleted is judged like any other
    (CVE-2023-34091).
11. *Exempt*: casemate's own namespace is not judged. Pods of class system-node-critical in kube-system are judged only
    by policies that name that namespace. A mirror Pod that a node makes is allowed, as it runs already, and says so.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from casemate.model.kube.meta import LabelSelectorRequirement
from casemate.model.workload import Workload


class Document(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What every part of a document has in common: fixed, and closed to unknown fields."""


class NamespaceMatch(Document, frozen=True, kw_only=True):
    """Namespaces by name, and by labels. Both must hold when both are given. `names` takes whole names."""

    names: tuple[str, ...] = ()
    labels: dict[str, str] = {}
    expressions: tuple[LabelSelectorRequirement, ...] = ()


class Match(Document, frozen=True, kw_only=True):
    """Which requests a policy or an exception is about.

    `serviceAccounts` are `namespace/name`, or a name in whatever namespace the Pod is in. `images` are references:
    a repository (`ghcr.io/acme/web`), one with a tag or digest, or everything below a path (`ghcr.io/acme/**`).
    """

    namespaces: NamespaceMatch | None = None
    podLabels: dict[str, str] = {}
    serviceAccounts: tuple[str, ...] = ()
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()


class Permit(Document, frozen=True, kw_only=True):
    """One entry of `permitted`: a class by `name`, by `boundary` (`vm`, `>=vm`), or by `labels` of its RuntimeClass.

    Exactly one of the three. `annotations` lists the sandbox annotations allowed with it: whole names, or a prefix
    that ends with `*`.
    """

    name: str | None = None
    boundary: str = ""
    labels: dict[str, str] = {}
    annotations: tuple[str, ...] = ()


class Part(StrEnum):
    """What makes a shared kernel `hardened`, each for every container of the Pod: init, sidecar and ephemeral ones too.

    A container's field outranks the Pod's. `user-namespace`: `hostUsers: false`. `seccomp`: RuntimeDefault, or
    Localhost with a profile; a privileged container has none. `no-new-privileges`: `allowPrivilegeEscalation: false`
    and not privileged. `drop-capabilities`: `ALL` is dropped, nothing but NET_BIND_SERVICE added, not privileged.
    `non-root`: a user above 0, or `runAsNonRoot` and none. `not-privileged`: neither privileged nor with a part of it:
    a Windows host process, `procMount` but Default, AppArmor Unconfined (by field or any annotation), SELinux type
    spc_t, unconfined_t or container_runtime_t. `no-host-namespaces`: network, PID, IPC, host process.
    `no-host-paths`: no hostPath volume.
    """

    USER_NAMESPACE = "user-namespace"
    SECCOMP = "seccomp"
    NO_NEW_PRIVILEGES = "no-new-privileges"
    DROP_CAPABILITIES = "drop-capabilities"
    NON_ROOT = "non-root"
    NOT_PRIVILEGED = "not-privileged"
    NO_HOST_NAMESPACES = "no-host-namespaces"
    NO_HOST_PATHS = "no-host-paths"


class HardeningRule(Document, frozen=True, kw_only=True):
    """`require` holds wherever the class's boundary is below `below`."""

    below: str
    require: tuple[Part, ...]


SANDBOX_ANNOTATIONS: Final = (
    "io.katacontainers.",
    "dev.gvisor.",
    "run.oci.",
    "io.kubernetes.cri-o.",
    "io.kubernetes.cri.",
    "com.github.containers.virtcontainers.",
    "module.wasm.image/",
    "org.systemd.property.",
    "cpu-freq-governor.crio.io",
    "devices.crio.io",
    "platform-runtime-path.crio.io",
    "seccomp-profile.crio.io",
    "shm-size.crio.io",
    "umask.crio.io",
    "unified-cgroup.crio.io",
    "userns-mode.crio.io",
)
"""Prefixes of annotations by which a Pod reconfigures its sandbox (CVE-2020-27151, google/gvisor#3494): those of Kata,
gVisor, crun, runc (docs/systemd.md) and CRI-O (pkg/annotations, both generations).
"""

CONTROLLERS: Final = frozenset(
    {
        "system:kube-controller-manager",
        *(
            f"system:serviceaccount:kube-system:{name}"
            for name in (
                "replicaset-controller",
                "replication-controller",
                "deployment-controller",
                "statefulset-controller",
                "daemon-set-controller",
                "job-controller",
                "cronjob-controller",
                "ttl-after-finished-controller",
                "disruption-controller",
                "node-controller",
                "namespace-controller",
                "horizontal-pod-autoscaler",
                "generic-garbage-collector",
                "pod-garbage-collector",
            )
        ),
    }
)
"""Users of Kubernetes' own controllers (pkg/controlplane/controller, rbac/bootstrappolicy): others in kube-system are
somebody's.
"""

NODE: Final = "system:node:"
"""What the users of nodes begin with; they are in the group `system:nodes`."""


class Mode(StrEnum):
    """What a violation does."""

    AUDIT = "audit"
    WARN = "warn"
    ENFORCE = "enforce"


class Fit(StrEnum):
    """What happens to a class that has no node or would break the workload."""

    DENY = "deny"
    WARN = "warn"


class Right(StrEnum):
    """What role-based access control has to let the Pod's service account do with its class."""

    USE = "use"


class PolicySpec(Document, frozen=True, kw_only=True):
    """The body of an `IsolationPolicy`. A bare string in `permitted` is `{name: …}`."""

    match: Match = Match()
    default: str = ""
    permitted: tuple[str | Permit, ...] | None = None
    rbac: Right | None = None
    minimum: str = ""
    hardening: HardeningRule | None = None
    upgrade: bool = False
    fit: Fit = Fit.DENY
    mode: Mode = Mode.ENFORCE


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """A policy with its place. `namespace` is empty for a cluster-wide `IsolationPolicy`, and that of a
    `NamespacedIsolationPolicy`, which is about that namespace alone and can only narrow.
    """

    name: str
    spec: PolicySpec
    namespace: str = ""
    where: str = ""

    @property
    def title(self) -> str:
        """The name that verdicts and reports use: `tenants`, or `team-a/tenants`."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Rule(StrEnum):
    """Every reason that a verdict can give, with a page in docs/reference/policy-rules.md."""

    CLASS_NOT_PERMITTED = "class-not-permitted"
    CLASS_UNSET = "class-unset"
    CLASS_UNKNOWN = "class-unknown"
    CLASS_MISMATCH = "class-mismatch"
    CLASS_NOT_GRANTED = "class-not-granted"
    BELOW_MINIMUM = "below-minimum"
    SANDBOX_ANNOTATION = "sandbox-annotation"
    HARDENING = "hardening"
    NO_NODE = "no-node"
    WOULD_BREAK = "would-break"
    NO_DEFAULT = "no-default"
    ANCHOR = "anchor"
    NAMESPACE_UNKNOWN = "namespace-unknown"
    MALFORMED = "malformed"
    DEFAULT_SET = "default-set"
    UPGRADED = "upgraded"
    EXCEPTION = "exception"
    EXEMPT = "exempt"
    IDENTITY_UNKNOWN = "identity-unknown"


CLASS_RULES: Final = frozenset(
    {
        Rule.CLASS_NOT_PERMITTED,
        Rule.CLASS_UNSET,
        Rule.CLASS_UNKNOWN,
        Rule.CLASS_MISMATCH,
        Rule.CLASS_NOT_GRANTED,
        Rule.BELOW_MINIMUM,
    }
)
"""Rules about the class itself: an exception's `permitted` limits them."""

EXCEPTABLE: Final = CLASS_RULES | {Rule.SANDBOX_ANNOTATION, Rule.HARDENING, Rule.NO_NODE, Rule.WOULD_BREAK}
"""Rules that an exception may accept. `no-default` is only ever said beside one of them."""


class ExceptionSpec(Document, frozen=True, kw_only=True):
    """The body of an `IsolationException`: who accepted what, why, until when (RFC 3339 date or time), for which scope.

    `policies` names the policies that it is about by title, `rules` (of `EXCEPTABLE`) what it accepts. A date counts to
    its end, in UTC. With `permitted`, `CLASS_RULES` are accepted for those classes only ("" is unset). `scope` needs at
    least one condition: an exception for everything is a policy of its own. `scope.images` holds only if all images
    match: it widens, so any would be too much; a pattern with a tag then asks for an image without a digest.
    """

    reason: str
    owner: str
    expires: str
    policies: tuple[str, ...]
    rules: tuple[Rule, ...]
    scope: Match
    permitted: tuple[str, ...] = ()


class PolicyException(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster-wide `IsolationException`."""

    name: str
    spec: ExceptionSpec
    where: str = ""


class Operation(StrEnum):
    """What is asked of the API server."""

    CREATE = "CREATE"
    UPDATE = "UPDATE"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a verdict is about: a workload, who asks for it, and where.

    `namespace_labels` is None when they could not be had, which denies wherever a policy asks for labels. `user` is
    empty when it is not known (and `groups` too when nobody is known to ask: audit, files): policies about what is not
    known then say that they were not applied.
    `old` is the object before an update. `subresource` is such as `ephemeralcontainers`.
    """

    workload: Workload
    operation: Operation = Operation.CREATE
    namespace_labels: dict[str, str] | None = None
    user: str = ""
    groups: tuple[str, ...] = ()
    old: Workload | None = None
    subresource: str = ""


class Decision(StrEnum):
    """What becomes of the request. `change` admits it with the patch."""

    ALLOW = "allow"
    DENY = "deny"
    CHANGE = "change"


class PolicyReason(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why. `mode` is that of the policy: only `enforce` decided. `path` is the field in the object, if one."""

    policy: str
    rule: Rule
    message: str
    mode: Mode = Mode.ENFORCE
    path: str = ""


class Patch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One operation of a JSON Patch (RFC 6902). `value` is left out of `remove`."""

    op: str
    path: str
    value: str | msgspec.UnsetType = msgspec.UNSET


class Verdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The one answer that every front end gives. `exception` names what was used to allow it."""

    decision: Decision
    reasons: tuple[PolicyReason, ...] = ()
    patch: tuple[Patch, ...] = ()
    warnings: tuple[str, ...] = ()
    exception: str = ""


class PolicySettings(msgspec.Struct, frozen=True, kw_only=True):
    """What holds for all policies of an installation.

    `default_handler` is what the nodes give when no class is set. `own_namespace` is never judged, nor are
    system-node-critical Pods of kube-system unless a policy names that namespace: policies must not lock the cluster
    out. `guardians` are the groups that may move anchors. `max_exception_days` bounds how far off an expiry may be.
    """

    default_handler: str = "runc"
    own_namespace: str = "casemate-system"
    guardians: tuple[str, ...] = ("system:masters", "kubeadm:cluster-admins")
    max_exception_days: int = 90
