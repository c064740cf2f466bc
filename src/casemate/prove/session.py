"""A run of proofs on one engine: what is asked for is found, proven, and kept."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from casemate.catalogue import runtimes
from casemate.engine import node
from casemate.engine.containerd import process
from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri.born import handler_of
from casemate.engine.cri.client import CriClient
from casemate.engine.instance import POD_UID_LABEL, RUN_LABEL
from casemate.engine.paths import EnginePaths
from casemate.engine.settings import EngineSettings
from casemate.engine.supervise.run_record import RunFolder
from casemate.errors import InputError
from casemate.model.proof import Proof
from casemate.prove import handlers, image, keep, pods, sandbox, targets, tasks
from casemate.prove.bench import Bench, used_programs
from casemate.prove.configuration import Configured, configured
from casemate.prove.declared import Declared
from casemate.prove.pods import RunningPod
from casemate.prove.sandbox import PROOF_LABEL, Place
from casemate.prove.targets import Target

_CONTAINERD = Path("/etc/containerd/config.toml")
_STATE = Path("/run/casemate/proofs")
_LOOKS = 10
_SETTLES_SECONDS = 0.3


@dataclass(frozen=True)
class Asked:
    """What a person asked for: handlers, classes and Pods by name; `everything` that runs, and all handlers.

    All handlers when nothing is named. `declared` is what a cluster's objects say of this node, `node` its name there.
    `proven` are proofs of handlers that stand: Pods are compared with those, and their handlers not tried again.
    """

    handlers: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()
    everything: bool = False
    declared: Declared | None = None
    node: str = ""
    proven: tuple[Proof, ...] = ()


def engine_place(paths: EnginePaths, settings: EngineSettings) -> Place:
    """Where the sandboxes of proofs are made on an engine of ours."""
    return Place(
        paths.name,
        settings.cri_socket,
        paths.state / "proofs",
        settings.systemd_cgroups,
        kept=paths.proofs,
        configuration=process.config_file(paths),
        runs=paths.runs,
    )


def node_place(socket: str, *, systemd: bool) -> Place:
    """Where they are made on the node's own engine."""
    return Place("node", socket, _STATE, systemd, kept=_STATE / "proofs.json", configuration=_CONTAINERD)


async def prove(place: Place, asked: Asked) -> tuple[Proof, ...]:
    """The proofs of what was asked for, in that order; they are kept for `ps` and `run`."""
    with sandbox.alone(place):
        async with CriClient(place.socket) as client:
            known = configured(await client.status(verbose=True))
            chosen = await _pods(client, place, asked, known)
            name, prober = asked.node or node.gather().name, await image.bring_in(client, place.name)
            bench = Bench(client, place, name, prober, frozenset(_monitors(known)))
            try:
                targets_now = _targets(asked, known, chosen)
                proofs = await handlers.prove_all(bench, targets_now) if targets_now else ()
                standing = await _standing(bench, asked.proven, known)
                proofs += await pods.prove_pods(bench, chosen, (*standing, *proofs))
            finally:
                image.clear(place.name)
        keep.keep(place.kept, proofs, (place.configuration, *_files(known)))
        return proofs


async def _standing(bench: Bench, proven: Sequence[Proof], known: Mapping[str, Configured]) -> tuple[Proof, ...]:
    """The proofs of handlers that were made of the very programs and configurations that are there now."""
    found = []
    for each in proven:
        there = known.get(each.handler)
        program = await bench.program(there.program if there else None)
        if there and there.digest == each.configuration and used_programs(program) == each.programs:
            found.append(each)
    return tuple(found)


async def sweep(place: Place) -> None:
    """Remove what an interruption caught while it was made or removed: the end of asyncio cancels even that.

    An engine goes on for a moment with what it was asked for, so that another look follows one that found something.
    """
    with sandbox.alone(place):
        async with CriClient(place.socket) as client:
            for _ in range(_LOOKS):
                if not await sandbox.remove_all(client, place):
                    break
                await asyncio.sleep(_SETTLES_SECONDS)
        image.clear(place.name)


def _monitors(known: Mapping[str, Configured]) -> Iterator[tuple[int, int]]:
    for path in {each.monitor for each in known.values() if each.monitor}:
        with suppress(OSError):
            yield tasks.identity(path)


def _targets(asked: Asked, known: Mapping[str, Configured], chosen: Sequence[RunningPod]) -> tuple[Target, ...]:
    """The handlers and classes to prove, those of Pods with them."""
    catalogue = runtimes.load()
    named = bool(asked.handlers or asked.classes or asked.pods)
    standing = {each.handler for each in asked.proven}
    names = dict.fromkeys((*asked.handlers, *(each.born for each in chosen if named and each.born not in standing)))
    found: tuple[Target, ...] = ()
    if names or not named:
        found = targets.handlers(tuple(names), known, catalogue)
    documents = asked.declared.classes if asked.declared else {}
    return (*found, *targets.classes(asked.classes, documents, known, catalogue))


async def _pods(
    client: CriClient, place: Place, asked: Asked, known: Mapping[str, Configured]
) -> tuple[RunningPod, ...]:
    if not asked.everything and not asked.pods:
        return ()
    ready = [each for each in await client.pod_sandboxes() if each.state == pb.SANDBOX_READY]
    ours = (each for each in ready if PROOF_LABEL not in each.labels and (not place.runs or RUN_LABEL in each.labels))
    found = {f"{each.metadata.namespace}/{each.metadata.name}": each for each in ours}
    default = next((each.handler for each in known.values() if each.default), "")
    if asked.everything:
        busy = {each.pod_sandbox_id for each in await client.containers() if each.state == pb.CONTAINER_RUNNING}
        chosen = [each for _, each in sorted(found.items()) if each.id in busy]
    else:
        chosen = [_named(name, found) for name in asked.pods]
    return tuple([_running(each, place, asked.declared, default, await handler_of(client, each)) for each in chosen])


def _named(name: str, found: Mapping[str, pb.PodSandbox]) -> pb.PodSandbox:
    fitting = [key for key in found if name in (key, key.partition("/")[2])]
    if len(fitting) != 1:
        what = f"no Pod {name!r} runs here" if not fitting else f"several Pods are called {name!r}"
        fix = "casemate ps shows all Pods" if not fitting else f"write {fitting[0]}"
        raise InputError(what, where="--pod", fix=fix)
    return found[fitting[0]]


def _running(
    each: pb.PodSandbox, place: Place, declared: Declared | None, default: str, told: str | None
) -> RunningPod:
    uid = each.labels.get(POD_UID_LABEL) or each.metadata.uid
    born = "" if told is None else told or default
    if declared:
        class_name, expected = declared.of_pod(uid, default)
    else:
        class_name, expected = _asked_for(place, each, uid)
        expected = expected or born
    return RunningPod(
        subject=f"pod/{each.metadata.namespace}/{each.metadata.name}",
        uid=uid,
        sandbox=each.id,
        expected=expected,
        born=born,
        named=runtimes.load().promised(class_name, expected or born),
        marker=f"pod{uid}",
    )


def _asked_for(place: Place, each: pb.PodSandbox, uid: str) -> tuple[str, str]:
    """The class that the API object names, and the handler that it means; empty where there is no object of ours."""
    if place.runs:
        for record in RunFolder(place.runs, each.labels.get(RUN_LABEL, "")).pods():
            if record.instance.uid == uid:
                return record.instance.runtime_class, record.instance.handler
    return "", ""


def _files(known: Mapping[str, Configured]) -> tuple[Path, ...]:
    return tuple(dict.fromkeys(file for each in known.values() for file in each.files))
