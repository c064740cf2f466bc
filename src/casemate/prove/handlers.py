"""Proves what an engine's handlers draw, each by a sandbox of its own.

1. The control comes first and serves all: a runc container whose challenge must be found on the node.
2. A sandbox is started, the prober in it, and another by exec; then the node is searched once for both.
3. Under a handler that promises to run Wasm modules only, a module answers, and the native prober must be refused.
4. A handler that cannot start a sandbox is not proven, and says why. One handler's failure says nothing of another's.
5. Whatever was started is removed, also when the proof fails or is interrupted. A handler has half a minute.
6. A kubelet ends what is none of its Pods, every two seconds. On its node, what could not be shown is tried again at
   once, within the half minute: right after such a round there is time enough. What was shown stands.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from casemate.engine.cri import cri_pb2 as pb
from casemate.errors import CasemateError
from casemate.model.boundary import Boundary
from casemate.model.proof import Proof, Result
from casemate.prove import inside, rules, sandbox, tasks
from casemate.prove.bench import Bench, used_programs
from casemate.prove.facts import Challenge, Control, Facts, Found, NodeKernel
from casemate.prove.image import CHALLENGE_LENGTH, MODULE, PROBE
from casemate.prove.observed import nameless, on_node
from casemate.prove.programs import Examined
from casemate.prove.record import read
from casemate.prove.sandbox import Sandbox
from casemate.prove.targets import Target
from casemate.prove.tasks import Seen

LIMIT = 30.0
"""Seconds that one handler may take."""

_TRIES_BESIDE_KUBELET = 6
_CONTROLS = ("runc", "crun", "youki")


@dataclass
class _Tried:
    """One challenge on its way: its word, and what came of it."""

    word: str = field(default_factory=lambda: secrets.token_hex(CHALLENGE_LENGTH // 2))
    container: str = ""
    refused: str = "it was not tried"
    said: bytes = b""
    found: tuple[Found, ...] = ()

    @property
    def challenge(self) -> Challenge:
        return Challenge(self.refused, self.found)


async def prove_all(bench: Bench, targets: Sequence[Target]) -> tuple[Proof, ...]:
    """A proof for each target. The caller holds `sandbox.alone`."""
    await sandbox.remove_all(bench.client, bench.place)
    for each in targets:
        await bench.program(each.program)
    bench.control = await _control(bench, targets)
    return tuple([await prove(bench, each) for each in targets])


async def prove(bench: Bench, target: Target) -> Proof:
    """The proof of one target."""
    ends = time.monotonic() + LIMIT
    for _ in range(_tries(bench)):
        proof = await _prove(bench, target, ends)
        if proof.result is not Result.UNPROVABLE or time.monotonic() >= ends:
            break
    return proof


def _tries(bench: Bench) -> int:
    """How often a sandbox is started until something is shown (rule 6)."""
    return 1 if bench.place.runs else _TRIES_BESIDE_KUBELET


async def _prove(bench: Bench, target: Target, ends: float) -> Proof:
    """The proof of one sandbox."""
    begun, now = time.monotonic(), time.time()
    program = await bench.program(target.program)
    seconds = 0.0
    try:
        async with asyncio.timeout(ends - begun), _observed(bench, target, program) as facts:
            observations = (*nameless(target.subject, target.named), *rules.observe(facts))
            seconds = time.monotonic() - begun
    except TimeoutError:
        observations = (on_node("sandbox", None, f"it took longer than {LIMIT:g} s"),)
    except CasemateError as error:
        observations = (on_node("sandbox", None, error.what),)
    shown, result = rules.conclude(target.named, observations)
    return Proof(
        subject=target.subject,
        node=bench.node,
        handler=target.handler,
        named=target.named,
        shown=shown,
        result=result,
        observations=observations,
        seconds=round(seconds or time.monotonic() - begun, 3),
        time=now,
        programs=used_programs(program),
        configuration=target.configuration,
        boot=bench.kernel.boot_id,
    )


@asynccontextmanager
async def _observed(bench: Bench, target: Target, program: Examined | None) -> AsyncIterator[Facts]:
    """The facts of a sandbox that is started for the target and removed afterwards."""
    starting = asyncio.ensure_future(sandbox.start(bench.client, target.handler, bench.place))
    try:
        where = await asyncio.shield(starting)
    except asyncio.CancelledError:
        await sandbox.remove(bench.client, await starting, bench.place)
        raise
    try:
        yield await _look(bench, target, program, where)
    finally:
        await _remove(bench, where)


async def _remove(bench: Bench, where: Sandbox) -> None:
    """Remove the sandbox. That this fails must not hide an interruption, after which `session.sweep` comes."""
    try:
        await asyncio.shield(sandbox.remove(bench.client, where, bench.place))
    except CasemateError:
        task = asyncio.current_task()
        if task is None or not task.cancelling():
            raise


async def _look(bench: Bench, target: Target, program: Examined | None, where: Sandbox) -> Facts:
    prober, command, module = tries = _Tried(), _Tried(), _Tried()
    async with AsyncExitStack() as stack:
        await _challenge(bench, where, tries, stack, wasm_only=target.wasm_only)
        first, sent = (module, MODULE) if module.container else (prober, PROBE)
        status = await bench.client.pod_sandbox_status(where.id, verbose=True)
        seen = await asyncio.to_thread(tasks.scan)
        mine = tasks.of_sandbox(seen, where.config.linux.cgroup_parent, where.id)
        processes = await asyncio.to_thread(bench.processes, mine, read(status.info).pid, program)
        for tried in tries:
            tried.found = _find(seen, mine, tried.word, bench.kernel)
        alive = await _alive(bench, first)
        if bench.prober.mounted:
            lies_there = await _is_mounted(bench, seen, first.container, sent)
        else:
            lies_there = _lies_there(bench, seen, processes.pause, first.container, sent)
    return Facts(
        wasm_only=target.wasm_only,
        whole_node=tasks.sees_whole_node(),
        challenge=prober.challenge,
        command=command.challenge,
        module=module.challenge if target.wasm_only else None,
        still_there=alive,
        processes=processes,
        report=inside.decode(prober.said) if prober.said else None,
        prober=bench.prober.digests[sent],
        prober_found=lies_there,
        control=bench.control,
    )


async def _challenge(
    bench: Bench, where: Sandbox, tries: tuple[_Tried, _Tried, _Tried], stack: AsyncExitStack, *, wasm_only: bool
) -> None:
    """Give the challenges: to the prober, by exec beside it, and to a module under a handler of modules."""
    prober, command, module = tries
    if wasm_only:
        await asyncio.gather(_ask(bench, where, module, "module", MODULE), _ask(bench, where, prober, "native", PROBE))
    else:
        await _ask(bench, where, prober, "prober", PROBE)
    await _command(bench, module if module.container else prober, command, stack)


async def _ask(bench: Bench, where: Sandbox, tried: _Tried, name: str, program: str) -> None:
    """Start a container with a challenge, and wait for its answer."""
    try:
        tried.container = await sandbox.run(bench.client, where, name, bench.prober, (program, tried.word))
        line = await sandbox.first_line(bench.client, where.log(name), tried.container)
        if tried.word.encode() not in line:
            tried.refused = "what answered did not say the word"
            return
        tried.said, tried.refused = line, ""
    except CasemateError as error:
        tried.refused = error.what


async def _command(bench: Bench, beside: _Tried, tried: _Tried, stack: AsyncExitStack) -> None:
    """Run a challenge inside by CRI; it lives until the stack is closed."""
    if not beside.container:
        return
    arguments = (PROBE, "challenge", tried.word)
    try:
        line = await stack.enter_async_context(sandbox.command(bench.client, beside.container, arguments))
        tried.refused = "" if tried.word.encode() in line else "what answered did not say the word"
    except (CasemateError, TimeoutError) as error:
        tried.refused = str(error) or "it said nothing in time"


async def _alive(bench: Bench, tried: _Tried) -> bool:
    if not tried.container:
        return False
    status = await bench.client.container_status(tried.container)
    return bool(status.state == pb.CONTAINER_RUNNING)


def _find(seen: Sequence[Seen], mine: Sequence[Seen], word: str, kernel: NodeKernel) -> tuple[Found, ...]:
    own = {each.pid for each in mine}
    return tuple(_found(each.pid, own, kernel) for each in seen if each.carries(word))


def _found(pid: int, own: set[int], kernel: NodeKernel) -> Found:
    """Whose process it is. One that ends meanwhile leaves its cgroup and its namespaces first: that tells nothing."""
    inside = pid in own and _apart(pid, kernel)
    return Found(pid, None if not inside and tasks.ended(pid) else inside)


def _apart(pid: int, kernel: NodeKernel) -> bool:
    """Whether a process lives in a pid namespace that is not the node's."""
    try:
        return tasks.namespaces(pid)["pid"] != kernel.namespaces["pid"]
    except OSError:
        return False


