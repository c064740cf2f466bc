"""What one replica does for all: probe, audit, report, write statuses.

1. Probes come every so often, and soon after policies change; the audit likewise, and at the moment at which an
   exception ends: what it accepted is refused from then on.
2. What is let through twice in a row counts (`bites`). Until all is denied again, probes come every few seconds: a
   replica that is unready for that reason alone is to be back soon.
3. The webhook configurations are compared with what they have to be, and custom resources with Pod templates that
   nobody is asked about are named. That is said, and mended by nobody but people: an operator may have opened a gap
   on purpose, to get out of trouble.
4. A failure of one duty ends neither the others nor the process.
"""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog
from msgspec.structs import replace

from casemate.admission import auditing, bites, coverage
from casemate.admission.audit import Tally
from casemate.admission.bites import Ask, Bite, Patience
from casemate.admission.checking import Checker
from casemate.admission.judge import Standing
from casemate.admission.kube import Kube, StatusError, Unreached
from casemate.admission.metrics import Gauges
from casemate.admission.probes import Asker, Probe, Unprobed, probes
from casemate.admission.published import Rules
from casemate.admission.reports import Reports
from casemate.admission.settings import Serving
from casemate.admission.statuses import Statuses
from casemate.catalogue import Catalogue
from casemate.errors import CasemateError
from casemate.policy.exceptions import ends

_TURN: Final = 0.5
_SETTLES: Final = 1.0
_IN_DOUBT: Final = 5.0
_NEVER: Final = datetime.datetime.max.replace(tzinfo=datetime.UTC)

_log = structlog.get_logger("casemate.admission")

Namespaces = Mapping[str, dict[str, str]]


@dataclass(slots=True)
class Current:
    """The rules and namespaces that were published last, for the duties."""

    rules: Rules | None = None
    namespaces: Namespaces = field(default_factory=dict)
    changed: float = 0.0

    def take(self, rules: Rules) -> None:
        """Note new rules."""
        self.rules, self.changed = rules, time.monotonic()

    def next_end(self, now: datetime.datetime) -> datetime.datetime:
        """When the next exception ends."""
        found = [ends(each.spec.expires) for each in (self.rules.exceptions if self.rules else ())]
        return min((each for each in found if each > now), default=_NEVER)


class Round:
    """A duty that is done over and over: every so often, and soon after the rules changed."""

    def __init__(
        self,
        current: Current,
        every: Callable[[], float],
        may: Callable[[], bool],
        do: Callable[[Rules], Awaitable[None]],
    ) -> None:
        self._current = current
        self._every = every
        self._may = may
        self._do = do
        self._last = float("-inf")
        self._revision = 0
        self._ending = _NEVER

    async def run(self) -> None:
        """Never ends."""
        while True:
            rules = self._current.rules
            if rules and self._may() and self._is_due(rules):
                now = datetime.datetime.now(datetime.UTC)
                self._last, self._revision, self._ending = time.monotonic(), rules.revision, self._current.next_end(now)
                await self._try(rules)
            await asyncio.sleep(_TURN)

    def _is_due(self, rules: Rules) -> bool:
        now = time.monotonic()
        fresh = rules.revision != self._revision and now - self._current.changed >= _SETTLES
        return fresh or now - self._last >= self._every() or datetime.datetime.now(datetime.UTC) >= self._ending

    async def _try(self, rules: Rules) -> None:
        try:
            await self._do(rules)
        except (StatusError, Unreached, CasemateError) as error:
            _log.warning("a duty was not done", error=str(error))
        except Exception:  # noqa: BLE001 - the process has other duties
            _log.exception("fault")


class Prober:
    """Asks for what must be denied."""

    def __init__(self, serving: Serving, catalogue: Catalogue, gauges: Gauges, ask: Ask, asker: Asker) -> None:
        self._serving = serving
        self._catalogue = catalogue
        self._gauges = gauges
        self._ask = ask
        self._asker = asker
        self._patience = Patience()
        self._checker = Checker(catalogue)
        self.statuses: Statuses | None = None

    @property
    def let_through(self) -> list[str]:
        """What was let through twice in a row, as `policy: rule`."""
        return sorted(f"{policy}: {rule}" for policy, rule in self._patience.twice)

    def every(self) -> float:
        """The seconds from one round to the next."""
        return min(self._serving.probe, _IN_DOUBT) if self._patience.in_doubt else self._serving.probe

    async def probe(self, rules: Rules, namespaces: Namespaces) -> None:
        """One round."""
        standing = rules.standing(self._catalogue, self._serving.policy)
        found = list(probes(standing, namespaces, self._asker, datetime.datetime.now(datetime.UTC)))
        outcomes = await bites.ask_all((each for each in found if isinstance(each, Probe)), self._ask)
        self._patience.note(outcomes)
        self._gauges.forget(self._gauges.bites)
        for each in outcomes:
            if each.bite is not Bite.UNKNOWN:
                self._gauges.bites.labels(each.policy, each.rule).set(each.bite is Bite.DENIED)
            if each.bite is Bite.LET_THROUGH:
                _log.error("let through what must be denied", policy=each.policy, rule=each.rule)
            elif each.bite is Bite.UNKNOWN:
                _log.warning("not probed", policy=each.policy, rule=each.rule, why=each.why)
        if self.statuses:
            unprobed = [each for each in found if isinstance(each, Unprobed)]
            findings = await self._checker.found(rules, standing.policies, namespaces)
            await self.statuses.write(rules, outcomes, unprobed, findings)


class Auditor:
    """Judges what exists, and reports it."""

    def __init__(self, serving: Serving, catalogue: Catalogue, gauges: Gauges, kube: Kube) -> None:
        self._settings = replace(serving.policy, own_namespace="")  # Audited like any other.
        self._serving = serving
        self._catalogue = catalogue
        self._gauges = gauges
        self._kube = kube
        self._reports = Reports(kube)

    async def audit(self, rules: Rules, namespaces: Namespaces) -> None:
        """One audit."""
        began = time.monotonic()
        standing: Standing = rules.standing(self._catalogue, self._settings)
        tally = await auditing.audit(self._kube, standing.policies, namespaces)
        self._show(tally)
        reports = await self._reports.write(tally, namespaces)
        self._gauges.audited.set_to_current_time()
        seconds = round(time.monotonic() - began, 2)
        _log.info("audited", objects=tally.judged.total(), found=len(tally.counts), reports=reports, seconds=seconds)
        await self._cover()

    def _show(self, tally: Tally) -> None:
        self._gauges.forget(self._gauges.violations)
        for (namespace, policy, rule), count in tally.counts.items():
            self._gauges.violations.labels(namespace, policy, rule).set(count.objects)

    async def _cover(self) -> None:
        own, service = self._serving.policy.own_namespace, self._serving.service
        lacks = await coverage.gaps(self._kube, own, service)
        unasked = await coverage.unasked(self._kube)
        self._gauges.gaps.set(len(lacks))
        self._gauges.unasked.set(len(unasked))
        if lacks:
            _log.error("the API server does not ask about everything", lacks=lacks)
        if unasked:
            _log.warning("custom resources with Pod templates are not asked about", kinds=unasked)
