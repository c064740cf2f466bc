"""Proves Pods that run now, without touching them: API object, the sandbox's handler, its processes.

1. The handler that the Pod's class means must be the one that its sandbox was started under, as CRI noted it then. A
   sandbox of which nobody declares a handler cannot be compared.
2. That handler must be proven, in the same run or by one whose programs and configuration are there unchanged: its
   challenge stands for the Pod's, because nothing is put into a sandbox that somebody works in.
3. The Pod's processes on the node must be those of a sandbox of that handler, and no other (rules 5 to 8 of `rules`).
4. On the node's kernel a Pod is `hardened` when all its processes are: a user namespace of their own, a seccomp
   filter, no new privileges, no capability, and confinement by the node's security module where it has one. Else it is
   `shared`.
5. A Pod of which nothing runs cannot be looked at.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from casemate.errors import CasemateError
from casemate.model.boundary import Boundary
from casemate.model.proof import Observation, Proof, Result, Side
from casemate.prove import rules, tasks
from casemate.prove.bench import Bench, used_programs
from casemate.prove.confinement import confinement, hardened
from casemate.prove.facts import Processes
from casemate.prove.kinds import Kind, recognise
from casemate.prove.observed import nameless, on_node
from casemate.prove.programs import Examined
from casemate.prove.record import read


@dataclass(frozen=True)
class RunningPod:
    """A Pod with its sandbox. `expected` is the handler that its class means, `born` the one that CRI noted.

    `expected` is empty where nothing declares one, `born` where nobody tells it; `marker` is what stands in the path of
    its cgroup; `named` the boundary that its class or handler promises.
    """

    subject: str
    uid: str
    sandbox: str
    expected: str
    born: str
    named: Boundary
    marker: str


async def prove_pods(bench: Bench, pods: Sequence[RunningPod], proofs: Sequence[Proof]) -> tuple[Proof, ...]:
    """A proof for each Pod; `proofs` are those of handlers that stand."""
    by_handler = {each.handler: each for each in proofs}
    return tuple([await _prove(bench, each, by_handler.get(each.born)) for each in pods])


async def _prove(bench: Bench, pod: RunningPod, handler: Proof | None) -> Proof:
    begun, now = time.monotonic(), time.time()
    program = bench.program_of(handler)
    try:
        processes = await _processes(bench, pod, program)
        observations = (*nameless(pod.subject, pod.named), *_observe(pod, handler, processes))
    except CasemateError as error:  # it ended meanwhile
        observations = (on_node("sandbox", None, error.what),)
    shown, result = rules.conclude(pod.named, observations)
    return Proof(
        subject=pod.subject,
        node=bench.node,
        handler=pod.born,
        named=pod.named,
        shown=shown,
        result=result,
        observations=observations,
        seconds=round(time.monotonic() - begun, 3),
        time=now,
        uid=pod.uid,
        programs=used_programs(program),
        configuration=handler.configuration if handler else "",
        boot=bench.kernel.boot_id,
    )


async def _processes(bench: Bench, pod: RunningPod, program: Examined | None) -> Processes:
    status = await bench.client.pod_sandbox_status(pod.sandbox, verbose=True)
    seen = await asyncio.to_thread(tasks.scan)
    mine = tasks.of_pod(seen, pod.marker)
    return await asyncio.to_thread(bench.processes, mine, read(status.info).pid, program)


def _observe(pod: RunningPod, handler: Proof | None, processes: Processes) -> Iterator[Observation]:
    kind = recognise(processes.tasks, processes.pause)
    if not pod.expected:
        yield on_node("handler", None, "no Pod of this node in the cluster, or none whose class it has, declares it")
    elif not pod.born:
        yield on_node("handler", None, "the engine does not tell the handler of its sandbox")
    elif pod.expected != pod.born:
        yield on_node("handler", Boundary.UNKNOWN, f"its class means {pod.expected}, its sandbox is of {pod.born}")
    else:
        yield on_node("handler", kind.boundary, f"{pod.born}, as its class means")
    yield _of_handler(handler, kind)
    if not processes.working:
        yield on_node("processes", None, "none of its containers runs")
        return
    yield from rules.drawn_by(processes, kind)
    if kind is Kind.CONTAINER:
        yield hardened(processes)
    else:
        yield from confinement(processes, kind)


def _of_handler(handler: Proof | None, kind: Kind) -> Observation:
    proven = handler is not None and handler.result is Result.PROVEN
    value = f"{handler.handler} is {handler.result}: {handler.shown}" if handler else "its handler was not tried"
    return Observation(id="handler-proof", side=Side.CONTROL, value=value, supports=kind.boundary if proven else None)
