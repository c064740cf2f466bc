"""What a class gives: its boundary, its labels, whether it exists, whether its name lies, whether a node has it.

1. Unset is what the node's default handler gives (`PolicySettings.default_handler`), and is permitted as any class of
   that handler is (`same`), and by the handler's own name where no class of another handler has taken it.
2. A known RuntimeClass is what its handler is, told apart by its node selector where managed variants share a name
   (`casemate.catalogue.runtimes`). A handler that the catalogue does not know is of unknown boundary.
3. Where the cluster is not completely known, an unknown class is what its name declares; in a known one it is missing.
4. A name lies when it promises more than the known handler gives.
5. A class has a node when one known node has all labels of its selector and does not say that it lacks the handler.
   Where no node is known, it has one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from casemate.catalogue.tables import Catalogue
from casemate.model.boundary import Boundary
from casemate.model.kube.objects import RuntimeClass
from casemate.model.policy import PolicySettings
from casemate.model.surroundings import Surroundings

_KEPT: Final = 4096


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """One class as far as policies ask. `declared`: only its name says so. `lies` and `homeless` are reasons, if so.

    `same` are, for unset, the classes of the same handler.
    """

    name: str
    boundary: Boundary
    handler: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    selector: Mapping[str, str] = field(default_factory=dict)
    missing: bool = False
    declared: bool = False
    lies: str = ""
    homeless: str = ""
    same: frozenset[str] = frozenset()


class Classes:
    """The classes of the same surroundings; equal questions are answered once."""

    def __init__(self, surroundings: Surroundings, catalogue: Catalogue, settings: PolicySettings) -> None:
        self._surroundings = surroundings
        self._runtimes = catalogue.runtimes
        self._default = settings.default_handler
        documents = surroundings.runtime_classes
        self._documents = {each.metadata.name: each for each in documents if each.metadata and each.metadata.name}
        self._known: dict[str, ClassFacts] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all RuntimeClasses that are known."""
        return tuple(self._documents)

    def facts(self, name: str) -> ClassFacts:
        """What the class of that name gives; the empty name is unset."""
        found = self._known.get(name)
        if found is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            found = self._known[name] = self._facts(name)
        return found

    def _facts(self, name: str) -> ClassFacts:
        if not name:
            return self._unset()
        document = self._documents.get(name)
        if document is not None:
            return self._documented(name, document)
        if self._surroundings.complete:
            return ClassFacts(name, Boundary.UNKNOWN, missing=True)
        return ClassFacts(name, self._runtimes.boundary_of_class(name), declared=True)

    def _unset(self) -> ClassFacts:
        named = frozenset(name for name, each in self._documents.items() if each.handler == self._default)
        same = named if self._default in self._documents else named | {self._default}
        return ClassFacts("", self._runtimes.boundary_of_handler(self._default), self._default, same=same)

    def _documented(self, name: str, document: RuntimeClass) -> ClassFacts:
        selector = document.scheduling.nodeSelector if document.scheduling else {}
        row = self._runtimes.of_handler(document.handler, selector)
        boundary = row.boundary if row else Boundary.UNKNOWN
        promised = self._runtimes.promised_by_class(name)
        lies = ""
        if promised > boundary:
            lies = f"its name promises {promised}, its handler {document.handler} gives {boundary}"
        return ClassFacts(
            name=name,
            boundary=boundary,
            handler=document.handler,
            labels=document.metadata.labels if document.metadata else {},
            selector=selector,
            lies=lies,
            homeless=self._homeless(document.handler, selector),
        )

    def _homeless(self, handler: str, selector: Mapping[str, str]) -> str:
        nodes = self._surroundings.nodes
        if not nodes:
            return ""
        fitting = [each for each in nodes if selector.items() <= each.labels.items()]
        if not fitting:
            labels = ", ".join(f"{key}={value}" for key, value in selector.items())
            return f"no node has the labels that it asks for ({labels})"
        if all(each.handlers is not None and handler not in each.handlers for each in fitting):
            return f"no node that it may land on has its handler {handler}"
        return ""
