"""Where runs of the same thing differ. Pure: `compare_run` makes the runs.

1. The first runtime is the reference; every other is compared with it alone.
2. A trial differs by how far it got, by a container's exit code, or by a line of output. Times and memory are told,
   and never make a difference: they are the price, not the behaviour.
3. Output is compared line by line, per container and stream; the first line that differs is shown of each stream.
   Under a runtime where nothing ran there is no output to compare.
4. A line that is otherwise in a second run under the reference itself (a date, an address, a random name) is no
   runtime's doing. Where a second run has another number of lines, nothing of that stream can be compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest

from casemate.model.comparison import Compared, Comparison, LineDifference, Trial

_Output = Mapping[str, tuple[str, ...]]


def compare(trials: Sequence[Trial], again: Trial | None = None) -> Comparison:
    """Compare trials with the first of them; `again` is a second run under the first's runtime (rule 4)."""
    reference, *others = trials
    steady = _Steady(reference.output, again.output if again else reference.output)
    compared = (_compared(each, reference, steady) for each in others)
    return Comparison(items=(Compared(trial=reference), *compared), unsteady=steady.unsteady)


def differs_in_output(trials: Sequence[Trial]) -> bool:
    """Whether a second run under the reference is worth while."""
    return any(each.lines for each in compare(trials).items)


class _Steady:
    """Which lines of the reference are the same from run to run."""

    def __init__(self, first: _Output, second: _Output) -> None:
        self._first, self._second = first, second
        self.unsteady = tuple(sorted(key for key in {*first, *second} if first.get(key) != second.get(key)))

    def counts(self, stream: str, line: int) -> bool:
        """Whether a difference in that line (from 0) is a runtime's doing."""
        first, second = self._first.get(stream, ()), self._second.get(stream, ())
        if len(first) != len(second):
            return False
        return line >= len(first) or first[line] == second[line]


def _compared(trial: Trial, reference: Trial, steady: _Steady) -> Compared:
    lines = tuple(_lines(trial, reference, steady)) if trial.ran and reference.ran else ()
    differs = [
        *(["outcome"] if trial.ending is not reference.ending else []),
        *(["exit code"] if trial.exit_codes != reference.exit_codes else []),
        *(["output"] if lines else []),
    ]
    return Compared(trial=trial, differs=tuple(differs), lines=lines)


def _lines(trial: Trial, reference: Trial, steady: _Steady) -> Iterator[LineDifference]:
    for key in sorted({*reference.output, *trial.output}):
        pairs = zip_longest(reference.output.get(key, ()), trial.output.get(key, ()))
        for number, (expected, found) in enumerate(pairs):
            if expected != found and steady.counts(key, number):
                container, _, stream = key.rpartition("/")
                yield LineDifference(
                    container=container, stream=stream, line=number + 1, reference=expected, found=found
                )
                break
