"""One Pod as the engine keeps it: the API object plus what was decided for it."""

from __future__ import annotations

import msgspec

from casemate.model.kube.struct import Quantity
from casemate.model.kube.workloads import Pod

ENGINE_LABEL = "casemate.dev/engine"
"""On every sandbox and container: the engine's name. In a containerd that others use too, only these are ours."""

RUN_LABEL = "casemate.dev/run"
POD_NAME_LABEL = "io.kubernetes.pod.name"
POD_NAMESPACE_LABEL = "io.kubernetes.pod.namespace"
POD_UID_LABEL = "io.kubernetes.pod.uid"
CONTAINER_NAME_LABEL = "io.kubernetes.container.name"
RESTART_COUNT_ANNOTATION = "io.kubernetes.container.restartCount"


class PodInstance(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A Pod with its identity (`uid`), its run, and the handler and overhead that its class resolved to.

    `pod.metadata` has name and namespace set. `owner` is `Kind/name` of the workload that made it, empty for bare Pods.
    """

    run: str
    uid: str
    pod: Pod
    handler: str
    runtime_class: str = ""
    overhead: dict[str, Quantity] = {}
    owner: str = ""

    @property
    def name(self) -> str:
        """The Pod's name."""
        return (self.pod.metadata and self.pod.metadata.name) or ""

    @property
    def namespace(self) -> str:
        """The Pod's namespace."""
        return (self.pod.metadata and self.pod.metadata.namespace) or "default"

    @property
    def log_directory(self) -> str:
        """Name of the Pod's folder of logs, as a kubelet names it: namespace_name_uid."""
        return f"{self.namespace}_{self.name}_{self.uid}"
