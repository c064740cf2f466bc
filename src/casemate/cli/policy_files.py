"""From the arguments of policy commands to a policy set: what all of them share."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from casemate.catalogue import tables
from casemate.errors import InputError
from casemate.model.policy import PolicySettings
from casemate.model.surroundings import Surroundings
from casemate.policy.evaluate import PolicySet
from casemate.sources import policies
from casemate.sources.objects import FileObject
from casemate.sources.policies import PolicyInput
from casemate.sources.surroundings import Neighbours


@dataclass(frozen=True)
class Known:
    """Policies as written, compiled, and what is known beside them."""

    written: PolicyInput
    compiled: PolicySet
    surroundings: Surroundings


def read(files: Sequence[str]) -> PolicyInput:
    """The documents of `--policy`. Raises `InputError` when there is no policy."""
    found = policies.load(files, sys.stdin.buffer)
    if not found.policies:
        fix = "begin with apiVersion: casemate.dev/v1alpha1 and kind: IsolationPolicy"
        raise InputError("no IsolationPolicy in it", where=", ".join(files), fix=fix)
    return found


def known(written: PolicyInput, beside: Sequence[FileObject] = ()) -> Known:
    """The policies with classes, nodes and namespaces that stand beside them or among the objects."""
    surroundings = merged(written.surroundings, _around(beside))
    compiled = PolicySet(written.policies, written.exceptions, surroundings, tables.load(), PolicySettings())
    return Known(written, compiled, surroundings)


def merged(first: Surroundings, second: Surroundings) -> Surroundings:
    """Both together; the second knows more, so that its word counts."""
    names = {each.metadata.name for each in second.runtime_classes if each.metadata}
    classes = [each for each in first.runtime_classes if each.metadata and each.metadata.name not in names]
    return replace(
        second,
        runtime_classes=(*classes, *second.runtime_classes),
        nodes=second.nodes or first.nodes,
        namespaces={**first.namespaces, **second.namespaces},
        use=first.use.beside(second.use) if first.use else second.use,
    )


def _around(objects: Sequence[FileObject]) -> Surroundings:
    neighbours = Neighbours()
    for each in objects:
        neighbours.take(each.value)
    return neighbours.around((), complete=False)
