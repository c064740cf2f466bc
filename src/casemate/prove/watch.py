"""Drift: what proofs are bound to is looked at again and again, and proven anew when it changed.

1. Looked at are each handler's configuration, as CRI tells it, with the files that it names, and each handler's
   program, by its bytes; and that a handler comes or goes.
2. When something changed, the kept proofs that it was bound to are stale at once (`casemate.prove.keep`), before they
   are made anew.
3. An engine that does not answer for a while is no change: it may be starting again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

from casemate.engine.cri.client import CriClient
from casemate.errors import CasemateError
from casemate.model.proof import Proof
from casemate.prove import keep, session
from casemate.prove.configuration import Configured, configured
from casemate.prove.sandbox import Place
from casemate.prove.session import Asked
from casemate.prove.tasks import Digests

PAUSE_SECONDS = 2.0
"""How long it takes at most until a change is seen."""


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

    def differences(self, known: Mapping[str, Configured]) -> tuple[str, ...]:
        """What is otherwise than last time, in words; it is noted as seen."""
        before, self.bound = self.bound, bound(known, self.digests)
        names = sorted({*before, *self.bound})
        return tuple(name for name in names if before.get(name) != self.bound.get(name))


async def watch(place: Place, asked: Asked) -> AsyncIterator[Round]:
    """A round now, and one after each change, for ever."""
    looked = Looked()
    looked.differences(await known(place) or {})
    yield Round(await session.prove(place, asked))
    while True:
        await asyncio.sleep(PAUSE_SECONDS)
        found = await known(place)
        if found is None:
            continue
        if changed := await asyncio.to_thread(looked.differences, found):
            keep.forget_stale(place.kept)
            yield Round(await session.prove(place, asked), changed)


def bound(known: Mapping[str, Configured], digests: Digests) -> dict[str, str]:
    """What the proofs of these handlers are bound to: what it is, in words → its digest."""
    found = {}
    for each in known.values():
        found[f"{each.handler}: configuration"] = each.digest
        if each.program:
            found[f"{each.handler}: program {each.program}"] = digests.of(each.program)
    return found


async def known(place: Place) -> dict[str, Configured] | None:
    """The engine's handlers as they are configured now; None when it does not answer (rule 3)."""
    try:
        async with CriClient(place.socket) as client:
            return configured(await client.status(verbose=True))
    except CasemateError:
        return None