def _lies_there(bench: Bench, seen: Sequence[Seen], pause: int, container: str, program: str) -> str:
    """The digest of what was sent in, as it lies in the container's root that the shim has mounted."""
    shim = next((each.parent for each in seen if each.pid == pause), 0)
    if not shim or not container:
        return ""
    for place in _mounts(shim):
        if container in place and place.endswith("/rootfs"):
            return bench.digests.of(Path(f"/proc/{shim}/root{place}{program}"))
    return ""


async def _is_mounted(bench: Bench, seen: Sequence[Seen], container: str, program: str) -> str:
    """The digest of what was sent in, as it lies where its container has it mounted from, as its monitor sees that."""
    if not container:
        return ""
    record = read((await bench.client.container_record(container)).info)
    watching = next((each.parent for each in seen if each.pid == record.pid), 0)
    source = record.mounted_from(program)
    return bench.digests.of(Path(f"/proc/{watching}/root{source}")) if watching and source else ""


def _mounts(pid: int) -> list[str]:
    """Where that process has something mounted; nothing when it has ended."""
    try:
        table = Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8")
    except OSError:
        return []
    return [line.split()[4] for line in table.splitlines()]


async def _control(bench: Bench, targets: Sequence[Target]) -> Control:
    """A runc container's challenge, which must be found (rule 1)."""
    names = [each.handler for each in targets]
    chosen = [name for name in _CONTROLS if name in names or not names]
    for handler in chosen or _CONTROLS[:1]:
        for _ in range(_tries(bench)):
            if found := await _controlled(bench, handler):
                return found
    return Control(False, "the challenge of a runc container was not found on the node")


async def _controlled(bench: Bench, handler: str) -> Control | None:
    target = Target("control", handler, Boundary.SHARED)
    try:
        async with asyncio.timeout(LIMIT), _observed(bench, target, None) as facts:
            found = facts.challenge.found
            if facts.challenge.answered and found and all(each.inside for each in found):
                return Control(True, f"a container under {handler}: process {found[0].pid} of the node")
    except (CasemateError, TimeoutError):
        pass
    return None
