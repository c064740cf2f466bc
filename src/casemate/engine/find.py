"""Pods and containers as a user names them: `POD` or `NAMESPACE/POD`, and `-c CONTAINER`.

1. A name without namespace is looked for in all; when several namespaces have it, the user must say which.
2. Of several Pods of one name (a run that was taken down and up again), the one made last counts.
3. Of several containers of one name (restarts), the last counts; the others are its past, newest first.
4. Without `-c` it is the container that the annotation kubectl.kubernetes.io/default-container names, else the first of
   the Pod's `containers` (not of its init containers).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri.client import CriClient
from casemate.engine.instance import (
    CONTAINER_NAME_LABEL,
    ENGINE_LABEL,
    POD_NAME_LABEL,
    POD_NAMESPACE_LABEL,
    POD_UID_LABEL,
    RUN_LABEL,
)
from casemate.engine.paths import EnginePaths
from casemate.engine.supervise.run_record import RunFolder
from casemate.errors import InputError
from casemate.model.kube.workloads import Pod

DEFAULT_CONTAINER_ANNOTATION = "kubectl.kubernetes.io/default-container"


@dataclass(frozen=True)
class FoundPod:
    """A Pod on the engine. `containers` are in order of creation, restarts included; `order` are the spec's names."""

    namespace: str
    name: str
    containers: tuple[pb.Container, ...]
    order: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the containers, that of rule 4 first."""
        made = (each.labels[CONTAINER_NAME_LABEL] for each in self.containers)
        return tuple(dict.fromkeys((*self.order, *made)))

    def attempts(self, container: str) -> tuple[pb.Container, ...]:
        """The containers of that name, newest first. Raises `InputError` when the Pod has none."""
        found = [each for each in self.containers if each.labels[CONTAINER_NAME_LABEL] == container]
        if not found:
            raise InputError(
                f"the Pod has no container {container!r} on the engine",
                where=str(self),
                fix=f"choose of: {', '.join(self.names)}" if self.names else "casemate ps shows the Pod's state",
            )
        return tuple(sorted(found, key=lambda each: (each.metadata.attempt, each.created_at), reverse=True))


async def find_pod(client: CriClient, name: str, paths: EnginePaths) -> FoundPod:
    """The Pod that the user calls `name`. Raises `InputError` when there is none or more than one."""
    namespace, _, pod = name.rpartition("/")
    labels = {POD_NAME_LABEL: pod, ENGINE_LABEL: paths.name} | ({POD_NAMESPACE_LABEL: namespace} if namespace else {})
    sandbox = choose_sandbox(await client.pod_sandboxes(labels), name)
    uid = sandbox.labels[POD_UID_LABEL]
    containers = sorted(await client.containers({POD_UID_LABEL: uid}), key=lambda each: each.created_at)
    found = FoundPod(sandbox.metadata.namespace, sandbox.metadata.name, tuple(containers))
    spec = _spec_order(paths, sandbox.labels[RUN_LABEL], uid)
    return FoundPod(found.namespace, found.name, found.containers, spec)


def choose_sandbox(sandboxes: Sequence[pb.PodSandbox], name: str) -> pb.PodSandbox:
    """The sandbox that counts among those whose Pods are called `name` (rules 1 and 2). Raises `InputError`."""
    ours = [each for each in sandboxes if RUN_LABEL in each.labels]
    namespaces = sorted({each.metadata.namespace for each in ours})
    if not namespaces:
        raise InputError(f"there is no Pod {name!r}", fix="casemate ps shows all Pods")
    if len(namespaces) > 1:
        what = f"there is a Pod {name!r} in several namespaces: {', '.join(namespaces)}"
        raise InputError(what, fix=f"write {namespaces[0]}/{name}")
    return max(ours, key=lambda each: (each.state == pb.SANDBOX_READY, each.created_at))


def _spec_order(paths: EnginePaths, run: str, uid: str) -> tuple[str, ...]:
    for record in RunFolder(paths.runs, run).pods():
        if record.instance.uid == uid:
            return container_order(record.instance.pod)
    return ()


def container_order(pod: Pod) -> tuple[str, ...]:
    """Names of the Pod's containers, the one first that is meant when none is named (rule 4)."""
    spec, annotations = pod.spec, pod.metadata.annotations if pod.metadata else {}
    names = [each.name for each in (*spec.containers, *spec.initContainers)] if spec else []
    chosen = annotations.get(DEFAULT_CONTAINER_ANNOTATION)
    return tuple(sorted(names, key=lambda each: each != chosen))
