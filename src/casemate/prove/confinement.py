"""How the node confines what draws a boundary (rules 7, 8 and 10 of `casemate.prove.rules`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from casemate.model.boundary import Boundary
from casemate.model.proof import Observation
from casemate.prove import machine
from casemate.prove.facts import NodeKernel, Processes
from casemate.prove.gvisor import host_passing
from casemate.prove.kinds import Kind, is_sentry
from casemate.prove.label import confines
from casemate.prove.observed import all_of, listed, on_node
from casemate.prove.tasks import Task

SENTRY_CAPABILITIES = 0xC001F
"""CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, SYS_CHROOT and SYS_PTRACE: what runsc keeps (sandbox.go)."""

WASM_CAPABILITIES = 0x400
"""NET_BIND_SERVICE: what the engine keeps where the container has it (native/wasm/confine.go)."""

OWN_NAMESPACES = ("pid", "net", "mnt", "ipc", "uts")
"""What every sandbox has of its own, unless its Pod asks for the node's."""

_ENFORCED = 2  # the mode of a seccomp filter (proc(5))


def confinement(processes: Processes, kind: Kind) -> Iterator[Observation]:
    """What keeps the boundary's own processes from the node."""
    match kind:
        case Kind.GVISOR:
            yield from _sentry(processes)
        case Kind.WASM:
            yield from _wasm(processes)
        case Kind.CONTAINER:
            yield from _container(processes)
        case Kind.MACHINE:
            yield from machine.observe(processes)


def _sentry(processes: Processes) -> Iterator[Observation]:
    top, weaker = Boundary.SANDBOX, Boundary.HARDENED
    passing = tuple(dict.fromkeys(each for task in processes.tasks for each in host_passing(task.arguments)))
    told = f"the host is passed through: {' '.join(passing)}" if passing else "nothing of the host is passed through"
    yield on_node("options", weaker if passing else top, told)
    yield all_of("seccomp", processes.tasks, filtered, top, weaker)
    yield all_of("no-new-privileges", processes.tasks, lambda each: each.no_new_privileges, top, weaker)
    few = lambda each: not each.effective & ~SENTRY_CAPABILITIES  # noqa: E731 - one line tells it best
    yield all_of("capabilities", processes.tasks, few, top, weaker, f"within {SENTRY_CAPABILITIES:#x}")
    for name in ("user", *OWN_NAMESPACES):
        if any(each.namespaces[name] == processes.node.namespaces[name] for each in processes.tasks if is_sentry(each)):
            yield on_node(f"namespace-{name}", weaker, "the node's own")
    yield on_node("namespaces", top, "user, pid, net, mnt, ipc and uts were compared with the node's")


def _wasm(processes: Processes) -> Iterator[Observation]:
    engine = processes.working
    top, weaker = Boundary.SANDBOX, Boundary.SHARED
    yield all_of("seccomp", engine, _twice_filtered, top, weaker, "the Pod's filter and its own")
    yield all_of("no-new-privileges", engine, lambda each: each.no_new_privileges, top, weaker)
    few = lambda each: not each.effective & ~WASM_CAPABILITIES  # noqa: E731
    yield all_of("capabilities", engine, few, top, weaker, "at most to bind low ports")
    yield _separate(engine, processes, top, Boundary.SHARED)


def _container(processes: Processes) -> Iterator[Observation]:
    inside = processes.working or processes.tasks
    yield all_of("seccomp", inside, filtered, Boundary.SHARED, Boundary.UNKNOWN, "RuntimeDefault was asked for")
    yield _separate(inside, processes, Boundary.SHARED, Boundary.UNKNOWN)
    if not processes.node.modules:
        return
    labels = {each.label or "no label" for each in inside}
    free = "" if all(confines(each.label) for each in inside) else ", which does not confine all of them"
    yield on_node("security-module", Boundary.SHARED, f"{', '.join(processes.node.modules)}: {listed(labels)}{free}")


def _separate(tasks: Sequence[Task], processes: Processes, held: Boundary, failed: Boundary) -> Observation:
    node = processes.node.namespaces
    same = sorted({name for each in tasks for name in OWN_NAMESPACES if each.namespaces[name] == node[name]})
    if same:
        return on_node("namespaces", failed, f"{', '.join(same)}: the node's own")
    own = all(each.own_user_namespace for each in tasks) and tasks
    return on_node("namespaces", held, f"{', '.join(OWN_NAMESPACES)}{', user' if own else ''}: its own")


def hardened(processes: Processes) -> Observation:
    """Whether all processes of a Pod on the node's kernel are confined as far as the node can (`pods`, rule 4)."""
    lacking = sorted({name for each in processes.working for name in _lacking(each, processes.node)})
    if lacking:
        return on_node("hardening", Boundary.SHARED, f"not hardened: {', '.join(lacking)}")
    modules = ", ".join(processes.node.modules)
    by = f"by {modules} too" if modules else "the node has no security module"
    return on_node("hardening", Boundary.HARDENED, f"all {len(processes.working)} processes are hardened, {by}")


def _lacking(task: Task, node: NodeKernel) -> Iterator[str]:
    if not task.own_user_namespace:
        yield "the node's user namespace"
    if not filtered(task):
        yield "no seccomp filter"
    if not task.no_new_privileges:
        yield "may gain privileges"
    if task.effective:
        yield "capabilities"
    if any(task.namespaces[name] == node.namespaces[name] for name in OWN_NAMESPACES):
        yield "namespaces of the node"
    if node.modules and not confines(task.label):
        yield f"not confined by {' or '.join(node.modules)} ({task.label or 'no label'})"


def _twice_filtered(task: Task) -> bool:
    return task.seccomp == _ENFORCED and task.filters > 1


def filtered(task: Task) -> bool:
    """Whether a seccomp filter decides on its system calls."""
    return task.seccomp == _ENFORCED and task.filters > 0
