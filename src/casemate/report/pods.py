"""Runs and their Pods as a table and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
from rich.table import Table

from casemate.model.assessment import State
from casemate.model.boundary import Boundary
from casemate.model.decision import Decision
from casemate.model.proof import NOTHING_PROVEN, Proven
from casemate.model.status import Phase, PodStatus, RunStatus
from casemate.report.answer import answer, encoded
from casemate.report.screen import Screen, columns


def runs_json(runs: Iterable[RunStatus], decisions: Sequence[Decision] = (), proven: Proven = NOTHING_PROVEN) -> str:
    """`kind: RunResult` with one item per Pod (DESIGN.md section 4), and the classes that were decided."""
    items = [_item(run, pod, proven) for run in runs for pod in run.pods]
    document = answer("RunResult", items=items)
    if decisions:
        document["decisions"] = [_decision(each) for each in decisions]
    return encoded(document)


def _decision(decision: Decision) -> dict[str, str]:
    return {
        "workload": decision.workload,
        "runtimeClass": decision.runtime_class,
        "need": str(decision.need),
        "boundary": str(decision.boundary),
        "reason": decision.reason,
    }


def print_table(runs: Sequence[RunStatus], screen: Screen | None = None, proven: Proven = NOTHING_PROVEN) -> None:
    """Print the table of Pods to standard output."""
    screen = screen or Screen()
    screen.print(pods_table(runs, proven) if any(run.pods for run in runs) else "no Pods")


def print_decisions(decisions: Sequence[Decision], screen: Screen | None = None) -> None:
    """Print which class each workload got that named none, and why, to standard output."""
    screen = screen or Screen()
    table = columns("WORKLOAD", "CLASS", "NEEDS", "GETS", "WHY", folded=["WHY"])
    for each in decisions:
        given = each.runtime_class or "(default)"
        table.add_row(each.workload, given, str(each.need), str(each.boundary), each.reason)
    screen.print(table)


def pods_table(runs: Sequence[RunStatus], proven: Proven = NOTHING_PROVEN) -> Table:
    """Pod, class → handler, boundary, state, restarts, start time, IP; with the run's name when there are several."""
    several = len(runs) > 1
    namespaces = {pod.namespace for run in runs for pod in run.pods} != {"default"}
    names = ("POD", "CLASS → HANDLER", "BOUNDARY", "STATE", "RESTARTS", "START", "IP")
    table = columns(*(["RUN"] if several else []), *names, right=["RESTARTS", "START"])
    for run in runs:
        for pod in run.pods:
            state = proven.state(pod, run.created)
            table.add_row(*([run.name] if several else []), *_row(pod, state, with_namespace=namespaces))
    return table


def state_of(pod: PodStatus) -> str:
    """One word for how the Pod stands: its reason where there is one, else Ready, else its phase."""
    if pod.reason:
        return f"{pod.phase} ({pod.reason})" if pod.phase.final else pod.reason
    if pod.phase is Phase.FAILED:
        codes = ", ".join(f"{name} {code}" for name, code in pod.exit_codes.items() if code)
        return f"Failed ({codes})" if codes else "Failed"
    return "Ready" if pod.ready else str(pod.phase)


def boundary_of(pod: PodStatus) -> str:
    """The boundary; where the class promises another than its handler gives, both."""
    if pod.declared_boundary == pod.boundary:
        return str(pod.boundary)
    if pod.declared_boundary is Boundary.UNKNOWN:
        return f"{pod.boundary} (class unknown)"
    if pod.boundary < pod.declared_boundary:
        return f"{pod.boundary} (WEAKER than {pod.declared_boundary})"
    return f"{pod.boundary} (declared {pod.declared_boundary})"


def _row(pod: PodStatus, state: State, *, with_namespace: bool) -> list[str]:
    return [
        f"{pod.namespace}/{pod.name}" if with_namespace else pod.name,
        f"{pod.runtime_class or '(default)'} → {pod.handler}",
        f"{boundary_of(pod)}, proven" if state is State.PROVEN else boundary_of(pod),
        state_of(pod),
        str(pod.restarts),
        "" if pod.start_seconds is None else f"{pod.start_seconds:.2f} s",
        pod.ip,
    ]


def _item(run: RunStatus, pod: PodStatus, proven: Proven) -> dict[str, object]:
    return {
        "run": run.name,
        "name": pod.name,
        "namespace": pod.namespace,
        "uid": pod.uid,
        "owner": pod.owner,
        "runtimeClass": pod.runtime_class,
        "handler": pod.handler,
        "declaredBoundary": str(pod.declared_boundary),
        "boundary": str(pod.boundary),
        "boundaryState": str(proven.state(pod, run.created)),
        "phase": str(pod.phase),
        "reason": pod.reason,
        "message": pod.message,
        "ready": pod.ready,
        "restarts": pod.restarts,
        "exitCodes": pod.exit_codes,
        "startSeconds": pod.start_seconds,
        "ip": pod.ip,
        "containers": [msgspec.to_builtins(each) for each in pod.containers],
    }
