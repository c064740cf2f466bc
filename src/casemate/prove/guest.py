"""What the prober's word from inside is worth (rules 1 and 9 of `casemate.prove.rules`)."""

from __future__ import annotations

from collections.abc import Iterator

from casemate.model.boundary import Boundary
from casemate.model.proof import Observation
from casemate.prove.facts import Facts
from casemate.prove.inside import GVISOR_LACKS, Report
from casemate.prove.kinds import Kind
from casemate.prove.observed import said

TOLD_ONLY = frozenset({"af-alg", "af-vsock", "io-uring"})
"""Attempts that default seccomp profiles of runtimes let succeed: told, and no mark of a liar."""

_ENOUGH_ENOSYS = 3


def from_inside(facts: Facts, kind: Kind) -> Iterator[Observation]:
    """What the prober reports, where there is a report."""
    report = facts.report
    if report is None:
        return
    same = bool(facts.processes.node.boot_id) and report.kernel.boot_id == facts.processes.node.boot_id
    told = f"{report.kernel.boot_id}, {'' if same else 'not '}the node's"
    yield said("boot-id", min(kind.boundary, Boundary.SHARED) if same else kind.boundary, told)
    yield said("kernel", kind.boundary, f"{report.kernel.release}; {report.kernel.version}; log: {report.kernel.log}")
    bare = kind is Kind.MACHINE and bool(report.machine.vendor) and not report.machine.hypervisor
    yield said("machine", Boundary.SHARED if bare else kind.boundary, _machine(report))
    open_ = sorted(path for path, error in report.surface.items() if not error)
    yield said("surface", kind.boundary, f"readable: {', '.join(open_) or 'nothing'}")
    if kind is Kind.GVISOR:
        lacking = [name for name in GVISOR_LACKS if report.calls.get(name) == "ENOSYS"]
        fits = len(lacking) >= _ENOUGH_ENOSYS
        value = f"unknown to it: {', '.join(lacking)}" if fits else "it answers as Linux does"
        yield said("calls", kind.boundary if fits else Boundary.SHARED, value)
    yield _escapes(report, kind)


def _escapes(report: Report, kind: Kind) -> Observation:
    begun = sorted(name for name, error in report.escapes.items() if not error)
    if kind is not Kind.CONTAINER:
        within = f"within its own kernel: {', '.join(begun)}" if begun else "all refused"
        return said("escapes", kind.boundary, within)
    grave = [name for name in begun if name not in TOLD_ONLY]
    if grave:
        return said("escapes", Boundary.UNKNOWN, f"on the node's kernel: {', '.join(grave)}")
    rest = f"; left open by the runtime's profile: {', '.join(begun)}" if begun else ""
    return said("escapes", Boundary.SHARED, f"{len(report.escapes) - len(begun)} refused{rest}")


def _machine(report: Report) -> str:
    seen = report.machine
    found = (seen.vendor, f"hypervisor {seen.hypervisor}" if seen.hypervisor else "no hypervisor", seen.dmi)
    return f"{', '.join(filter(None, found))}; {len(seen.devices)} devices, {seen.processes} processes"
