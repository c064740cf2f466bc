"""What Prometheus is told.

1. Counters are kept in files, one per process: they add up over all workers, and a worker that takes another's place
   takes over its numbers.
2. Gauges say how things are now. The controller alone knows, and forgets them with what they were about: they are in
   no file, where they would outlive it.
3. Labels are from small sets: paths, operations, decisions, rules, policies, and namespaces in the audit.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Final

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, multiprocess, values

_BUCKETS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0)
CONTENT_TYPE: Final = prometheus_client.CONTENT_TYPE_LATEST


class _Role:
    name = "master"


def take_role(name: str) -> None:
    """Count in the files of that process from now on. At no time may two processes have one name."""
    _Role.name = name


class Counters:
    """What is counted in several processes, in files of a folder. To be made once, before processes are forked."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for each in folder.glob("*.db"):
            each.unlink()
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
        shared = values.MultiProcessValue(lambda: _Role.name)  # type: ignore[no-untyped-call]

        def value(kind: str, *rest: object, **more: object) -> object:
            """Where a number is kept: gauges in this process alone (rule 2), also those whose labels come later."""
            return (values.MutexValue if kind == "gauge" else shared)(kind, *rest, **more)

        values.ValueClass = value
        kept = CollectorRegistry()
        labels = ("path", "operation", "decision")
        self.requests = Counter("casemate_admission_requests", "Requests judged.", labels, registry=kept)
        labels = ("policy", "rule", "mode")
        self.reasons = Counter("casemate_admission_reasons", "Reasons that verdicts gave.", labels, registry=kept)
        self.refused = Counter("casemate_admission_refused", "Calls refused unjudged.", ("why",), registry=kept)
        self.seconds = Histogram(
            "casemate_admission_seconds", "Time to judge one request.", ("path",), buckets=_BUCKETS, registry=kept
        )
        self.restarts = Counter("casemate_restarts", "Processes started anew.", ("role",), registry=kept)


class Gauges:
    """How things are, for the controller to set."""

    def __init__(self) -> None:
        self._kept = CollectorRegistry()
        self.bites = self._gauge("policy_bites", "1: a probe was denied as it must be. 0: let through.", "policy rule")
        self.violations = self._gauge("audit_violations", "Workloads that policies refuse.", "namespace policy rule")
        self.audited = self._gauge("audit_seconds", "When the last audit ended (Unix seconds).", "")
        self.revision = self._gauge("policy_revision", "Number of the rules that were published last.", "")
        self.policies = self._gauge("policies", "Policies and exceptions.", "kind state")
        self.expires = self._gauge("certificate_expires_seconds", "When it ends (Unix seconds).", "which")
        self.workers = self._gauge("workers", "Workers that apply the last rules.", "")
        self.gaps = self._gauge("webhook_gaps", "What the webhook configurations lack.", "")
        self.unasked = self._gauge("unasked_kinds", "Custom resources with Pod templates that nobody asks about.", "")
        self.leader = self._gauge("leader", "1 in the replica that audits, probes and reports.", "")

    def _gauge(self, name: str, text: str, labels: str) -> Gauge:
        return Gauge(f"casemate_{name}", text, labels.split(), registry=self._kept)

    @staticmethod
    def forget(gauge: Gauge) -> None:
        """Drop all of a gauge's values. They are this process' alone, whatever the library fears."""
        with warnings.catch_warnings(action="ignore"):
            gauge.clear()

    def exposition(self) -> bytes:
        """Everything, counters of all processes too, as Prometheus reads it."""
        counted = CollectorRegistry()
        multiprocess.MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
        return prometheus_client.generate_latest(counted) + prometheus_client.generate_latest(self._kept)
