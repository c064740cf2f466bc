"""`python -m benchmarks.admission`: measure, print, and write docs/benchmarks-admission.md.

Each part can be measured alone (`--only`). What was found is kept in benchmarks/admission.json; the page is made of it.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import benchmarks.admission as method
from benchmarks.admission.page import page

Json = dict[str, Any]

ROOT = Path(__file__).parents[2]
FOUND = ROOT / "benchmarks" / "admission.json"
PAGE = ROOT / "docs" / "benchmarks-admission.md"
TOOLS = ("casemate", "gatekeeper", "kyverno")


def main() -> None:
    given = _arguments()
    found = {} if given.draft else _kept()
    for part in given.only or PARTS:
        before = _load()
        result = PARTS[part](given)
        machine = {"before": before, "after": _load(), "processors": os.cpu_count(), "day": _today()}
        found[part] = {**result, "machine": machine}
        if not given.draft:
            FOUND.write_text(json.dumps(found, indent=1) + "\n")
            PAGE.write_text(page(found))
    print(page(found))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.admission", description=method.__doc__)
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--rounds", type=int, default=5, help="of webhooks and native policies")
    parser.add_argument("--seconds", type=float, default=4.0, help="of a webhook's turn")
    parser.add_argument("--tools", choices=TOOLS, nargs="+", default=TOOLS)
    parser.add_argument("--namespaces", type=int, nargs="+", default=[10, 4000])
    parser.add_argument("--policies", choices=("one", "hundred", "everywhere"), nargs="+", default=["one", "hundred"])
    parser.add_argument("--draft", action="store_true", help="print only")
    return parser.parse_args()


def _webhook(given: argparse.Namespace) -> Json:
    from benchmarks.admission import webhooks

    return webhooks.measure(given.rounds, given.seconds, given.tools)


def _native(given: argparse.Namespace) -> Json:
    from benchmarks.admission import native

    return {"found": native.measure(given.rounds, given.namespaces, ("none", *given.policies))}


def _evaluator(_given: argparse.Namespace) -> Json:
    from benchmarks.admission import evaluator

    return {"found": evaluator.measure()}


PARTS: dict[str, Callable[[argparse.Namespace], Json]] = {
    "evaluator": _evaluator,
    "webhook": _webhook,
    "native": _native,
}


def _kept() -> Json:
    return json.loads(FOUND.read_text()) if FOUND.exists() else {}


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def _today() -> str:
    return datetime.datetime.now(tz=datetime.UTC).date().isoformat()


if __name__ == "__main__":
    main()
