"""Proves honest handlers again and again under CPU load, and tells every one that was not proven.

    python benchmarks/prove_soak.py --engine NAME --rounds 200 --burners 4

Needs root and an engine that runs. Each round proves all working handlers; processes that only count keep the machine
busy meanwhile. Prints one JSON document: per handler how often it was proven, what kept it from being, and seconds.
Ends with 1 when an honest handler was not proven.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from casemate.engine import known_handlers
from casemate.engine.paths import EnginePaths
from casemate.engine.settings import load_settings
from casemate.model.proof import Result
from casemate.prove import session
from casemate.prove.session import Asked


def burn() -> None:
    """Keep a processor busy."""
    while True:
        sum(range(10_000))


@contextmanager
def load(burners: int) -> Iterator[None]:
    """Processes that burn, as long as the block runs."""
    processes = [multiprocessing.Process(target=burn, daemon=True) for _ in range(burners)]
    for each in processes:
        each.start()
    try:
        yield
    finally:
        for each in processes:
            each.kill()


def soak(engine: str, rounds: int, burners: int) -> dict[str, object]:
    """What became of `rounds` rounds of proofs on that engine."""
    paths = EnginePaths(engine)
    place = session.engine_place(paths, load_settings(paths))
    asked = Asked(handlers=tuple(each.name for each in known_handlers.load(paths) if each.works))
    results: defaultdict[str, Counter[str]] = defaultdict(Counter)
    seconds: defaultdict[str, list[float]] = defaultdict(list)
    reasons: list[dict[str, str]] = []
    with load(burners):
        for number in range(rounds):
            for proof in asyncio.run(session.prove(place, asked)):
                results[proof.handler][str(proof.result)] += 1
                seconds[proof.handler].append(proof.seconds)
                if proof.result is not Result.PROVEN:
                    reasons += [
                        {"handler": proof.handler, "id": each.id, "value": each.value} for each in proof.reasons
                    ]
            if number % 10 == 9:
                told = {name: dict(each) for name, each in results.items()}
                print(f"{number + 1} rounds, load {os.getloadavg()[0]:.1f}: {told}", file=sys.stderr, flush=True)
    return {
        "rounds": rounds,
        "burners": burners,
        "load": os.getloadavg(),
        "results": {name: dict(each) for name, each in results.items()},
        "seconds": {name: _figures(each) for name, each in seconds.items()},
        "reasons": reasons,
    }


def _figures(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "least": ordered[0],
        "median": round(statistics.median(ordered), 3),
        "p95": ordered[int(len(ordered) * 0.95) - 1],
        "most": ordered[-1],
    }


def main() -> int:
    """The exit code."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--engine", default="default")
    options.add_argument("--rounds", type=int, default=200)
    options.add_argument("--burners", type=int, default=2 * (os.cpu_count() or 1))
    chosen = options.parse_args()
    found = soak(chosen.engine, chosen.rounds, chosen.burners)
    print(json.dumps(found, indent=2))
    return 1 if found["reasons"] else 0


if __name__ == "__main__":
    sys.exit(main())
