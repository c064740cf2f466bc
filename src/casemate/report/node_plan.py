"""A plan for a node and how it was carried out, as text and as JSON."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

import yaml

from casemate.model.node_plan import FileChange, Measured, Outcome, Plan, PlannedHandler, Restart
from casemate.report.answer import answer, encoded

LABEL = "node.casemate.dev/"
_MIB = 1 << 20


def plan_text(plan: Plan) -> str:
    """The plan as a person reads it: diffs, the restart, the classes."""
    return "\n".join(_plan_lines(plan)) + "\n"


def plan_json(plan: Plan) -> str:
    """`kind: NodePlan` with one item per file (DESIGN.md section 4)."""
    return _json(
        answer(
            "NodePlan",
            config=plan.config_file,
            socket=plan.socket,
            restart=_restart(plan.restart),
            handlers=[_handler(each) for each in plan.handlers],
            notes=list(plan.notes),
            items=[
                {"path": each.path, "why": each.why, "diff": "\n".join(_diff(each)), "after": each.after}
                for each in plan.changes
            ],
        )
    )


def outcome_text(outcome: Outcome) -> str:
    """What was done, what handlers cost, and RuntimeClasses to create: after a trial YAML for `kubectl apply`."""
    lines = [f"changed {path}" for path in outcome.changed] or ["nothing was to be changed"]
    lines += [f"others changed {path} since: their changes stayed" for path in outcome.kept_edits]
    lines += [_measured(each) for each in outcome.measured]
    if not outcome.measured:
        return "\n".join(lines) + "\n"
    classes = runtime_classes(outcome)
    said = "".join(f"# {' '.join(line.split())}\n" for line in lines)
    return f"{said}---\n{yaml.safe_dump_all(classes, sort_keys=False)}" if classes else said


def outcome_json(outcome: Outcome) -> str:
    """`kind: NodeOutcome` with one item per handler."""
    measured = {each.handler: each for each in outcome.measured}
    return _json(
        answer(
            "NodeOutcome",
            changed=list(outcome.changed),
            recovered=outcome.recovered,
            keptEdits=list(outcome.kept_edits),
            items=[_handler(each) | _cost(measured.get(each.name)) for each in outcome.handlers],
            runtimeClasses=runtime_classes(outcome),
        )
    )


def runtime_classes(outcome: Outcome) -> list[dict[str, object]]:
    """RuntimeClasses for the handlers that were measured: on prepared nodes only, with what their Pods cost."""
    measured = {each.handler: each for each in outcome.measured if not each.reason}
    return [_runtime_class(each, measured[each.name]) for each in outcome.handlers if each.name in measured]


def _runtime_class(handler: PlannedHandler, measured: Measured) -> dict[str, object]:
    made: dict[str, object] = {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": handler.class_name},
        "handler": handler.name,
        "scheduling": {"nodeSelector": {f"{LABEL}{handler.name}": "ready"}},
    }
    mebibytes = -(-measured.overhead // _MIB)
    return made | ({"overhead": {"podFixed": {"memory": f"{mebibytes}Mi"}}} if mebibytes else {})


def _plan_lines(plan: Plan) -> Iterator[str]:
    there = [each.name for each in plan.handlers if each.there]
    if there:
        yield f"there already: {', '.join(there)}"
    yield from plan.notes
    if plan.is_empty:
        yield "nothing is to be changed"
        return
    for change in plan.changes:
        yield f"# {change.why}"
        yield from _diff(change)
    yield f"restart: {_restart(plan.restart)}"


def _diff(change: FileChange) -> Iterator[str]:
    before = (change.before or "").splitlines()
    old = change.path if change.before is not None else "/dev/null"
    return difflib.unified_diff(before, change.after.splitlines(), old, change.path, lineterm="")


def _restart(restart: Restart) -> str:
    match restart.how:
        case "systemd":
            return f"systemctl restart {restart.unit}"
        case "command":
            return restart.command
        case "process":
            return f"end and start again: {' '.join(restart.arguments)}"
        case "none":
            return "none: the runtime reads it by itself"


def _handler(handler: PlannedHandler) -> dict[str, object]:
    return {
        "name": handler.name,
        "runtime": handler.runtime,
        "class": handler.class_name,
        "there": handler.there,
        "programs": list(handler.programs),
    }


def _cost(measured: Measured | None) -> dict[str, object]:
    if measured is None:
        return {}
    return {
        "memory": measured.memory,
        "overhead": measured.overhead,
        "startSeconds": measured.start_seconds,
        "defaultMemory": measured.default_memory,
        "defaultStartSeconds": measured.default_start_seconds,
        "tries": measured.tries,
        "reason": measured.reason,
    }


def _measured(each: Measured) -> str:
    if each.reason:
        return f"{each.handler}: not tried: {each.reason}"
    return (
        f"{each.handler}: works; a Pod starts in {each.start_seconds:.2f} s "
        f"(default {each.default_start_seconds:.2f} s) "
        f"and needs {each.memory / _MIB:.1f} MiB (default {each.default_memory / _MIB:.1f} MiB)"
    )


def _json(document: dict[str, object]) -> str:
    return encoded(document) + "\n"
