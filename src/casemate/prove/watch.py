"""Drift: what proofs are bound to is looked at again and again, and proven anew when it changed.

1. Looked at are each handler's configuration, as CRI tells it, with the files that it names, and each handler's
   program, by its bytes; and that a handler comes or goes.
2. With a cluster, the handlers that its RuntimeClasses name are looked at too, every ten seconds: a class is proven
   against what it means now. A cluster that does not tell for a while changes nothing.
3. When something changed, the kept proofs that it was bound to are stale at once (`casemate.prove.keep`), before they
   are made anew.
4. An engine that does not answer for a while is no change: it may be starting again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace

from casemate.engine.cri.client import CriClient
from casemate.engine.cri.faults import EngineUnreachable
from casemate.errors import CasemateError
from casemate.model.proof import Proof
from casemate.prove import keep, session
from casemate.prove.configuration import Configured, configured
from casemate.prove.declared import Declared
from casemate.prove.sandbox import Place
from casemate.prove.session import Asked
from casemate.prove.tasks import Digests

PAUSE_SECONDS = 2.0
"""How long it takes at most until a change on the node is seen."""

_CLUSTER_SECONDS = 10.0


@dataclass(frozen=True)
class Round:
    """One round of proofs, and what had changed before it: nothing before the first."""

    proofs: tuple[Proof, ...]
    changed: tuple[str, ...] = ()


@dataclass
class Looked:
    """What was seen last, and the digests of files that were not touched since."""

    digests: Digests = field(default_factory=Digests)
    bound: dict[str, str] = field(default_factory=dict)

    def differences(self, known: Mapping[str, Configured], classes: Mapping[str, str]) -> tuple[str, ...]:
        """What is otherwise than last time, in words; it is noted as seen. `classes` are class → handler."""
        before, self.bound = self.bound, bound(known, self.digests) | _meant(classes)
        names = sorted({*before, *self.bound})
        return tuple(name for name in names if before.get(name) != self.bound.get(name))


async def watch(place: Place, asked: Asked, declared: Callable[[], Declared | None]) -> AsyncIterator[Round]:
    """A round now, and one after each change, for ever. `declared` reads what the cluster declares now."""
    looked, asks = Looked(), time.monotonic() + _CLUSTER_SECONDS
    looked.differences(await _told(place), _classes(asked))
    yield Round(await session.prove(place, asked))
    changed: tuple[str, ...] = ()
    while True:
        await asyncio.sleep(PAUSE_SECONDS)
        if asked.declared and time.monotonic() >= asks:
            with suppress(CasemateError):
                asked = replace(asked, declared=await asyncio.to_thread(declared))
            asks = time.monotonic() + _CLUSTER_SECONDS
        found = await known(place)
        if found is None:
            continue
        changed += await asyncio.to_thread(looked.differences, found, _classes(asked))
        if not changed:
            continue
        keep.forget_stale(place.kept)
        with suppress(EngineUnreachable):
            yield Round(await session.prove(place, asked), tuple(dict.fromkeys(changed)))
            changed = ()


def bound(known: Mapping[str, Configured], digests: Digests) -> dict[str, str]:
    """What the proofs of these handlers are bound to: what it is, in words → its digest."""
    found = {}
    for each in known.values():
        found[f"{each.handler}: configuration"] = each.digest
        if each.program:
            found[f"{each.handler}: program {each.program}"] = digests.of(each.program)
    return found


def _classes(asked: Asked) -> Mapping[str, str]:
    """The handlers of the classes that are to be proven."""
    there = asked.declared.classes if asked.declared else {}
    return {name: there.get(name, "") for name in asked.classes}


def _meant(classes: Mapping[str, str]) -> dict[str, str]:
    return {f"class {name}": handler or "is not there" for name, handler in classes.items()}


async def known(place: Place) -> dict[str, Configured] | None:
    """The engine's handlers as they are configured now; None when it does not answer (rule 4)."""
    try:
        return await _told(place)
    except CasemateError:
        return None


async def _told(place: Place) -> dict[str, Configured]:
    async with CriClient(place.socket) as client:
        return configured(await client.status(verbose=True))
