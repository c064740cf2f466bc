"""Phrases that several reports have in common."""

from __future__ import annotations

from casemate.model.assessment import Cost, Has

_MIB = 1024 * 1024


def cost(cost: Cost) -> str:
    """What a runtime costs per Pod, in words; empty when nothing is known."""
    parts = [
        f"{cost.memory / _MIB:.0f} MiB" if cost.memory is not None else "",
        f"{cost.cpu} m CPU" if cost.cpu is not None else "",
        f"{cost.start_seconds:g} s to start" if cost.start_seconds is not None else "",
    ]
    said = ", ".join(part for part in parts if part)
    return f"{said} ({cost.source})" if said and cost.source else said


def route(has: Has) -> str:
    """Class → handler → runtime, and how sure that is."""
    return f"{has.class_name or '(default class)'} → {has.handler or '?'} → {has.runtime or 'unknown'}, {has.state}"
