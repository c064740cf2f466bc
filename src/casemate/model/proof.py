"""What was shown of a boundary: observations from the node and from inside, and what follows from them."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from casemate.model.assessment import State
from casemate.model.boundary import Boundary
from casemate.model.status import PodStatus


class Side(StrEnum):
    """Who observed: the node's kernel, the prober inside the sandbox, or a control of known outcome."""

    NODE = "node"
    INSIDE = "inside"
    CONTROL = "control"


class Result(StrEnum):
    """What a proof came to: the boundary is as named or stronger, it is weaker, or it could not be shown here."""

    PROVEN = "proven"
    WEAKER = "weaker"
    UNPROVABLE = "unprovable"


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was seen. `supports` is the strongest boundary that it leaves possible.

    It is None where the thing could not be observed, which nothing may be built on; `Boundary.UNKNOWN` where what was
    seen fits no boundary at all.
    """

    id: str
    side: Side
    value: str
    supports: Boundary | None


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """A program that draws the boundary, as it lies on the node. `version` is what it says of itself."""

    role: str
    path: str
    digest: str
    version: str = ""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """What was shown of one subject: a handler, a class or a Pod.

    `named` is the catalogue's boundary for its class's or handler's name; `time` is seconds since 1970, `seconds` how
    long it took. `uid` is a Pod's. `programs`, `configuration`, a digest, and `boot`, the node's boot id, are what it
    is bound to: of others it says nothing.
    """

    subject: str
    node: str
    handler: str
    named: Boundary
    shown: Boundary
    result: Result
    observations: tuple[Observation, ...]
    seconds: float
    time: float
    uid: str = ""
    programs: tuple[Program, ...] = ()
    configuration: str = ""
    boot: str = ""

    @property
    def reasons(self) -> tuple[Observation, ...]:
        """The observations that keep it from being proven."""
        if self.result is Result.PROVEN:
            return ()
        unseen = tuple(each for each in self.observations if each.supports is None)
        against = tuple(each for each in self.observations if each.supports is not None and each.supports < self.named)
        return against or unseen


class Proven(msgspec.Struct, frozen=True):
    """What is proven of an engine now: handler → boundary and when, Pod's uid → boundary.

    A Pod is proven by a proof of its own; or, where it was made after its handler was proven, by that one. An older
    Pod may run under what was there before.
    """

    handlers: dict[str, tuple[Boundary, float]] = {}
    pods: dict[str, Boundary] = {}

    def state(self, pod: PodStatus, created: float) -> State:
        """How sure a Pod's boundary is; `created` is the earliest time that the Pod can be from."""
        boundary, when = self.handlers.get(pod.handler, (Boundary.UNKNOWN, created))
        shown = self.pods.get(pod.uid, boundary if created > when else Boundary.UNKNOWN)
        return State.PROVEN if shown >= pod.boundary > Boundary.UNKNOWN else State.RESOLVED


NOTHING_PROVEN = Proven()


PROOF_SECONDS = 86_400.0
"""How long a proof counts where nobody sees whether the node changed since."""


def shown_by_node(proofs: Sequence[Proof], now: float) -> dict[str, dict[str, Boundary]]:
    """Node → handler → the boundary that proofs of handlers show, of each handler the newest, none too old."""
    found: dict[str, dict[str, Boundary]] = {}
    for each in sorted(proofs, key=lambda proof: proof.time):
        if each.subject != f"handler/{each.handler}" or not 0 <= now - each.time <= PROOF_SECONDS:
            continue
        shown = each.shown if each.result is Result.PROVEN else Boundary.UNKNOWN
        found.setdefault(each.node, {})[each.handler] = shown
    return found


def item(proof: Proof) -> dict[str, object]:
    """The proof as it stands in a `ProofList` and in a statement: boundaries are words, what is unseen is null."""
    written: dict[str, object] = msgspec.to_builtins(proof)
    observations = [{**msgspec.to_builtins(each), "supports": _word(each.supports)} for each in proof.observations]
    return {**written, "named": str(proof.named), "shown": str(proof.shown), "observations": observations}


def parse_item(written: dict[str, object]) -> Proof:
    """The proof in an item of a `ProofList`. Raises `ValueError` for anything else."""
    try:
        plain = msgspec.convert(written, _Item)
        observations = [{**each, "supports": _number(each["supports"])} for each in plain.observations]
        numbers = {"named": _number(plain.named), "shown": _number(plain.shown)}
        return msgspec.convert({**written, **numbers, "observations": observations}, Proof)
    except (KeyError, msgspec.ValidationError) as error:
        raise ValueError(f"no proof: {error}") from None


class _Item(msgspec.Struct, frozen=True):
    named: str
    shown: str
    observations: tuple[dict[str, str | None], ...]


def _word(boundary: Boundary | None) -> str | None:
    return None if boundary is None else str(boundary)


def _number(word: str | None) -> int | None:
    return None if word is None else int(Boundary.parse(word))
