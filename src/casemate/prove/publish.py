"""A node's prober: proves its handlers and publishes them, for as long as it runs.

Rules:

1. It proves all handlers at first, when a program or a configuration has changed, and four times an hour. What could
   not be shown is tried again after a minute; meanwhile an older proof of the same stands, until a quarter of an hour
   before it would no longer count. A node that is busy is no weaker for it.
2. When something has changed, what it published is marked stale before it is proven again.
3. Probe Pods (those of the namespace `casemate-probe`) are proven once each, as soon as their prober has said its line,
   when whatever confines it is in place, and published as long as it runs. Which class a Pod has is not asked of the
   API server: the reader, who made the Pod, knows it. So the prober needs no right but to write its own object.
4. An API server or an engine that does not answer for a while ends nothing: it is tried again, and the published proof
   grows old meanwhile.
5. Credentials are read anew each time: a service account's token is replaced every hour.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import quote

from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri.client import CriClient
from casemate.errors import CasemateError
from casemate.model.proof import Proof, Result
from casemate.prove import published, sandbox, session
from casemate.prove import watch as drift
from casemate.prove.cluster_api import Cluster
from casemate.prove.probe_pods import NAMESPACE
from casemate.prove.sandbox import Place
from casemate.prove.session import Asked
from casemate.sources.cluster_access import Access

_RETRY_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Prober:
    """Where a prober works, as whom it publishes, and where it tells what it does."""

    place: Place
    node: str
    key: Path
    access: Callable[[], Access]
    say: Callable[[str], None]


@dataclass
class _Round:
    """What was proven last, and what of it the cluster does not have yet."""

    looked: drift.Looked = field(default_factory=drift.Looked)
    handlers: tuple[Proof, ...] = ()
    pods: dict[str, Proof] = field(default_factory=dict)
    due: float = 0.0
    changed: tuple[str, ...] = ()
    unwritten: bool = False


async def publish(prober: Prober) -> None:
    """Prove and publish for ever."""
    now = _Round()
    while True:
        try:
            await _turn(prober, now)
        except CasemateError as error:
            prober.say(str(error))
        await asyncio.sleep(drift.PAUSE_SECONDS)


async def _turn(prober: Prober, now: _Round) -> None:
    known = await drift.known(prober.place)
    if known is None:
        return
    if found := await asyncio.to_thread(now.looked.differences, known, {}):
        now.changed, now.due = tuple(dict.fromkeys((*now.changed, *found))), 0.0
        if now.handlers:
            await _mark_stale(prober, now)
    if time.monotonic() >= now.due:
        proofs = await session.prove(prober.place, Asked(node=prober.node))
        now.handlers, now.pods, now.unwritten = renewed(now.handlers, proofs), {}, True
        shown = all(each.result is not Result.UNPROVABLE for each in proofs)
        now.due = time.monotonic() + (published.RENEW_SECONDS if shown else _RETRY_SECONDS)
        now.changed = ()
    await _prove_pods(prober, now)
    if now.unwritten:
        await _write(prober, now)


def renewed(older: Sequence[Proof], found: Sequence[Proof]) -> tuple[Proof, ...]:
    """The proofs that were found, but in place of what could not be shown the older one of the same (rule 1)."""
    standing = {_bound(each): each for each in older if each.result is Result.PROVEN}
    return tuple(_either(standing.get(_bound(each)), each) for each in found)


def _either(older: Proof | None, found: Proof) -> Proof:
    if older is None or found.result is not Result.UNPROVABLE:
        return found
    return older if found.time - older.time < published.FRESH_SECONDS - published.RENEW_SECONDS else found


def _bound(proof: Proof) -> tuple[object, ...]:
    return proof.subject, proof.boot, proof.configuration, proof.programs


async def _mark_stale(prober: Prober, now: _Round) -> None:
    prober.say(f"changed: {', '.join(now.changed)}")
    data = {published.STATEMENT: _signed(prober, now), published.STALE: ", ".join(now.changed)}
    try:
        await asyncio.to_thread(_apply, prober, data)
    except CasemateError as error:  # it is proven again all the same
        prober.say(str(error))


async def _prove_pods(prober: Prober, now: _Round) -> None:
    """Prove the probe Pods that were not proven yet, and forget those that are gone."""
    running = await _running(prober.place)
    gone = [uid for uid in now.pods if uid not in running]
    for uid in gone:
        del now.pods[uid]
    names = tuple(name for uid, name in running.items() if uid not in now.pods)
    if names:
        asked = Asked(pods=names, node=prober.node, proven=now.handlers)
        found = await session.prove(prober.place, asked)
        now.pods |= {each.uid: each for each in found if each.uid}
    now.unwritten = now.unwritten or bool(gone or names)


async def _running(place: Place) -> dict[str, str]:
    """The probe Pods whose prober runs and has said its line: uid → namespace and name."""
    async with CriClient(place.socket) as client:
        sandboxes = [each for each in await client.pod_sandboxes() if each.metadata.namespace == NAMESPACE]
        if not sandboxes:
            return {}
        running = [each for each in await client.containers() if each.state == pb.CONTAINER_RUNNING]
        ids = {each.id for each in sandboxes if each.state == pb.SANDBOX_READY}
        spoken = {each.pod_sandbox_id for each in running if each.pod_sandbox_id in ids and await _spoken(client, each)}
    return {each.metadata.uid: f"{NAMESPACE}/{each.metadata.name}" for each in sandboxes if each.id in spoken}


async def _spoken(client: CriClient, container: pb.Container) -> bool:
    try:
        status = await client.container_status(container.id)
    except CasemateError:  # it was removed meanwhile
        return False
    return sandbox.whole_line(Path(status.log_path)) is not None


async def _write(prober: Prober, now: _Round) -> None:
    proofs = _all(now)
    await asyncio.to_thread(_apply, prober, {published.STATEMENT: _signed(prober, now), published.STALE: ""})
    now.unwritten = False
    prober.say(f"published {len(proofs)} proofs: {_told(proofs)}")


def _apply(prober: Prober, data: dict[str, str]) -> None:
    access = prober.access()
    uid = published.node_uid(access.headers.get("Authorization", ""), prober.node)
    with Cluster(access) as cluster:
        cluster.apply(f"{published.PATH}/{quote(prober.node)}", published.config_map(prober.node, data, uid))


def _signed(prober: Prober, now: _Round) -> str:
    return published.signed(_all(now), prober.key)


def _all(now: _Round) -> tuple[Proof, ...]:
    return (*now.handlers, *now.pods.values())


def _told(proofs: Sequence[Proof]) -> str:
    return ", ".join(f"{each.subject} {each.result}" for each in proofs)
