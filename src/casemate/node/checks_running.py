"""The containers that run now. What the kernel shows of a sandboxed container is the sandbox, not the workload."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from casemate.model.boundary import Boundary
from casemate.model.node import NodeFacts, RunningContainer
from casemate.node.judge import Judged, none_of, not_applicable, seen

_HIDDEN = ("pid", "ipc")


def none_privileged(facts: NodeFacts) -> Judged:
    """Privileged on the node's kernel; in a sandbox it acts inside alone."""
    return _workloads(facts, lambda each: ["privileged"] if each.privileged and _shares_kernel(each) else [])


def no_host_namespaces(facts: NodeFacts) -> Judged:
    """The node's processes and IPC."""
    return _workloads(
        facts,
        lambda each: (f"shares the node's {kind} namespace" for kind in each.host_namespaces if kind in _HIDDEN),
    )


def no_sensitive_mounts(facts: NodeFacts) -> Judged:
    """Sockets and system folders, which sandboxes open as well."""
    return _workloads(facts, lambda each: (f"mounts {path}" for path in each.sensitive_mounts))


def seccomp_applied(facts: NodeFacts) -> Judged:
    """A filter, as the kernel has it; one that ended meanwhile has none to show."""
    return _workloads(
        facts, lambda each: ["has no seccomp filter"] if each.seccomp == 0 and _shares_kernel(each) else []
    )


def no_new_privileges(facts: NodeFacts) -> Judged:
    """Programs with set-id bits or file capabilities."""
    return _workloads(
        facts,
        lambda each: ["can gain privileges"] if each.no_new_privileges is False and _shares_kernel(each) else [],
    )


def no_extra_capabilities(facts: NodeFacts) -> Judged:
    """Beyond the runtime's default set."""
    return _workloads(
        facts,
        lambda each: (
            [f"has {', '.join(each.extra_capabilities)}"]
            if each.extra_capabilities and not each.privileged and _shares_kernel(each)
            else []
        ),
    )


def no_shared_mounts(facts: NodeFacts) -> Judged:
    """Mounts that leave the container."""
    return _workloads(facts, lambda each: (f"shares its mounts below {path}" for path in each.shared_mounts))


def memory_limited(facts: NodeFacts) -> Judged:
    """Memory of the node."""
    return _workloads(facts, lambda each: [] if each.memory_limited else ["has no memory limit"])


def processes_limited(facts: NodeFacts) -> Judged:
    """Processes of the node."""
    return _workloads(
        facts, lambda each: [] if each.pids_limited or not _shares_kernel(each) else ["has no pids limit"]
    )


def _workloads(facts: NodeFacts, bad: Callable[[RunningContainer], Iterable[str]]) -> Judged:
    def judge(found: tuple[RunningContainer, ...]) -> Judged:
        workloads = [each for each in found if not each.platform]
        if not workloads:
            return not_applicable("no container outside kube-system runs here")
        return none_of(f"{each.pod} {each.name} {what}" for each in workloads for what in bad(each))

    return seen(facts.containers, judge)


def _shares_kernel(container: RunningContainer) -> bool:
    """A boundary that is not known is taken for none."""
    return container.handler_boundary <= Boundary.HARDENED
