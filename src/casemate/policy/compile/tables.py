"""What each policy says of each class, worked out when it is compiled: CEL sees a class's name and no handler.

1. Policies are numbered from the strongest default down, then by title: the smallest number that matches decides.
2. The classes are those of the RuntimeClass objects given and those that documents name. They are taken for all there
   are: any other reaches no boundary and fits no entry but one by its name.
3. So the tables hold as long as the objects do. The anchors keep others from changing them; after a change of yours,
   compile again. Until then a new class is refused wherever boundaries or labels are asked for: stricter, never weaker.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from casemate.catalogue.tables import Catalogue
from casemate.model.boundary import Boundary
from casemate.model.policy import Mode, Permit, Policy, PolicyException, PolicySettings
from casemate.model.surroundings import Surroundings
from casemate.policy.classes import ClassFacts
from casemate.policy.evaluate import PolicySet
from casemate.policy.permitted import compiled


@dataclass(frozen=True, slots=True)
class Tables:
    """Policies by number with everything that is known of classes.

    `complete`: no other class exists. `namespace_keys` and `class_keys` are of labels that policies lean on.
    """

    policies: tuple[Policy, ...]
    exceptions: tuple[PolicyException, ...]
    classes: tuple[ClassFacts, ...]
    settings: PolicySettings
    complete: bool
    namespace_keys: tuple[str, ...]
    class_keys: tuple[str, ...]

    def without_rights(self) -> Tables:
        """The same without what policies ask of rights."""
        policies = (replace(each, spec=replace(each.spec, rbac=None)) for each in self.policies)
        return dataclasses.replace(self, policies=tuple(policies))

    def names(self, holds: Callable[[ClassFacts], bool]) -> list[str]:
        """The names of classes of which something holds."""
        return [each.name for each in self.classes if holds(each)]

    def numbers(self, holds: Callable[[Policy], bool]) -> list[int]:
        """The numbers of policies of which something holds."""
        return [number for number, each in enumerate(self.policies) if holds(each)]

    def of_mode(self, mode: Mode) -> list[int]:
        """The numbers of the policies of a mode."""
        return self.numbers(lambda each: each.spec.mode is mode)

    def facts(self, name: str) -> ClassFacts:
        """What is known of a class that is in the tables."""
        return next(each for each in self.classes if each.name == name)

    def permitted(self, policy: Policy) -> list[str]:
        """The classes that a policy permits."""
        return self.names(compiled(policy.spec.permitted).permits)

    def reaching(self, least: str) -> list[str]:
        """The classes whose boundary is at least that."""
        wanted = Boundary.parse(least)
        return self.names(lambda each: each.boundary >= wanted)


def tabulated(
    policies: Sequence[Policy],
    exceptions: Sequence[PolicyException],
    surroundings: Surroundings,
    catalogue: Catalogue,
    settings: PolicySettings,
) -> Tables:
    """The tables of these documents."""
    found = PolicySet(policies, exceptions, replace(surroundings, complete=True), catalogue, settings)
    classes = found.classes
    names = dict.fromkeys(("", *classes.names, *_named(policies, exceptions)))
    numbered = sorted(policies, key=lambda each: (-classes.facts(each.spec.default).boundary, each.title))
    with_default = [each for each in numbered if each.spec.default]
    without = [each for each in numbered if not each.spec.default]
    return Tables(
        policies=(*with_default, *without),
        exceptions=tuple(exceptions),
        classes=tuple(map(classes.facts, names)),
        settings=settings,
        complete=surroundings.complete,
        namespace_keys=tuple(sorted(found.namespace_keys)),
        class_keys=tuple(sorted(found.class_keys)),
    )


def _named(policies: Sequence[Policy], exceptions: Sequence[PolicyException]) -> Iterator[str]:
    for policy in policies:
        yield policy.spec.default
        for entry in policy.spec.permitted or ():
            yield entry.name or "" if isinstance(entry, Permit) else entry
    for exception in exceptions:
        yield from exception.spec.permitted
