"""What the facts of a sandbox mean: one observation each, with the strongest boundary that it leaves possible.

1. The node's view decides. What is said inside is said by the guest: it may lower a boundary, and never raises it.
2. A boundary is as strong as the weakest observation. What could not be observed is evidence of nothing: then nothing
   is shown, unless something else already shows the boundary to be weaker.
3. A fresh random word (a challenge) is given to the prober that the container starts with, and to another that CRI runs
   inside. On a shared kernel both are processes of the node, with the word among their arguments; behind a kernel of
   one's own they are not. They live on while the whole node is searched, and are asked again afterwards whether they
   do: that nothing was found means something only then.
4. The same is done with a runc container, which must be found: a search that finds nothing anywhere is worth nothing. A
   search from a process-id namespace that is not the node's first is worth nothing either.
5. That no challenge was found is not enough: a sandbox of a kind that nobody knows here shows nothing. All processes
   that the node runs for it must be those of the boundary (kinds.py), started from the very file that the handler's
   configuration names: a program of another name, digest or inode is the workload's own. (Of a monitor, whose node's
   kernel shows what it is, the digest is enough.)
6. That program must be what it says (programs.py).
7. gVisor's kernel must be confined by the node itself: seccomp filters, no new privileges, few capabilities, namespaces
   of its own; and its options must pass nothing of the host through (gvisor.py).
8. A Wasm runtime must refuse a native program, started and by exec, and confine its engine with a filter of its own
   above the Pod's.
9. A virtual machine's kernel must tell another boot than the node's, and an x86 processor in it a hypervisor; its
   monitor must come from a package or a known build, and run the guest as the node's kernel sees it (machine.py).
10. A container on the node's kernel is `shared` when what every Pod gets there is enforced: the seccomp filter that was
    asked for, namespaces of its own, and none of the primitives with which escapes begin. One that enforces less is
    weaker than anything that has a name.
11. `confidential` is never shown here: a node cannot speak for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from casemate.model.boundary import Boundary
from casemate.model.proof import Observation, Result, Side
from casemate.prove.confinement import confinement
from casemate.prove.facts import Challenge, Facts, Processes
from casemate.prove.guest import from_inside
from casemate.prove.kinds import Kind, belongs, draws, recognise
from casemate.prove.observed import listed, on_node, programs, short
from casemate.prove.programs import Examined
from casemate.prove.tasks import Task


def observe(facts: Facts) -> tuple[Observation, ...]:
    """Every observation that the facts give, in the order of the rules."""
    kind = recognise(facts.processes.tasks, facts.processes.pause)
    tried = (facts.challenge, facts.command, facts.module)
    if kind is Kind.CONTAINER and not any(each.found for each in tried if each):
        return (*_challenges(facts, None), on_node("processes", None, _no_kind(facts.processes)))
    return (
        *_challenges(facts, kind),
        *drawn_by(facts.processes, kind),
        *_prober(facts, kind),
        *confinement(facts.processes, kind),
        *from_inside(facts, kind),
    )


def _no_kind(processes: Processes) -> str:
    told = f": {programs(processes.tasks)}" if processes.tasks else ""
    return f"no kind of sandbox that casemate knows{told}"


def conclude(named: Boundary, observations: Sequence[Observation]) -> tuple[Boundary, Result]:
    """The boundary that is shown, and how it stands to the one that is named (rule 2)."""
    seen = [each.supports for each in observations if each.supports is not None]
    weakest = min(seen, default=Boundary.UNKNOWN)
    if named is not Boundary.UNKNOWN and seen and weakest < named:
        return weakest, Result.WEAKER
    if len(seen) < len(observations) or named is Boundary.UNKNOWN or not seen:
        return Boundary.UNKNOWN, Result.UNPROVABLE
    return weakest, Result.PROVEN


# ------------------------------------------------------------------------------------------ challenges (rules 3 and 4)


def _challenges(facts: Facts, kind: Kind | None) -> Iterator[Observation]:
    most = kind.boundary if kind else Boundary.CONFIDENTIAL
    seen = most if facts.whole_node else None
    yield on_node(
        "whole-node", seen, f"{'all' if facts.whole_node else 'not all'} processes of the node are seen from here"
    )
    control = most if facts.control.seen else None
    yield Observation(id="control", side=Side.CONTROL, value=facts.control.value, supports=control)
    if not facts.still_there:
        yield on_node("prober-alive", None, "the prober had ended before the search did")
    if kind is Kind.WASM or facts.wasm_only:
        yield _module(facts, kind)
        yield from _refusals(facts)
        return
    for name, challenge in (("challenge", facts.challenge), ("challenge-exec", facts.command)):
        yield _challenge(name, challenge, kind)


def _challenge(name: str, challenge: Challenge, kind: Kind | None) -> Observation:
    if not challenge.answered:
        return on_node(name, None, f"no prober answered: {challenge.refused}")
    if not challenge.found:
        apart = kind.boundary if kind and kind is not Kind.CONTAINER else None
        return on_node(name, apart, "answered inside, and is no process of the node")
    pids = ", ".join(str(each.pid) for each in challenge.found)
    if any(each.inside is False for each in challenge.found):
        return on_node(name, Boundary.UNKNOWN, f"process {pids} of the node, outside of the sandbox")
    if any(each.inside is None for each in challenge.found):
        return on_node(name, None, f"process {pids} of the node, which ended while it was looked at")
    return on_node(name, Boundary.SHARED, f"process {pids} of the node")


def _module(facts: Facts, kind: Kind | None) -> Observation:
    challenge = facts.module or Challenge("none was started")
    if challenge.found:
        return _challenge("challenge-module", challenge, kind)
    if not challenge.answered:
        return on_node("challenge-module", None, f"no module answered: {challenge.refused}")
    return on_node(
        "challenge-module", kind.boundary if kind else None, "a module answered, and is no process of the node"
    )


def _refusals(facts: Facts) -> Iterator[Observation]:
    held = Kind.WASM.boundary if facts.module and facts.module.answered else None
    for name, what, challenge in (
        ("native-refused", "a native program", facts.challenge),
        ("exec-refused", "exec", facts.command),
    ):
        if challenge.answered or challenge.found:
            yield on_node(name, Boundary.SHARED, f"{what} ran on the node's kernel")
        else:
            yield on_node(name, held, challenge.refused)


# ------------------------------------------------------------------------------------------- processes (rules 5 and 6)


def drawn_by(processes: Processes, kind: Kind) -> Iterator[Observation]:
    """Whose processes they are, and which program they were started from."""
    if not processes.tasks or processes.unread:
        what = "some could not be read" if processes.tasks else "the node runs none for it"
        yield on_node("processes", None, what)
        return
    foreign = [each for each in processes.tasks if not belongs(each, kind, processes.pause)]
    if kind is Kind.CONTAINER:
        yield on_node("processes", kind.boundary, f"{programs(processes.tasks)}: programs of the container")
    elif foreign:
        yield on_node("processes", Boundary.SHARED, f"beside those of {kind}: {programs(foreign)}")
    else:
        yield on_node("processes", kind.boundary, f"{len(processes.tasks)}, all of {kind}: {programs(processes.tasks)}")
    if kind is Kind.WASM:
        yield _own_engine(processes)
    elif kind is not Kind.CONTAINER:
        yield _very_file(processes, kind)
    if processes.program:
        yield _said_truly(processes.program, kind)


def _own_engine(processes: Processes) -> Observation:
    digests = {each.digest for each in processes.working}
    if digests != {processes.own_wasm}:
        return on_node("program", Boundary.SHARED, f"not casemate's engine: {listed(digests)}")
    return on_node("program", Kind.WASM.boundary, f"the engine is {short(processes.own_wasm)}")


def _very_file(processes: Processes, kind: Kind) -> Observation:
    core = [each for each in processes.tasks if draws(each, kind)]
    program = processes.program
    if program is None or not core:
        return on_node("program", None, "the engine does not tell which program its handler starts")
    others = {each.program for each in core if not _is_started_from(each, program, kind)}
    if others:
        return on_node("program", Boundary.SHARED, f"{listed(others)}, and not the handler's {program.path}")
    if not program.origin:
        return on_node("program", None, f"{program.path} {short(program.digest)}: nobody knows where it comes from")
    return on_node("program", kind.boundary, f"{program.path} {short(program.digest)}, {program.origin}")


def _is_started_from(task: Task, program: Examined, kind: Kind) -> bool:
    """Whether the process runs that very file; a machine's monitor may run a copy of it: Firecracker's jailer puts one
    into the root that it makes (docs/jailer.md)."""
    return task.digest == program.digest and (task.file == program.file or kind is Kind.MACHINE)


def _said_truly(program: Examined, kind: Kind) -> Observation:
    if program.lie:
        return on_node("version", Boundary.UNKNOWN, program.lie)
    told = f"of {program.origin}" if program.origin else "and nothing says otherwise"
    return on_node("version", kind.boundary, f"{program.version or 'none told'}, {told}")


def _prober(facts: Facts, kind: Kind) -> Iterator[Observation]:
    if kind is Kind.MACHINE:  # whose files lie in the guest
        return
    if not facts.prober_found:
        yield on_node("prober", None, "its file cannot be read on the node")
        return
    same = facts.prober_found == facts.prober
    told = "as sent" if same else "not the one that was sent"
    yield on_node("prober", kind.boundary if same else None, f"{short(facts.prober_found)}, {told}")
