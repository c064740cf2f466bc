"""Ask for what must be denied, and note whether it was.

1. In a cluster the API server is asked, with `dryRun=All`; on one machine the webhook itself, over its own HTTPS.
2. Denied by casemate, naming the policy: it bites. Let through: it does not. Anything else (no right, no answer,
   another webhook's denial) says nothing.
3. A policy that was let through twice in a row, by the same rules, makes the replica unready: something that should be
   enforced is not, and operators are to see it. Once may be a change on its way.
"""

from __future__ import annotations

import ssl
import uuid
from collections.abc import Awaitable, Callable, Iterable
from enum import StrEnum
from typing import Final
from urllib.parse import quote

import httpx
import msgspec

from casemate.admission.kube import Kube, StatusError, Unreached
from casemate.admission.probes import Probe

_TIMEOUT: Final = 10.0
_FORBIDDEN: Final = 403


class Bite(StrEnum):
    """What came of a probe."""

    DENIED = "denied"
    LET_THROUGH = "let through"
    UNKNOWN = "unknown"


class Bitten(msgspec.Struct, frozen=True):
    """A probe's rule with its outcome, and why it is unknown."""

    policy: str
    rule: str
    bite: Bite
    why: str = ""


Ask = Callable[[Probe], Awaitable[tuple[Bite, str]]]


async def ask_all(probes: Iterable[Probe], ask: Ask) -> list[Bitten]:
    """The outcome of each, one after another: probes are no load."""
    return [Bitten(each.policy, each.rule, *(await ask(each))) for each in probes]


def through(kube: Kube) -> Ask:
    """Ask the API server."""

    async def ask(probe: Probe) -> tuple[Bite, str]:
        path = f"/api/v1/namespaces/{quote(probe.namespace, safe='')}/podtemplates?dryRun=All"
        try:
            await kube.create(path, probe.body)
        except StatusError as error:
            return _read(probe, error.code, error.message)
        except Unreached as error:
            return Bite.UNKNOWN, str(error)
        return Bite.LET_THROUGH, ""

    return ask


def _read(probe: Probe, code: int, message: str) -> tuple[Bite, str]:
    if code == _FORBIDDEN and "admission.casemate.dev" in message and probe.policy in message:
        return Bite.DENIED, ""
    return Bite.UNKNOWN, message[:200]


class _Answer(msgspec.Struct):
    allowed: bool


class _Review(msgspec.Struct):
    response: _Answer


def directly(address: str, context: ssl.SSLContext, user: str) -> Ask:
    """Ask a webhook at that address, as if by the API server."""

    async def ask(probe: Probe) -> tuple[Bite, str]:
        request = {
            "uid": str(uuid.uuid4()),
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "operation": "CREATE",
            "namespace": probe.namespace,
            "userInfo": {"username": user},
            "object": probe.body,
            "dryRun": True,
        }
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
        try:
            async with httpx.AsyncClient(verify=context, timeout=_TIMEOUT, trust_env=False) as client:
                answer = await client.post(f"{address}/validate", content=msgspec.json.encode(review))
                answer.raise_for_status()
                allowed = msgspec.json.decode(answer.content, type=_Review).response.allowed
        except (httpx.HTTPError, msgspec.DecodeError) as error:
            return Bite.UNKNOWN, str(error)[:200]
        return (Bite.LET_THROUGH, "") if allowed else (Bite.DENIED, "")

    return ask


class Patience:
    """Which rules were let through twice in a row."""

    def __init__(self) -> None:
        self._once: set[tuple[str, str]] = set()
        self.twice: set[tuple[str, str]] = set()

    @property
    def in_doubt(self) -> bool:
        """Whether something was let through when it was last known."""
        return bool(self._once)

    def note(self, outcomes: Iterable[Bitten]) -> None:
        """Take over one round's outcomes. What is unknown now says nothing new."""
        found = list(outcomes)
        through = {(each.policy, each.rule) for each in found if each.bite is Bite.LET_THROUGH}
        denied = {(each.policy, each.rule) for each in found if each.bite is Bite.DENIED}
        known = {(each.policy, each.rule) for each in found}
        self.twice = ((self.twice & known) - denied) | (through & self._once)
        self._once = through | ((self._once & known) - denied)
