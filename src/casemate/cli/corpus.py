"""`casemate corpus`: play the bypass corpus against what decides."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from cyclopts import App, Parameter

from casemate import catalogue
from casemate.cli.options import Output
from casemate.errors import IncompleteError, InputError
from casemate.model.corpus import Corpus, Played
from casemate.model.policy import PolicySettings
from casemate.report.screen import Screen

Engine: TypeAlias = Literal["evaluator", "webhook", "native", "kyverno", "gatekeeper"]

app = App(name="corpus", help="Replay known ways around a policy.")


@app.command
def run(
    folder: Annotated[Path, Parameter(help="The corpus: setting.yaml, policies/ and cases/.")] = Path("corpus"),
    /,
    *,
    against: Annotated[Engine, Parameter(help="What decides.")] = "evaluator",
    kubeconfig: Annotated[str | None, Parameter(help="The trial cluster, which the corpus changes freely.")] = None,
    context: Annotated[str | None, Parameter(help="Its context in the kubeconfig.")] = None,
    output: Output = "table",
) -> int:
    """Play every case and name those that went otherwise than they should. Exit code 1 when one did.

    Anything but the evaluator decides inside a cluster, which has to be named: one for trials, where policies may come
    and go. Of webhook, kyverno and gatekeeper the engine has to run there already.
    """
    from casemate.report import corpus as report
    from casemate.sources import corpus

    loaded = corpus.load(folder)
    played = _played(loaded, against, kubeconfig, context)
    wrong = [each for each in played if each.wrong]
    if output == "json":
        sys.stdout.buffer.write(report.document(played, against) + b"\n")
        return int(bool(wrong))
    if wrong:
        Screen().print(report.table(wrong))
    print(report.summary(played, len(loaded.tries) - len(played)))
    return int(bool(wrong))


def _played(loaded: Corpus, against: Engine, kubeconfig: str | None, context: str | None) -> tuple[Played, ...]:
    if against == "evaluator":
        from casemate.admission.replay import replay

        return tuple(replay(loaded, catalogue.load(), PolicySettings()))
    if kubeconfig is None:
        fix = "name a cluster for trials with --kubeconfig: namespaces, classes and policies are made and removed there"
        raise InputError("no cluster is named, and none is taken by itself", where=f"--against {against}", fix=fix)
    import httpx

    from casemate.admission.replay_cluster import Trial
    from casemate.admission.replay_install import installer
    from casemate.sources.cluster_access import access

    reached = access(kubeconfig, context)
    try:
        with Trial(reached, installer(against, loaded, catalogue.load())) as trial:
            return tuple(trial.replay(loaded))
    except httpx.HTTPError as error:
        fix = "check the server's address, and that it runs; policies of the corpus may still be in force there"
        raise IncompleteError(f"the cluster does not answer: {error}", where=reached.server, fix=fix) from None
