"""A run of proofs on one engine: what is asked for is found, proven, and told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from casemate.catalogue import runtimes
from casemate.engine import node
from casemate.engine.cri.client import CriClient
from casemate.engine.paths import EnginePaths
from casemate.engine.settings import EngineSettings
from casemate.model.proof import Proof
from casemate.prove import handlers, image, sandbox, targets
from casemate.prove.configuration import Configured, configured
from casemate.prove.handlers import Bench, Target
from casemate.prove.sandbox import Place

_STATE = Path("/run/casemate/proofs")


@dataclass(frozen=True)
class Asked:
    """What a person asked for: names of handlers and classes; all handlers when both are empty."""

    handlers: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    documents: Mapping[str, str] = field(default_factory=dict)


def engine_place(paths: EnginePaths, settings: EngineSettings) -> Place:
    """Where the sandboxes of proofs are made on an engine of ours."""
    return Place(paths.name, settings.cri_socket, paths.state / "proofs", settings.systemd_cgroups)


def node_place(socket: str, *, systemd: bool) -> Place:
    """Where they are made on the node's own engine."""
    return Place("node", socket, _STATE, systemd)


async def prove(place: Place, asked: Asked) -> tuple[Proof, ...]:
    """The proofs of what was asked for, in that order."""
    with sandbox.alone(place):
        async with CriClient(place.socket) as client:
            known = configured(await client.status(verbose=True))
            chosen = _targets(asked, known)
            bench = Bench(client, place, node.gather().name, await image.bring_in(client))
            return await handlers.prove_all(bench, chosen)


def _targets(asked: Asked, known: Mapping[str, Configured]) -> tuple[Target, ...]:
    catalogue = runtimes.load()
    found: tuple[Target, ...] = ()
    if asked.handlers or not asked.classes:
        found = targets.handlers(asked.handlers, known, catalogue)
    return (*found, *targets.classes(asked.classes, asked.documents, known, catalogue))
