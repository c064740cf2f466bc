"""Where workloads are: files, folders and standard input, static Pods, or a cluster."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, BinaryIO

from cyclopts import Parameter

from casemate.errors import InputError
from casemate.sources import static, workloads
from casemate.sources.workloads import Collected

_HERE = "."


@Parameter(name="*")
@dataclass(frozen=True)
class Inputs:
    """Where the workloads are, other than in files, and which of them are meant."""

    cluster: Annotated[bool, Parameter(negative=())] = False
    """Read the cluster of the kubeconfig, or the one that this runs in, instead of files. Only ever lists."""
    kubeconfig: str | None = None
    """The kubeconfig; else as kubectl finds it. Means --cluster."""
    context: str | None = None
    """The kubeconfig's context; else its current one. Means --cluster."""
    namespace: Annotated[list[str], Parameter(name=["--namespace", "-n"], negative=())] = field(default_factory=list)
    """Only workloads of this namespace; repeatable."""
    static_pods: str | None = None
    """A folder of static Pods, as /etc/kubernetes/manifests, read as a kubelet does."""

    @property
    def live(self) -> bool:
        """Whether a cluster is to be read: to name its kubeconfig or context is enough."""
        return self.cluster or self.kubeconfig is not None or self.context is not None

    def arguments(self, paths: Sequence[str]) -> tuple[str, ...]:
        """The same as arguments of a command; the current folder when nothing is named."""
        live = ["--cluster"] * self.live
        live += ["--kubeconfig", self.kubeconfig] if self.kubeconfig else []
        live += ["--context", self.context] if self.context else []
        live += ["--static-pods", self.static_pods] if self.static_pods else []
        live += [each for name in self.namespace for each in ("--namespace", name)]
        return (*paths, *live) if paths or self.live or self.static_pods else (_HERE, *live)

    def read(self, paths: Sequence[str], stdin: BinaryIO) -> Iterator[Collected]:
        """The workloads that are meant, in parts. Says on standard error which namespace has none."""
        if not self.namespace:
            yield from self._everything(paths, stdin)
            return
        empty = dict.fromkeys(self.namespace)
        for part in self._everything(paths, stdin):
            chosen = tuple(each for each in part.workloads if each.namespace in self.namespace)
            for each in chosen:
                empty.pop(each.namespace, None)
            yield replace(part, workloads=chosen)
        if empty:
            print(f"casemate: no workload is in namespace {', '.join(empty)}", file=sys.stderr)

    def _everything(self, paths: Sequence[str], stdin: BinaryIO) -> Iterator[Collected]:
        option = next((each for each in paths if each.startswith("-") and each != "-"), None)
        if option is not None:
            raise InputError("unknown option", where=option, fix=f"a file of that name is ./{option}")
        if self.live:
            if paths or self.static_pods:
                raise InputError("either a cluster or files", where="--cluster", fix="read them one after another")
            from casemate.sources import cluster  # needs more than files do

            yield from cluster.collect(self.kubeconfig, context=self.context, namespaces=self.namespace)
            return
        if self.static_pods:
            yield static.collect(self.static_pods)
        if paths or not self.static_pods:
            yield workloads.collect(paths or (_HERE,), stdin)
