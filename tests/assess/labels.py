"""Labels of the workloads in `labelled/`: what a person says that each needs and has, and why.

Each file holds one label document, then manifests as a chart renders them. A label was written before anybody looked at
casemate's answer. Where a word stands in a list, the first is the labeller's choice and the others can be defended too;
what is not named is not judged.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import yaml

from casemate.catalogue import tables
from casemate.decide.assess import assess
from casemate.model.assessment import Assessed, Blocker, Outcome
from casemate.model.kube.meta import ObjectMeta
from casemate.model.kube.objects import RuntimeClass
from casemate.model.surroundings import Surroundings
from casemate.model.workload import Workload
from casemate.sources.workloads import collect

FOLDER = Path(__file__).parent / "labelled"
_SEPARATOR = "\n---\n"
_HANDLERS = {"gvisor": "runsc"}
_CLASS = "under-test"


class Under(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stops a workload under a runtime, by parts of paths. `fails` is complete unless there may be `more`.

    `breaks` either fails or differs: sources disagree.
    """

    fails: tuple[str, ...] | None = None
    differs: tuple[str, ...] = ()
    breaks: tuple[str, ...] = ()
    more: bool = False


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One workload's label."""

    workload: str
    need: str | tuple[str, ...]
    has: str | tuple[str, ...]
    why: str
    gap: bool | None = None
    state: str | None = None
    closes: bool | None = None
    recommend: str | None = None
    blockers: dict[str, Under] = {}
    findings: tuple[str, ...] = ()
    leftovers: bool = False
    disputed: str = ""

    def allows(self, question: str, answer: object) -> bool:
        """Whether an answer to `need` or `has` is one of those that the label accepts."""
        accepted = getattr(self, question)
        return str(answer) in ((accepted,) if isinstance(accepted, str) else accepted)


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first document of a labelled file."""

    kind: str
    expect: tuple[Expected, ...]


@dataclass(frozen=True)
class Labelled:
    """A workload with its label and what stands next to it."""

    file: str
    expected: Expected
    workload: Workload
    surroundings: Surroundings

    def assessed(self) -> Assessed:
        """casemate's answer."""
        return assess(self.workload, self.surroundings, tables.load())

    def blockers_under(self, runtime: str) -> tuple[Blocker, ...]:
        """What does not simply work when the workload names a class of that runtime."""
        named = RuntimeClass(metadata=ObjectMeta(name=_CLASS), handler=_HANDLERS.get(runtime, runtime))
        around = msgspec.structs.replace(self.surroundings, runtime_classes=(*self.surroundings.runtime_classes, named))
        spec = msgspec.structs.replace(self.workload.spec, runtimeClassName=_CLASS)
        answer = assess(msgspec.structs.replace(self.workload, spec=spec), around, tables.load())
        return tuple(each for each in answer.blockers if each.runtime == runtime)


def of_outcome(blockers: tuple[Blocker, ...], outcome: Outcome) -> tuple[str, ...]:
    """The paths of blockers with that outcome."""
    return tuple(each.path for each in blockers if each.outcome is outcome)


def labelled(folder: Path = FOLDER) -> Iterator[Labelled]:
    """All labelled workloads. A label without its workload, or a workload without a label, is an error of the set."""
    for file in sorted(folder.glob("*.yaml")):
        written, _, manifests = file.read_text().partition(_SEPARATOR)
        label = msgspec.convert(yaml.safe_load(written), Label)
        collected = collect(["-"], io.BytesIO(manifests.encode()))
        found = {each.title: each for each in collected.workloads}
        wanted = {each.workload for each in label.expect}
        if found.keys() != wanted:
            raise ValueError(f"{file}: labels and workloads differ in {sorted(found.keys() ^ wanted)}")
        for each in label.expect:
            yield Labelled(file.stem, each, found[each.workload], collected.surroundings)
