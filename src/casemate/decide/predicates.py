"""The catalogue's conditions, made into functions once, and asked of many workloads.

1. A predicate without arguments holds where the fact of its name does.
2. One with arguments holds at the places of those texts of its name that an argument fits.
3. `all` holds at the places of its first part that has any, `any` at those of all its parts, `not` nowhere in
   particular: it is about what is not there.
4. Workloads that answer all questions alike get the same decision: a decision depends on nothing else.

A text is compared once, however many workloads have it; a question is asked once, however many rows ask it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, TypeAlias

from casemate.catalogue.conditions import AllOf, AnyOf, Is, Not, When, asked
from casemate.decide import matching
from casemate.decide.facts import POD, Facts, Places, Values
from casemate.decide.matching import Matcher

Answers: TypeAlias = dict[int, Places]
"""Where each question holds, by its number. What is not there does not hold."""

Condition: TypeAlias = Callable[[Answers], Places]
"""Where a condition holds; empty when it does not."""

_KEYED: Final = frozenset({"label", "namespace-label", "annotation", "node-selector", "env"})
_TEXTS: Final[Mapping[str, Callable[[tuple[str, ...]], Matcher]]] = {
    **dict.fromkeys(("host-path-type", "volume", "restart-policy", "kind", "proc-mount"), matching.exact),
    **dict.fromkeys(("limit-missing", "seccomp", "apparmor", "mount-propagation"), matching.exact),
    **dict.fromkeys(("family", "boundary", "profile"), matching.exact),
    **dict.fromkeys(("csi-driver", "sysctl", "selinux-type", "secret", "resource", "command"), matching.patterns),
    "host-door": matching.patterns,
    **dict.fromkeys(("api-version", "name", "namespace", "image-registry", "class", "handler"), matching.patterns),
    **dict.fromkeys(("container-runtime", "broad-rights", "unknown-label"), matching.patterns),
    **dict.fromkeys(("kernel-below", "kubelet-below", "containerd-below"), matching.below),
    **dict.fromkeys(("host-path", "host-path-writable"), matching.host_paths),
    "tolerates": matching.tolerations,
    "empty-dir-medium": matching.media,
    "image": matching.images,
    "all-images": matching.all_images,
    "capability": matching.capabilities,
    "capability-added": matching.added,
}
_KEPT: Final = 20_000


class Questions:
    """Numbered questions. `condition` numbers those that a condition asks; `answers` answers all at once."""

    def __init__(self) -> None:
        self._numbers: dict[Is, int] = {}
        self._marks: dict[str, int] = {}
        self._texts: dict[str, _Texts] = {}
        self._keyed: dict[str, _Keyed] = {}

    def condition(self, when: When) -> Condition:
        """What says where the condition holds, given the answers."""
        match when:
            case Is():
                return _is(self._number(when))
            case Not(of=inner):
                opposite = self.condition(inner)
                return lambda answers: () if opposite(answers) else POD
            case AllOf(of=parts):
                return _all(tuple(map(self.condition, parts)))
            case AnyOf(of=parts):
                if all(isinstance(part, Is) for part in parts):
                    return _one_of(tuple(self._number(part) for part in parts if isinstance(part, Is)))
                return _any(tuple(map(self.condition, parts)))

    def table(self, whens: Iterable[When]) -> Table:
        """Many conditions, of which only those are tried that the answers may make hold."""
        rows = tuple(whens)
        numbers = frozenset(self._number(each) for when in rows for each in asked(when))
        return Table(tuple((self.condition(when), self._needed(when)) for when in rows), numbers)

    def _needed(self, when: When) -> frozenset[int] | None:
        """Questions of which one at least has to hold for the condition to; None when it may hold without any."""
        match when:
            case Is():
                return frozenset((self._number(when),))
            case Not():
                return None
            case AllOf(of=parts):
                needed = [each for each in map(self._needed, parts) if each is not None]
                return min(needed, key=len, default=None)
            case AnyOf(of=parts):
                either = [self._needed(part) for part in parts]
                return None if None in either else frozenset().union(*(each for each in either if each))

    def answers(self, facts: Facts) -> Answers:
        """Where each question holds for a workload."""
        marks, texts, keyed = self._marks, self._texts, self._keyed
        found = {marks[name]: places for name, places in facts.marks.items() if name in marks}
        for name, values in facts.values.items():
            asked = texts.get(name) or keyed.get(name)
            if asked:
                found.update(asked.answers(values))
        return found

    def also(self, answers: Answers, name: str, text: str = "") -> Answers:
        """The answers with one more fact, which is known only after the others: a mark, or a text of a predicate."""
        facts = Facts(marks={} if text else {name: POD}, values={name: ((text, ""),)} if text else {})
        return {**answers, **self.answers(facts)}

    def _number(self, asked: Is) -> int:
        if asked in self._numbers:
            return self._numbers[asked]
        number = self._numbers[asked] = len(self._numbers)
        name = asked.predicate
        if name in _KEYED:
            self._keyed.setdefault(name, _Keyed()).add(number, matching.keyed(asked.arguments))
        elif name in _TEXTS:
            self._texts.setdefault(name, _Texts()).add(number, _TEXTS[name](asked.arguments))
        else:
            self._marks[name] = number
        return number


class Table:
    """Conditions by number, and by the questions without which they cannot hold.

    Which of them hold depends only on which of their questions hold, not on where: that is worked out once for each
    set of such questions.
    """

    def __init__(self, conditions: tuple[tuple[Condition, frozenset[int] | None], ...], asked: frozenset[int]) -> None:
        self._conditions = tuple(condition for condition, _ in conditions)
        self._always = frozenset(index for index, (_, needed) in enumerate(conditions) if needed is None)
        self._by_question: dict[int, set[int]] = {}
        for index, (_, needed) in enumerate(conditions):
            for number in needed or ():
                self._by_question.setdefault(number, set()).add(index)
        self._asked = asked
        self._known: dict[frozenset[int], tuple[int, ...]] = {}

    def which(self, answers: Answers) -> tuple[int, ...]:
        """The conditions that hold, in order."""
        held = self._asked.intersection(answers)
        if held not in self._known:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[held] = tuple(self._holding(answers))
        return self._known[held]

    def holding(self, answers: Answers) -> list[tuple[int, Places]]:
        """The conditions that hold, in order, and where."""
        conditions = self._conditions
        return [(index, conditions[index](answers)) for index in self.which(answers)]

    def _holding(self, answers: Answers) -> Iterator[int]:
        possible = set(self._always)
        for number in self._by_question.keys() & answers.keys():
            possible |= self._by_question[number]
        yield from (index for index in sorted(possible) if self._conditions[index](answers))


class _Texts:
    """The questions of one predicate, and which of them a text answers."""

    def __init__(self) -> None:
        self._asked: list[tuple[int, Matcher]] = []
        self._known: dict[str, tuple[int, ...]] = {}
        self._answers: dict[Values, Answers] = {}

    def add(self, number: int, matcher: Matcher) -> None:
        self._asked.append((number, matcher))
        self._known.clear()
        self._answers.clear()

    def answers(self, values: Values) -> Answers:
        """Where the questions hold. Most workloads have the same few texts at the same places."""
        answers = self._answers
        if values not in answers:
            if len(answers) >= _KEPT:
                answers.clear()
            answers[values] = _answers(values, self._fitting)
        return answers[values]

    def _fitting(self, text: str) -> tuple[int, ...]:
        known = self._known
        if text not in known:
            if len(known) >= _KEPT:
                known.clear()
            known[text] = tuple(number for number, fits in self._asked if fits(text))
        return known[text]


class _Keyed:
    """The same for texts `key=value`: most keys are not asked for, and end the matter."""

    def __init__(self) -> None:
        self._asked: list[tuple[int, Callable[[str], Matcher | None]]] = []
        self._known: dict[str, tuple[tuple[int, Matcher], ...]] = {}

    def add(self, number: int, of: Callable[[str], Matcher | None]) -> None:
        self._asked.append((number, of))
        self._known.clear()

    def answers(self, values: Values) -> Answers:
        """Where the questions hold."""
        return _answers(values, self._fitting)

    def _fitting(self, text: str) -> Iterable[int]:
        key, _, value = text.partition("=")
        known = self._known
        if key not in known:
            if len(known) >= _KEPT:
                known.clear()
            tests = ((number, of(key)) for number, of in self._asked)
            known[key] = tuple((number, test) for number, test in tests if test)
        asked = known[key]
        return [number for number, fits in asked if fits(value)] if asked else ()


def _answers(values: Values, fitting: Callable[[str], Iterable[int]]) -> Answers:
    found: defaultdict[int, dict[str, None]] = defaultdict(dict)
    for text, place in values:
        for number in fitting(text):
            found[number][place] = None
    return {number: tuple(places) for number, places in found.items()}


def _is(number: int) -> Condition:
    return lambda answers: answers.get(number, ())


def _one_of(numbers: tuple[int, ...]) -> Condition:
    """`any` of plain questions, which most of them are."""

    def holds(answers: Answers) -> Places:
        found: Places = ()
        for number in numbers:
            if number in answers:
                places = answers[number]
                found = tuple(dict.fromkeys((*found, *places))) if found else places
        return found

    return holds


def _all(parts: tuple[Condition, ...]) -> Condition:
    def holds(answers: Answers) -> Places:
        first: Places = POD
        for part in parts:
            places = part(answers)
            if not places:
                return ()
            if first == POD:
                first = places
        return first

    return holds


def _any(parts: tuple[Condition, ...]) -> Condition:
    def holds(answers: Answers) -> Places:
        found: Places = ()
        for part in parts:
            if places := part(answers):
                found = tuple(dict.fromkeys((*found, *places))) if found else places
        return found

    return holds
