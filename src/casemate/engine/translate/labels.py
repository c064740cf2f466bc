"""Labels and annotations by which the engine, tools like crictl, and we find Pods and containers again.

1. They are a kubelet's, and the run's name. A Pod's own label never replaces one of them.
2. A sandbox carries the Pod's labels and annotations; what of the annotations reaches a runtime is the engine's list.
3. A container carries only our annotations, never the Pod's.

Source: k8s.io/kubernetes v1.36: pkg/kubelet/kuberuntime/labels.go.
"""

from __future__ import annotations

import msgspec

from casemate.engine.instance import (
    CONTAINER_NAME_LABEL,
    POD_NAME_LABEL,
    POD_NAMESPACE_LABEL,
    POD_UID_LABEL,
    RESTART_COUNT_ANNOTATION,
    RUN_LABEL,
    PodInstance,
)
from casemate.model.kube.container import Container

_PREFIX = "io.kubernetes.container."


def sandbox_labels(instance: PodInstance) -> dict[str, str]:
    """The Pod's labels and those that identify it."""
    own = instance.pod.metadata.labels if instance.pod.metadata else {}
    return own | _identity(instance)


def sandbox_annotations(instance: PodInstance) -> dict[str, str]:
    """The Pod's annotations."""
    return instance.pod.metadata.annotations if instance.pod.metadata else {}


def container_labels(instance: PodInstance, container: Container) -> dict[str, str]:
    """Labels that identify the container."""
    return _identity(instance) | {CONTAINER_NAME_LABEL: container.name}


def container_annotations(instance: PodInstance, container: Container, restarts: int) -> dict[str, str]:
    """What is needed to stop or restart the container when only the engine still knows of it."""
    found = {
        RESTART_COUNT_ANNOTATION: str(restarts),
        _PREFIX + "terminationMessagePath": termination_message_path(container),
        _PREFIX + "terminationMessagePolicy": container.terminationMessagePolicy or "File",
    }
    spec = instance.pod.spec
    grace = 30 if spec is None or spec.terminationGracePeriodSeconds is None else spec.terminationGracePeriodSeconds
    found["io.kubernetes.pod.terminationGracePeriod"] = str(grace)
    if container.lifecycle and container.lifecycle.preStop:
        found[_PREFIX + "preStopHandler"] = msgspec.json.encode(container.lifecycle.preStop).decode()
    if container.ports:
        found[_PREFIX + "ports"] = msgspec.json.encode(container.ports).decode()
    return found


def termination_message_path(container: Container) -> str:
    """Where the container leaves its last words."""
    return container.terminationMessagePath or "/dev/termination-log"


def _identity(instance: PodInstance) -> dict[str, str]:
    return {
        POD_NAME_LABEL: instance.name,
        POD_NAMESPACE_LABEL: instance.namespace,
        POD_UID_LABEL: instance.uid,
        RUN_LABEL: instance.run,
    }
