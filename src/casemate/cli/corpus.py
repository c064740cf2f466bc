"""`casemate corpus`: play the bypass corpus against what decides."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter
from rich.console import Console

from casemate import catalogue
from casemate.cli.options import Output
from casemate.model.policy import PolicySettings

app = App(name="corpus", help="Replay known ways around a policy.")


@app.command
def run(
    folder: Annotated[Path, Parameter(help="The corpus: setting.yaml, policies/ and cases/.")] = Path("corpus"),
    /,
    *,
    against: Annotated[Literal["evaluator"], Parameter(help="What decides.")] = "evaluator",
    output: Output = "table",
) -> int:
    """Play every case and name those that went otherwise than they should. Exit code 1 when one did."""
    from casemate.admission.replay import replay
    from casemate.report import corpus as report
    from casemate.sources import corpus

    loaded = corpus.load(folder)
    played = tuple(replay(loaded, catalogue.load(), PolicySettings()))
    wrong = [each for each in played if each.wrong]
    if output == "json":
        sys.stdout.buffer.write(report.document(played, against) + b"\n")
        return int(bool(wrong))
    if wrong:
        Console(soft_wrap=True).print(report.table(wrong))
    print(report.summary(played, len(loaded.tries) - len(played)))
    return int(bool(wrong))
