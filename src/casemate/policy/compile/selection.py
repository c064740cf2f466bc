"""What `match` and `scope` ask, as atoms: short texts, each a fact of a request.

1. A selection holds when every clause has an atom that the request has, and the request has none of `never`.
2. Namespaces by name `n:`, labels of the namespace `l:key=value` and `k:key`, labels of the Pod `p:key=value`, service
   accounts `s:`, users `u:`, groups `g:`, kinds `K:` (`O:` in an exception); `i:` and patterns where any image fits one
   of them, and `I:` and patterns where each image does.
3. A namespaced policy is about its own namespace alone.
4. Policies are found by an index before any is looked at: over names of namespaces, or else over one label of them. So
   a request costs what the policies cost that may be about it, not what all cost.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from casemate.model.policy import Match, NamespaceMatch, Policy

NAME: Final = "n:"
NAMESPACE_LABEL: Final = "l:"
NAMESPACE_KEY: Final = "k:"
POD_LABEL: Final = "p:"
ACCOUNT: Final = "s:"
USER: Final = "u:"
GROUP: Final = "g:"
KIND: Final = "K:"
SCOPED_KIND: Final = "O:"
ANY_IMAGE: Final = "i:"
ALL_IMAGES: Final = "I:"


@dataclass(frozen=True, slots=True)
class Selection:
    """Of every clause one atom, and none of `never`."""

    every: tuple[tuple[str, ...], ...] = ()
    never: tuple[str, ...] = ()

    @property
    def atoms(self) -> Iterator[str]:
        """All atoms that it asks for."""
        yield from (atom for clause in self.every for atom in clause)
        yield from self.never


def patterns(atom: str) -> list[str]:
    """The patterns of images in an atom."""
    return atom[len(ANY_IMAGE) :].split(" ")


def of_policy(policy: Policy) -> Selection:
    """What a policy's `match` asks."""
    found = _of(policy.spec.match, ANY_IMAGE, KIND)
    if not policy.namespace:
        return found
    return Selection(((NAME + policy.namespace,), *found.every), found.never)


def of_scope(scope: Match) -> Selection:
    """What the scope of an exception asks: all images, as it widens."""
    return _of(scope, ALL_IMAGES, SCOPED_KIND)


def _of(match: Match, image: str, kind: str) -> Selection:
    namespaces = _of_namespaces(match.namespaces) if match.namespaces else Selection()
    listed = (
        (ACCOUNT, match.serviceAccounts),
        (USER, match.users),
        (GROUP, match.groups),
        (kind, match.kinds),
    )
    every = (
        *namespaces.every,
        *((f"{POD_LABEL}{key}={value}",) for key, value in match.podLabels.items()),
        *(tuple(prefix + value for value in values) for prefix, values in listed if values),
        *(((image + " ".join(match.images),),) if match.images else ()),
    )
    return Selection(every, namespaces.never)


def _of_namespaces(match: NamespaceMatch) -> Selection:
    every: list[tuple[str, ...]] = [(f"{NAMESPACE_LABEL}{key}={value}",) for key, value in match.labels.items()]
    never: list[str] = []
    if match.names:
        every.insert(0, tuple(NAME + each for each in match.names))
    for asked in match.expressions:
        values = tuple(f"{NAMESPACE_LABEL}{asked.key}={value}" for value in asked.values)
        match asked.operator:
            case "In":
                every.append(values)
            case "NotIn":
                never += values
            case "Exists":
                every.append((NAMESPACE_KEY + asked.key,))
            case _:
                never.append(NAMESPACE_KEY + asked.key)
    return Selection(tuple(every), tuple(never))


@dataclass(frozen=True, slots=True)
class Index:
    """Which selections may hold: by the namespace's name, by one of its labels, and those that always may.

    `rest` is what remains to be looked at of each.
    """

    by_name: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    by_label: dict[str, dict[str, list[int]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    always: list[int] = field(default_factory=list)
    rest: list[Selection] = field(default_factory=list)

    @property
    def most(self) -> int:
        """How many at most may hold in one namespace."""
        tables = (self.by_name, *self.by_label.values())
        return len(self.always) + sum(max(map(len, each.values()), default=0) for each in tables)


def index(selections: Sequence[Selection]) -> Index:
    """The index of these selections, which are numbered in their order (rule 4)."""
    made = Index()
    for number, selection in enumerate(selections):
        clause = _indexed(selection)
        made.rest.append(Selection(tuple(each for each in selection.every if each != clause), selection.never))
        if clause is None:
            made.always.append(number)
        for atom in dict.fromkeys(clause or ()):
            if atom.startswith(NAME):
                made.by_name[atom.removeprefix(NAME)].append(number)
            else:
                key, _, value = atom.removeprefix(NAMESPACE_LABEL).partition("=")
                made.by_label[key][value].append(number)
    return made


def _indexed(selection: Selection) -> tuple[str, ...] | None:
    """The clause to find the selection by."""
    for prefix in (NAME, NAMESPACE_LABEL):
        for clause in selection.every:
            if all(atom.startswith(prefix) for atom in clause):
                return clause
    return None
