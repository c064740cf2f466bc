"""Bytes to sources to assessment to every report and fix: what breaks is kept.

    python tests/assess/fuzz.py --minutes 30 [--seed 1] [--only cluster]

Seeds lie in `seeds/`, one folder for each kind of input (`fuzz_targets`): inputs of all sorts, and every one that once
broke something, named `broke-…`. An input that breaks something now is made small and written there; keep it. Each
round takes a seed and changes bytes, lines, values or branches of its YAML.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fuzz_changes import changed
from fuzz_targets import TARGETS, Target, at

SLOW_SECONDS: Final = 10.0
_SHRINKING_SECONDS: Final = 20.0


class TooSlowError(Exception):
    """An input of a few kilobytes must not take this long."""


@dataclass
class Run:
    """What came of some minutes: rounds, those with something to report, and what broke, each kind of failure once."""

    rounds: Counter[str] = field(default_factory=Counter)
    reported: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    broke: dict[str, Path] = field(default_factory=dict)


def trial(target: Target, data: bytes) -> bool:
    """One input, within the time that it may take."""
    began = time.perf_counter()
    reported = target.trial(data)
    if (took := time.perf_counter() - began) > SLOW_SECONDS:
        raise TooSlowError(f"{took:.1f} s for {len(data)} bytes")
    return reported


def fuzz(seconds: float, chance: random.Random, only: Sequence[str] = ()) -> Run:
    """Try changed seeds of some targets, or of all, until the time is over."""
    run = Run()
    chosen = {name: target for name, target in TARGETS.items() if not only or name in only}
    known = {name: target.seeds() for name, target in chosen.items()}
    order = [name for name, target in chosen.items() for _ in range(target.share)]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        name = chance.choice(order)
        _round(run, name, changed(known[name], chance))
    return run


def _round(run: Run, name: str, data: bytes) -> None:
    run.rounds[name] += 1
    began = time.perf_counter()
    try:
        run.reported[name] += trial(TARGETS[name], data)
        run.slowest = max(run.slowest, time.perf_counter() - began)
    except Exception as error:  # noqa: BLE001 - any exception is the finding
        failure = at(error)
        key = f"{name}: {failure}"
        if key not in run.broke:
            small = smaller(data, lambda less: _ends_so(TARGETS[name], less, failure))
            run.broke[key] = _keep(TARGETS[name], small)
            print(f"{key}: {error} → {run.broke[key]}", file=sys.stderr, flush=True)


def _ends_so(target: Target, data: bytes, failure: str) -> bool:
    try:
        trial(target, data)
    except Exception as error:  # noqa: BLE001 - any exception is the finding
        return at(error) == failure
    return False


def smaller(data: bytes, still: Callable[[bytes], bool]) -> bytes:
    """The input without the lines, then without the bytes, that do not matter to how it ends."""
    end = time.monotonic() + _SHRINKING_SECONDS
    for separator in (b"\n", b""):
        parts = data.split(separator) if separator else [bytes([each]) for each in data]
        size = max(len(parts) // 2, 1)
        while time.monotonic() < end:
            for begin in range(0, len(parts), size):
                less = parts[:begin] + parts[begin + size :]
                if len(less) < len(parts) and still(separator.join(less)):
                    parts = less
                    break
                if time.monotonic() > end:
                    break
            else:
                if size == 1:
                    break
                size = max(size // 2, 1)
        data = separator.join(parts)
    return data


def _keep(target: Target, data: bytes) -> Path:
    kept = target.folder / f"broke-{hashlib.sha256(data).hexdigest()[:12]}"
    kept.write_bytes(data)
    return kept


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz for some minutes; 1 when something broke."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=time.time_ns())
    parser.add_argument("--only", action="append", choices=list(TARGETS), default=[])
    given = parser.parse_args(arguments)
    run = fuzz(given.minutes * 60, random.Random(given.seed), given.only)
    for name, rounds in run.rounds.items():
        print(f"{name}: {rounds} inputs, {run.reported[name]} with something to report")
    total = run.rounds.total()
    print(f"seed {given.seed}: {total} inputs, {len(run.broke)} kinds of failure, {run.slowest:.1f} s at most")
    return bool(run.broke)


if __name__ == "__main__":
    raise SystemExit(main())
