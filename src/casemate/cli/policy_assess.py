"""Assess with policies: what they permit may be recommended, and their verdicts are told."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from casemate.catalogue.tables import Catalogue
from casemate.cli import policy_files
from casemate.decide.assess import Assessor
from casemate.decide.candidates import candidates
from casemate.decide.classes import Classes
from casemate.model.assessment import Assessed
from casemate.model.policy import PolicySettings, Request
from casemate.model.surroundings import Surroundings
from casemate.model.workload import Workload
from casemate.policy.asking import labels_of
from casemate.policy.evaluate import PolicySet
from casemate.sources.policies import PolicyInput

_DEFAULT = "default"


class PolicedAssessor:
    """Assesses each workload among the classes that its policies permit. `permitted` are those of --permitted."""

    def __init__(
        self, written: PolicyInput, catalogue: Catalogue, surroundings: Surroundings, permitted: Sequence[str] | None
    ) -> None:
        self._catalogue = catalogue
        self._around = policy_files.merged(written.surroundings, surroundings)
        self._permitted = None if permitted is None else tuple(permitted)
        self._policies = PolicySet(written.policies, written.exceptions, self._around, catalogue, PolicySettings())
        self._names = tuple(dict.fromkeys(self._candidates(written)))
        self._assessors: dict[tuple[str, ...] | None, Assessor] = {}
        self._now = datetime.datetime.now(datetime.UTC)

    def assess(self, workload: Workload) -> Assessed:
        """The assessment with the verdict that the policies give."""
        placed = replace(workload, namespace=workload.namespace or _DEFAULT)
        known = self._around.namespaces
        unknown = self._around.complete and placed.namespace not in known
        labels = None if unknown else labels_of(placed.namespace, None, known)
        request = Request(workload=placed, namespace_labels=labels)
        permitted = self._policies.permitted(request, self._names, self._now)
        verdict = self._policies.evaluate(request, self._now)
        return replace(self._assessor(permitted).assess(workload), verdict=verdict)

    def _assessor(self, permitted: tuple[str, ...] | None) -> Assessor:
        names = self._permitted if permitted is None else permitted
        if permitted is not None and self._permitted is not None:
            names = tuple(each for each in permitted if each in self._permitted)
        if names not in self._assessors:
            self._assessors[names] = Assessor(self._catalogue, self._around, names)
        return self._assessors[names]

    def _candidates(self, written: PolicyInput) -> Iterator[str]:
        """The classes that may be meant: unset, those that are known or named, and those that would be recommended."""
        yield ""
        yield from self._policies.classes.names
        for each in written.policies:
            entries = each.spec.permitted or ()
            yield each.spec.default
            yield from (entry if isinstance(entry, str) else entry.name or "" for entry in entries)
        found = candidates(self._catalogue, Classes(self._catalogue, self._around), self._around, None)
        yield from (each.name for each in found)
