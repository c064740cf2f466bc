"""Collect the workloads of a live cluster, page by page, with what stands next to them.

1. What is asked for is read only: lists, never watches, and no Secret.
2. Surroundings come first and are kept; workloads come in pages, each with its part of the surroundings, so that memory
   is bounded by a page.
3. What a controller made is its controller's: ReplicaSets of a Deployment, Jobs of a CronJob, Pods of any of them are
   left out when their controller was read. Pods that differ from their controller's template in what holds them (class,
   namespaces of the host, containers and their rights, hostPaths) are workloads of their own, once per controller and
   difference: something changed them on admission, or a debugger is in them.
4. Finished Pods hold nothing any more and are not listed.
5. Custom resources whose schema can hold Pod specifications are read too.
6. A list that is forbidden, too slow or broken is reported, and the rest is still read. The surroundings are complete
   only when all of their lists were.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from casemate.model.kube.container import Container, EphemeralContainer
from casemate.model.kube.pod import PodSpec
from casemate.model.kube.security import SecurityContext
from casemate.model.workload import Workload
from casemate.sources.cluster_access import access
from casemate.sources.cluster_client import Client, UnreadError
from casemate.sources.definitions import Definition
from casemate.sources.fast import Written
from casemate.sources.problems import Problem
from casemate.sources.surroundings import Neighbours
from casemate.sources.surroundings_exposure import ROUTES
from casemate.sources.workloads import Collected, workloads

SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class _List:
    """One list of the API: objects of a kind."""

    version: str
    kind: str
    plural: str
    namespaced: bool = True
    selector: str = ""

    def paths(self, namespaces: Sequence[str]) -> Iterator[str]:
        """Where it is, for all namespaces or for each of some."""
        root = f"/api/{self.version}" if "/" not in self.version else f"/apis/{self.version}"
        if not self.namespaced or not namespaces:
            yield f"{root}/{self.plural}"
        else:
            yield from (f"{root}/namespaces/{each}/{self.plural}" for each in namespaces)


_RBAC: Final = "rbac.authorization.k8s.io/v1"
_DEFINITIONS: Final = _List(
    "apiextensions.k8s.io/v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)
_AROUND: Final = (
    _List("node.k8s.io/v1", "RuntimeClass", "runtimeclasses", namespaced=False),
    _List("v1", "Node", "nodes", namespaced=False),
    _List("v1", "Namespace", "namespaces", namespaced=False),
    _List("v1", "Service", "services"),
    _List("v1", "ServiceAccount", "serviceaccounts"),
    _List("v1", "PersistentVolume", "persistentvolumes", namespaced=False),
    _List("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    _List("networking.k8s.io/v1", "Ingress", "ingresses"),
    _List("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    _List("route.openshift.io/v1", "Route", "routes"),
    _List(_RBAC, "ClusterRole", "clusterroles", namespaced=False),
    _List(_RBAC, "Role", "roles"),
    _List(_RBAC, "ClusterRoleBinding", "clusterrolebindings", namespaced=False),
    _List(_RBAC, "RoleBinding", "rolebindings"),
)
_WORKLOADS: Final = (
    _List("apps/v1", "Deployment", "deployments"),
    _List("apps/v1", "StatefulSet", "statefulsets"),
    _List("apps/v1", "DaemonSet", "daemonsets"),
    _List("batch/v1", "CronJob", "cronjobs"),
    _List("apps/v1", "ReplicaSet", "replicasets"),
    _List("v1", "ReplicationController", "replicationcontrollers"),
    _List("batch/v1", "Job", "jobs"),
)
_PODS: Final = _List("v1", "Pod", "pods", selector="status.phase!=Succeeded,status.phase!=Failed")


def collect(
    kubeconfig: str | None = None,
    *,
    context: str | None = None,
    namespaces: Sequence[str] = (),
    seconds: float = SECONDS,
) -> Iterator[Collected]:
    """The workloads of a cluster, page by page. What was not looked at is in each page's `unreached`.

    Without a kubeconfig, as kubectl finds one, or from inside a Pod. `seconds` limits the wait for all answers. Raises
    `InputError` for a wrong kubeconfig or credentials, `MissingError` without any, `IncompleteError` when the server is
    out of reach.
    """
    with Client(access(kubeconfig, context), seconds) as client:
        client.check()
        yield from _Reading(client, namespaces).pages()


class _Reading:
    """What was read of one cluster so far."""

    def __init__(self, client: Client, namespaces: Sequence[str]) -> None:
        self._client = client
        self._namespaces = namespaces
        self._neighbours = Neighbours()
        self._owners = _Owners()
        self._unreached: list[Problem] = []
        self._custom: list[_List] = []

    def pages(self) -> Iterator[Collected]:
        """Everything, in pages; the last one may hold only what was not looked at."""
        for definition in self._objects(_DEFINITIONS):
            self._define(definition)
        routes = [each for each in self._custom if each.kind in ROUTES.get(each.version.partition("/")[0], ())]
        for each in (*_AROUND, *routes):
            for value in self._objects(each):
                self._neighbours.take(value)
        complete = not self._unreached
        others = [each for each in self._custom if each not in routes]
        for each in (*_WORKLOADS, *others, _PODS):
            for page in self._read(each):
                yield self._collected(page, complete=complete)
        if self._unreached:
            yield self._collected((), complete=complete)

    def _collected(self, page: Iterable[dict[str, object]], *, complete: bool) -> Collected:
        found: list[Workload] = []
        skipped: list[Problem] = []
        for value in page:
            for each in workloads(Written(value, "", 0)):
                if isinstance(each, Problem):
                    skipped.append(each)
                elif (kept := self._owners.own(each, value)) is not None:
                    found.append(kept)
        surroundings = self._neighbours.around(found, complete=complete)
        unreached, self._unreached = tuple(self._unreached), []
        return Collected(tuple(found), surroundings, tuple(skipped), unreached)

    def _objects(self, wanted: _List) -> Iterator[dict[str, object]]:
        for page in self._read(wanted):
            yield from page

    def _read(self, wanted: _List) -> Iterator[list[dict[str, object]]]:
        """The objects of a list, page by page. Where it cannot be read is noted."""
        for path in wanted.paths(self._namespaces):
            count = 0
            try:
                for page in self._client.pages(path, wanted.selector):
                    count += len(page)
                    yield [_object(each, wanted) for each in page]
            except UnreadError as error:
                if not error.missing:
                    after = f" after {count} were read" if count else ""
                    fix = f"let the user list {wanted.plural}, or give it more time"
                    self._unreached.append(Problem(path, f"{error.reason}{after}", fix))

    def _define(self, definition: dict[str, object]) -> None:
        """Note a custom resource that holds Pod specifications, or leads to Services."""
        try:
            spec = msgspec.convert(definition.get("spec"), Definition)
        except msgspec.ValidationError:
            return
        is_route = spec.names.kind in ROUTES.get(spec.group, ())
        version = next(iter(spec.served), None) if is_route else spec.with_pods
        if version:
            scope = spec.scope == "Namespaced"
            self._custom.append(_List(f"{spec.group}/{version.name}", spec.names.kind, spec.names.plural, scope))


def _object(raw: msgspec.Raw, wanted: _List) -> dict[str, object]:
    """An item, which leaves out what its list says."""
    try:
        value: dict[str, object] = msgspec.json.decode(raw, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadError(f"an object cannot be decoded: {error}") from None
    return {"apiVersion": wanted.version, "kind": wanted.kind} | value


@dataclass(frozen=True, slots=True)
class _Owner:
    title: str
    held: int
    above: str


class _Owners:
    """Who owns what, by uid, of all controllers that were read."""

    def __init__(self) -> None:
        self._known: dict[str, _Owner] = {}
        self._changed: set[tuple[str, int]] = set()

    def own(self, workload: Workload, value: dict[str, object]) -> Workload | None:
        """The workload with its chain of owners, or None when its controller stands for it."""
        above = _controller(value)
        if workload.kind != "Pod":
            title = f"{workload.kind}/{workload.name}"
            self._known[workload.source.uid] = _Owner(title, _held(workload.spec), above)
        owner = self._known.get(above)
        if owner is None:
            return workload
        key = (above, _held(workload.spec))
        if workload.kind != "Pod" or owner.held == key[1] or key in self._changed:
            return None
        self._changed.add(key)
        return msgspec.structs.replace(workload, owners=tuple(reversed(list(self._chain(above)))))

    def _chain(self, uid: str) -> Iterator[str]:
        for _ in range(len(self._known)):
            owner = self._known.get(uid)
            if owner is None:
                return
            yield owner.title
            uid = owner.above


def _held(spec: PodSpec) -> int:
    """What holds a Pod, as a number: equal for Pods that are held alike."""
    containers: tuple[Container | EphemeralContainer, ...]
    containers = (*spec.initContainers, *spec.containers, *spec.ephemeralContainers)
    contexts = frozenset((each.name, _rights(each.securityContext)) for each in containers)
    paths = frozenset(each.hostPath.path for each in spec.volumes if each.hostPath)
    host = (spec.hostUsers, bool(spec.hostNetwork), bool(spec.hostPID), bool(spec.hostIPC))
    return hash((spec.runtimeClassName, host, contexts, paths))


def _rights(context: SecurityContext | None) -> tuple[object, ...]:
    if context is None:
        return ()
    return context.privileged, context.allowPrivilegeEscalation, context.capabilities, context.seccompProfile


def _controller(value: dict[str, object]) -> str:
    """The uid of an object's controller; empty when it has none."""
    meta = value.get("metadata")
    owners = meta.get("ownerReferences") if isinstance(meta, dict) else None
    for each in owners if isinstance(owners, list) else ():
        if isinstance(each, dict) and each.get("controller") and isinstance(each.get("uid"), str):
            return str(each["uid"])
    return ""
