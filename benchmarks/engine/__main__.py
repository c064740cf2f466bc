"""`python -m benchmarks.engine`: measure, print tables with ratios, write JSON and docs/benchmarks.md."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.engine import ours, page, podman, raw
from benchmarks.engine.page import Row
from benchmarks.engine.pods import CLASSES, IMAGE, write_manifest
from casemate.engine import node as node_facts
from casemate.engine.known_handlers import load as load_handlers
from casemate.engine.paths import EnginePaths
from casemate.engine.settings import load_settings

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests" / "integration"))
NOT_MEASURED = "not measured"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine", description=__doc__)
    parser.add_argument("--pods", default="1,20,100", help="how many Pods, comma-separated")
    parser.add_argument("--handlers", default=",".join(CLASSES), help="which handlers, comma-separated")
    parser.add_argument("--rounds", type=int, default=3, help="rounds; 100 Pods are started in one round fewer")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "engine.json")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "benchmarks.md")
    parser.add_argument("--no-podman", action="store_true")
    chosen = parser.parse_args()
    paths = EnginePaths("bench")
    ours.call("engine", "install", "--yes", paths=paths)
    ours.call("engine", "start", paths=paths)
    before = round(os.getloadavg()[0], 1)
    try:
        with TemporaryDirectory(prefix="casemate-bench-") as folder:
            rows = list(measure(chosen, paths, Path(folder)))
        after = round(os.getloadavg()[0], 1)
    finally:
        ours.call("engine", "stop", paths=paths)
    document: page.Document = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "load": (before, after),
        "rows": rows,
    }
    chosen.output.write_text(json.dumps(document, indent=2) + "\n")
    chosen.page.write_text(page.page(document))
    print(page.table(rows), page.costs(rows), sep="\n\n")
    return 0


def measure(chosen: argparse.Namespace, paths: EnginePaths, folder: Path) -> Iterator[Row]:
    import recipes

    layout = recipes.images(folder)[IMAGE]
    warm = write_manifest(folder / "warm.yaml", 1, "runc")
    ours.call("run", "-f", str(warm), "--name", "warm", "--image", f"{IMAGE}={layout}", "--wait", "ready", paths=paths)
    ours.call("down", "warm", paths=paths)
    for handler in chosen.handlers.split(","):
        for count in map(int, chosen.pods.split(",")):
            rounds = chosen.rounds if count < 50 else max(1, chosen.rounds - 1)
            row = compare(handler, count, rounds, paths, folder, layout, with_podman=not chosen.no_podman)
            print(json.dumps(row), file=sys.stderr, flush=True)
            yield row


def compare(
    handler: str, count: int, rounds: int, paths: EnginePaths, folder: Path, layout: Path, *, with_podman: bool
) -> Row:
    """One row: the three ways take turns."""
    manifest = write_manifest(folder / f"{handler}-{count}.yaml", count, handler)
    plain = write_manifest(folder / f"{handler}-{count}-podman.yaml", count, handler, with_class=False)
    node, settings = node_facts.gather(), load_settings(paths)
    runtime = next(each.path for each in load_handlers(paths) if each.name == handler)
    raws: dict[int, list[float]] = {4: [], 8: []}
    costs: list[ours.Cost] = []
    peer = Peer(plain, count, runtime, layout, folder, "" if with_podman and podman.available() else NOT_MEASURED)
    for _ in range(rounds):
        for in_flight, times in raws.items():
            times.append(asyncio.run(raw.start_seconds(count, handler, in_flight, paths, settings, node)))
        costs.append(ours.start(manifest, paths))
        peer.take_turn()
    return row_of(handler, count, rounds, raws, costs) | peer.columns(statistics.median(cost.command for cost in costs))


@dataclass
class Peer:
    """podman's turns. What it cannot run as a Pod it runs as plain containers, reported apart."""

    manifest: Path
    count: int
    runtime: str
    layout: Path
    folder: Path
    failure: str
    play: list[float] = field(default_factory=list)
    alone: list[float] = field(default_factory=list)

    def take_turn(self) -> None:
        if not self.failure:
            try:
                one = podman.start_seconds(self.manifest, self.count, self.runtime, IMAGE, self.layout, self.folder)
                self.play.append(one)
            except RuntimeError as error:
                self.failure = str(error)
        if self.failure and self.failure != NOT_MEASURED:
            self.alone.append(podman.without_pod(self.count, self.runtime, IMAGE, self.folder))

    def columns(self, ours_seconds: float) -> Row:
        played = statistics.median(self.play) if self.play else None
        return {
            "podmanSeconds": round(played, 3) if played else None,
            "podmanOverCommand": round(played / ours_seconds, 2) if played else None,
            "podmanFailure": self.failure,
            "podmanRunSecondsWithoutPod": round(statistics.median(self.alone), 3) if self.alone else None,
        }


def row_of(handler: str, count: int, rounds: int, raws: dict[int, list[float]], costs: list[ours.Cost]) -> Row:
    by_flight = {in_flight: statistics.median(times) for in_flight, times in raws.items()}
    best, engine = min(by_flight.values()), statistics.median(cost.engine for cost in costs)
    command = statistics.median(cost.command for cost in costs)
    return {
        "handler": handler,
        "pods": count,
        "rounds": rounds,
        "rawSeconds": round(best, 3),
        "rawSecondsByInFlight": {str(key): round(value, 3) for key, value in by_flight.items()},
        "engineSeconds": round(engine, 3),
        "engineOverRaw": round(engine / best, 3),
        "commandSeconds": round(command, 3),
        "supervisorMebibytesPerPod": round(statistics.median(c.memory for c in costs) / count / 2**20, 3),
        "supervisorCpuMillisecondsPerPod": round(statistics.median(c.cpu for c in costs) / count * 1000, 1),
    }


def machine() -> dict[str, object]:
    def version(*command: str) -> str:
        program = shutil.which(command[0])
        lines = (
            subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines() if program else []
        )
        return lines[0] if lines else ""

    return {
        "cpus": os.cpu_count(),
        "kernel": platform.release(),
        "containerd": version("containerd", "--version"),
        "runc": version("runc", "--version"),
        "crun": version("crun", "--version"),
        "podman": version("podman", "--version"),
    }


if __name__ == "__main__":
    sys.exit(main())
