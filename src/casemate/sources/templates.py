"""Put a Pod into each kind that embeds a Pod template, as a person would write it."""

from __future__ import annotations

Object = dict[str, object]

API = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "DaemonSet": "apps/v1",
    "ReplicaSet": "apps/v1",
    "ReplicationController": "v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
    "PodTemplate": "v1",
}
LABELS = {"app": "attack"}


def wrap(pod: Object, kind: str) -> Object:
    """An object of that kind whose Pods are `pod`. Raises `KeyError` for a kind that embeds none.

    Name and namespace move to the outer object, and so do finalizers and deletion, which no template has.
    """
    inner, outer = _metadata(pod, kind)
    template: Object = {"metadata": inner, "spec": _spec(pod, kind)}
    head: Object = {"apiVersion": API[kind], "kind": kind, "metadata": outer}
    match kind:
        case "PodTemplate":
            return head | {"template": template}
        case "CronJob":
            return head | {"spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}}}
        case "Job":
            return head | {"spec": {"template": template}}
        case "ReplicationController":
            return head | {"spec": {"replicas": 1, "selector": LABELS, "template": template}}
        case _:
            return head | {"spec": {"selector": {"matchLabels": LABELS}, "template": template} | _extra(kind)}


def _metadata(pod: Object, kind: str) -> tuple[Object, Object]:
    written = pod.get("metadata")
    assert isinstance(written, dict)
    inner = {key: value for key, value in written.items() if key in ("labels", "annotations")}
    outer = {key: value for key, value in written.items() if key not in inner}
    if kind not in ("Job", "CronJob"):
        inner["labels"] = LABELS | inner.get("labels", {})
    return inner, outer


def _spec(pod: Object, kind: str) -> Object:
    spec = pod["spec"]
    assert isinstance(spec, dict)
    never: Object = {"restartPolicy": "Never"}
    return never | spec if kind in ("Job", "CronJob") else spec


def _extra(kind: str) -> Object:
    return {"serviceName": "attack"} if kind == "StatefulSet" else {}
