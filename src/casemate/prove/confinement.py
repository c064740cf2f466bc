"""How the node confines what draws a boundary (rules 7, 8 and 10 of `casemate.prove.rules`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from casemate.model.boundary import Boundary
from casemate.model.proof import Observation
from casemate.prove.facts import Facts
from casemate.prove.gvisor import host_passing
from casemate.prove.kinds import Kind, is_sentry
from casemate.prove.observed import all_of, listed, on_node
from casemate.prove.tasks import Task

SENTRY_CAPABILITIES = 0xC001F
"""CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, SYS_CHROOT and SYS_PTRACE: what runsc keeps (sandbox.go)."""

WASM_CAPABILITIES = 0x400
"""NET_BIND_SERVICE: what the engine keeps where the container has it (native/wasm/confine.go)."""

_ENFORCED = 2  # the mode of a seccomp filter (proc(5))
_OWN = ("pid", "net", "mnt", "ipc", "uts")


def confinement(facts: Facts, kind: Kind) -> Iterator[Observation]:
    """What keeps the boundary's own processes from the node."""
    match kind:
        case Kind.GVISOR:
            yield from _sentry(facts)
        case Kind.WASM:
            yield from _wasm(facts)
        case Kind.CONTAINER:
            yield from _container(facts)
        case Kind.MACHINE:
            yield from ()


def _sentry(facts: Facts) -> Iterator[Observation]:
    top, weaker = Boundary.SANDBOX, Boundary.HARDENED
    passing = tuple(dict.fromkeys(each for task in facts.tasks for each in host_passing(task.arguments)))
    told = f"the host is passed through: {' '.join(passing)}" if passing else "nothing of the host is passed through"
    yield on_node("options", weaker if passing else top, told)
    yield all_of("seccomp", facts.tasks, _filtered, top, weaker)
    yield all_of("no-new-privileges", facts.tasks, lambda each: each.no_new_privileges, top, weaker)
    few = lambda each: not each.effective & ~SENTRY_CAPABILITIES  # noqa: E731 - one line tells it best
    yield all_of("capabilities", facts.tasks, few, top, weaker, f"within {SENTRY_CAPABILITIES:#x}")
    for name in ("user", *_OWN):
        if any(each.namespaces[name] == facts.node.namespaces[name] for each in facts.tasks if is_sentry(each)):
            yield on_node(f"namespace-{name}", weaker, "the node's own")
    yield on_node("namespaces", top, "user, pid, net, mnt, ipc and uts were compared with the node's")


def _wasm(facts: Facts) -> Iterator[Observation]:
    engine = tuple(each for each in facts.tasks if each.pid != facts.pause)
    top, weaker = Boundary.SANDBOX, Boundary.SHARED
    yield all_of("seccomp", engine, _twice_filtered, top, weaker, "the Pod's filter and its own")
    yield all_of("no-new-privileges", engine, lambda each: each.no_new_privileges, top, weaker)
    few = lambda each: not each.effective & ~WASM_CAPABILITIES  # noqa: E731
    yield all_of("capabilities", engine, few, top, weaker, "at most to bind low ports")
    yield _separate(engine, facts, top, Boundary.SHARED)


def _container(facts: Facts) -> Iterator[Observation]:
    inside = tuple(each for each in facts.tasks if each.pid != facts.pause) or facts.tasks
    yield all_of("seccomp", inside, _filtered, Boundary.SHARED, Boundary.UNKNOWN, "RuntimeDefault was asked for")
    yield _separate(inside, facts, Boundary.SHARED, Boundary.UNKNOWN)
    if not facts.node.modules:
        return
    labels = {each.label for each in inside}
    yield on_node("security-module", Boundary.SHARED, f"{', '.join(facts.node.modules)}: {listed(labels)}")


def _separate(tasks: Sequence[Task], facts: Facts, held: Boundary, failed: Boundary) -> Observation:
    same = sorted({name for each in tasks for name in _OWN if each.namespaces[name] == facts.node.namespaces[name]})
    if same:
        return on_node("namespaces", failed, f"{', '.join(same)}: the node's own")
    own = all(each.own_user_namespace for each in tasks) and tasks
    return on_node("namespaces", held, f"{', '.join(_OWN)}{', user' if own else ''}: its own")


def _twice_filtered(task: Task) -> bool:
    return task.seccomp == _ENFORCED and task.filters > 1


def _filtered(task: Task) -> bool:
    return task.seccomp == _ENFORCED and task.filters > 0
