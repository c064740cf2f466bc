"""Labels of casemate's own that say nothing to it, because somebody mistyped them.

1. What the catalogue's conditions ask of `casemate.dev/…` labels is known, and the values of `casemate.dev/need`. A key
   that a condition asks with any value may have any; one that is nearly a value with a meaning of its own is mistyped.
2. Other keys of `casemate.dev/` may be of use to somebody else: only those that are nearly a known one are mistyped. So
   are known names below a domain that is nearly casemate's.
3. A label that stands among the annotations is one that nothing reads.
4. A mistyped label changes nothing: it neither lowers need nor raises it. It is reported, with what was probably meant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from casemate.catalogue.conditions import asked
from casemate.catalogue.tables import Catalogue
from casemate.decide.facts import Facts
from casemate.decide.need import NEED_LABEL
from casemate.model.boundary import Boundary
from casemate.model.workload import Workload
from casemate.sources.marks import shown

DOMAIN: Final = "casemate.dev/"
_ANY: Final = "*"
_LIKE_OURS: Final = "casemat"
_NEAR_NAME: Final = 0.6
_NEAR_VALUE: Final = 0.5
_NEARLY_EQUAL: Final = 0.8


class OwnLabels:
    """The labels that a catalogue gives a meaning: their values by key; `*` stands for any."""

    def __init__(self, catalogue: Catalogue) -> None:
        known: defaultdict[str, set[str]] = defaultdict(set)
        tables = (catalogue.criteria, catalogue.profiles, catalogue.rules, catalogue.fits)
        for when in (row.when for table in tables for row in table):
            for each in asked(when):
                for argument in each.arguments if each.predicate in ("label", "namespace-label") else ():
                    key, equals, value = argument.partition("=")
                    if key.startswith(DOMAIN) and _ANY not in key:
                        known[key].add(value if equals else _ANY)
        known[NEED_LABEL] |= {str(each) for each in Boundary if each is not Boundary.UNKNOWN}
        self._known: Mapping[str, set[str]] = known
        self._names = {key.removeprefix(DOMAIN): key for key in known}

    def note(self, facts: Facts, workload: Workload, namespace: Mapping[str, str]) -> None:
        """Note each mistyped label: `key=value: did you mean …`, and its place."""
        for key, value in workload.metadata.labels.items():
            if _LIKE_OURS in key and (hint := self._hint(key, value)) is not None:
                facts.value("unknown-label", f"{key}={value}{hint}", shown(("metadata", "labels", key)))
        for owner, labels in (("object", workload.object_labels), ("namespace", namespace)):
            for key, value in labels.items():
                if _LIKE_OURS in key and workload.metadata.labels.get(key) != value:
                    self._note_of(facts, owner, key, value)
        for key, value in workload.metadata.annotations.items():
            if key in self._known:
                place = shown(("metadata", "annotations", key))
                facts.value("unknown-label", f"{key}={value}: it is a label, not an annotation", place)

    def _note_of(self, facts: Facts, owner: str, key: str, value: str) -> None:
        hint = self._hint(key, value)
        if hint is not None:
            facts.value("unknown-label", f"{key}={value} of its {owner}{hint}", "")

    def _hint(self, key: str, value: str) -> str | None:
        """What was probably meant; empty when nobody can tell; None when nothing is wrong."""
        if key not in self._known:
            near = self._nearest_key(key)
            return f": did you mean {near}={value}?" if near else None
        return next(self._wrong_value(key, value), None)

    def _nearest_key(self, key: str) -> str:
        domain, _, name = key.rpartition("/")
        if f"{domain}/" != DOMAIN:
            return self._names.get(name, "") if get_close_matches(f"{domain}/", (DOMAIN,)) else ""
        near = get_close_matches(name.lower(), self._names, 1, _NEAR_NAME)
        return self._names[near[0]] if near else ""

    def _wrong_value(self, key: str, value: str) -> Iterator[str]:
        values = self._known[key]
        if value in values:
            return
        cutoff = _NEARLY_EQUAL if _ANY in values else _NEAR_VALUE
        near = get_close_matches(value.lower(), values - {_ANY}, 1, cutoff)
        if near:
            yield f": did you mean {key}={near[0]}?"
        elif _ANY not in values:
            yield f": it takes {', '.join(sorted(values))}"
