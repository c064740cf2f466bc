"""Custom resource definitions: what a cluster serves of them, and which version shows that it holds Pod templates.

A definition's versions may differ, and one of them may say less than another of what the same objects hold: of those
that are served any counts.
"""

from __future__ import annotations

import msgspec

from casemate.sources.shape import embeds_pods


class Names(msgspec.Struct, frozen=True):
    """What the objects are called."""

    kind: str
    plural: str


class Version(msgspec.Struct, frozen=True):
    """One version of the objects."""

    name: str
    served: bool = False
    schema: dict[str, object] | None = None


class Definition(msgspec.Struct, frozen=True):
    """The `spec` of a CustomResourceDefinition."""

    group: str
    names: Names
    scope: str = "Namespaced"
    versions: tuple[Version, ...] = ()

    @property
    def served(self) -> tuple[Version, ...]:
        """The versions that can be asked for."""
        return tuple(each for each in self.versions if each.served)

    @property
    def with_pods(self) -> Version | None:
        """The first version that is served and can hold Pod specifications."""
        return next((each for each in self.served if embeds_pods(each.schema)), None)
