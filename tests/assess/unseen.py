"""Labels of public charts' workloads beside casemate's answers: `python tests/assess/unseen.py` prints the comparison.

The labels (unseen.yaml) were written before casemate was asked, and the weights before the labels: this set tells what
the regression set of `labelled/`, which the weights were calibrated with, cannot.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import charts
import msgspec
import yaml
from labels import Expected, Labelled, Under, of_outcome

from casemate.model.assessment import Blocker, Outcome
from casemate.model.workload import Workload
from casemate.sources.workloads import Collected, collect

LABELS: Final = Path(__file__).with_name("unseen.yaml")
_NOTHING_FAILS: Final = {"gvisor": Under(fails=()), "kata-qemu": Under(fails=())}


class Unseen(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"source": "from"}):
    """One label. `at` is a part of the template's path where an object has several."""

    source: str
    workload: str
    need: str | tuple[str, ...]
    why: str
    at: str = ""
    under: dict[str, Under] = msgspec.field(default_factory=lambda: dict(_NOTHING_FAILS))
    disputed: dict[str, str] = {}

    @property
    def title(self) -> str:
        """What it is called among all."""
        return f"{self.source}: {self.workload}{f' {self.at}' if self.at else ''}"

    @property
    def accepted(self) -> tuple[str, ...]:
        """The needs that the labeller accepts, the choice first."""
        return (self.need,) if isinstance(self.need, str) else self.need


@dataclass(frozen=True)
class Compared:
    """A label with casemate's answers."""

    label: Unseen
    need: str
    has: str
    wrong: tuple[str, ...]

    @property
    def chosen(self) -> bool:
        """Whether the answer is the labeller's own choice."""
        return self.need == self.label.accepted[0]

    @property
    def agrees(self) -> bool:
        """Whether the answer can be defended at least."""
        return self.need in self.label.accepted


def labels() -> tuple[Unseen, ...]:
    """All labels."""
    return msgspec.convert(yaml.safe_load(LABELS.read_text()), tuple[Unseen, ...])


def compare(label: Unseen) -> Compared:
    """What casemate says of a labelled workload."""
    collected = _collected(label.source)
    expected = Expected(label.workload, label.need, "shared", label.why)
    case = Labelled(label.source, expected, _of(label), collected.surroundings)
    answer = case.assessed()
    wrong = tuple(
        f"{runtime}: {text}"
        for runtime, under in label.under.items()
        for text in _wrong(under, case.blockers_under(runtime))
    )
    return Compared(label, str(answer.need.boundary), str(answer.has.boundary), wrong)


def _wrong(under: Under, blockers: tuple[Blocker, ...]) -> Iterator[str]:
    """Where the blockers are not the label's."""
    fails, differs = (of_outcome(blockers, each) for each in (Outcome.FAILS, Outcome.DIFFERS))
    for wanted, paths, word in (
        (under.fails or (), fails, "fails"),
        (under.differs, differs, "differs"),
        (under.breaks, (*fails, *differs), "breaks"),
    ):
        yield from (f"{each} {word}, says the label" for each in wanted if not any(each in path for path in paths))
    expected = (*(under.fails or ()), *under.breaks)
    if under.fails is not None and not under.more:
        yield from (f"{path} fails, says casemate" for path in fails if not any(each in path for each in expected))


def _of(label: Unseen) -> Workload:
    named = [each for each in _collected(label.source).workloads if each.title.replace(" /", " ") == label.workload]
    found = [each for each in named if label.at in each.path]
    if len(found) != 1:
        raise ValueError(f"{label.title}: {len(found)} such workloads")
    return found[0]


@cache
def _collected(source: str) -> Collected:
    return collect([str(charts.folder() / f"{source}.yaml")], _NoStdin())


class _NoStdin:
    def read(self, _: int = -1) -> bytes:
        raise ValueError("nothing is read from standard input")


def main() -> None:
    """Print where the answers are not the labels, and how many are."""
    found = [compare(each) for each in labels()]
    for each in found:
        if not each.chosen or each.wrong:
            mark = "✓" if each.agrees and not each.wrong else "✗"
            accepted = " or ".join(each.label.accepted)
            print("\n    ".join((f"{mark} {each.label.title}: need {each.need}, label {accepted}", *each.wrong)))
    print(f"Of {len(found)} workloads, need is the label's choice in {sum(each.chosen for each in found)},")
    print(f"one that the label accepts in {sum(each.agrees for each in found)};")
    print(f"what fails under gVisor and Kata is as the label says in {sum(not each.wrong for each in found)}.")
    for word in ("shared", "hardened"):
        first = sum(each.label.accepted[0] == word for each in found)
        accepted = sum(word in each.label.accepted for each in found)
        print(f"Who says {word} of all of them has the choice of {first}, and what is accepted of {accepted}.")


if __name__ == "__main__":
    main()
