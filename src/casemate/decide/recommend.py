"""What closes the gap between need and has, at the least cost and without breaking the workload.

1. No gap: nothing to change. But where no class is named and the default handler cannot run it (a Wasm module), the
   class that can comes first, gap or not.
2. When `hardened` suffices and the workload can be hardened where it runs, that is it: it costs no memory.
3. Else the cheapest permitted runtime at or above need under which nothing `fails`: lowest boundary first, then memory,
   CPU and start. What the cluster has comes before what would have to be installed.
4. What behaves differently there is said: somebody has to test it or agree. A runtime that nobody tested the workload's
   features on is recommended only where the cluster or the user names it, and after all others.
5. When nothing closes the gap, the nearest that nothing breaks, on nodes of its own: a kernel that is shared with
   nothing else loses less (Kubernetes, Multi-tenancy, node isolation). The reason is what failed first.
6. While a door to the node is open, or an annotation reconfigures the sandbox, no runtime helps: closing it comes
   first. So does finding out what an unknown class is. Agents of the node keep their doors: no runtime can hold what
   manages the node, so the advice is to guard the agent.
7. A recommendation is a workload that was decided again with the change made: what it promises is what it would get.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from casemate.catalogue.rows import Runtime
from casemate.decide.classes import Resolved
from casemate.decide.fit import fails
from casemate.decide.has import PARTS
from casemate.decide.predicates import Answers
from casemate.model.assessment import Blocker, Cost, Has, Need, Outcome, Reason, Recommendation
from casemate.model.boundary import Boundary

_REMEDIES: Final = {part.id: part.remedy for part in PARTS if part.remedy}
_FIRST: Final = frozenset({"host-door", "reconfigured"})
_MOST: Final = max(Boundary)
_NAMED: Final = 3


@dataclass(frozen=True, slots=True)
class Case:
    """A workload under one class, as it is or hardened: what it would have, and what would break.

    `installed` is false when the cluster is known not to have the class yet; `offered` is true when somebody named the
    class: the cluster that has it, or the user who permits it.
    """

    resolved: Resolved
    answers: Answers
    has: Has
    blockers: tuple[Blocker, ...]
    hardened: bool = False
    installed: bool = True
    offered: bool = False

    @property
    def runtime(self) -> Runtime | None:
        """The row of its runtime."""
        return self.resolved.row

    @property
    def works(self) -> bool:
        """Whether nothing is known to fail."""
        return self.resolved.row is not None and not fails(self.blockers)

    @property
    def tested(self) -> bool:
        """Whether somebody saw every feature of the workload there."""
        return all(blocker.outcome is not Outcome.UNTESTED for blocker in self.blockers)


@dataclass(frozen=True, slots=True)
class Choice:
    """The case that is recommended, why, and which others failed on the way."""

    case: Case
    closes: bool
    sentence: str
    reasons: tuple[Reason, ...] = ()
    rejected: tuple[Case, ...] = ()


class Options(Protocol):
    """Ways to run the workload otherwise, decided when they are asked for."""

    def hardened(self) -> Case | None:
        """Hardened, where it runs; None where that is not permitted or its kernel is not shared."""

    def within(self, least: Boundary, most: Boundary) -> Iterable[Case]:
        """Under the other runtimes of these boundaries that may be recommended, cheapest first."""


def choose(now: Case, need: Need, options: Options, bound: str = "") -> Choice:
    """The recommendation for a workload that is in case `now`. `bound` says why its work ties it to the node, if so."""
    wanted = need.boundary
    if (able := _able(now, wanted, options)) is not None:
        return _instead(able, now)
    if now.has.boundary >= wanted:
        return Choice(now, True, _keep(now) if bound else _leave(now, wanted))
    if wanted is Boundary.HARDENED and (hardened := options.hardened()) and _closes(hardened, wanted):
        return Choice(hardened, True, _harden(now), _gap(now, need))
    first = next((reason for reason in now.has.reasons if reason.id in _FIRST), None)
    if first and first.id == "host-door" and bound:
        return _bound(now, need, bound)
    if first or not _is_known(now):
        strong = options.within(wanted, _MOST)
        return _first(now, need, first, next((case for case in strong if case.works and case.tested), None))
    passed: list[Case] = []
    for case in options.within(wanted, _MOST):
        if case.tested and _closes(case, wanted):
            return _other(case, now, need, passed)
        passed.append(case)
    untested = next((case for case in passed if case.offered and _closes(case, wanted)), None)
    if untested:
        return _other(untested, now, need, passed)
    return _bound(now, need, bound) if bound else _nearest(now, need, options, passed)


def _able(now: Case, wanted: Boundary, options: Options) -> Case | None:
    """What runs a workload that the default handler cannot run, and gives no less than it has or needs (rule 1)."""
    if now.resolved.name or now.runtime is None or now.works or any(each.id in _FIRST for each in now.has.reasons):
        return None
    strong = options.within(max(wanted, now.has.boundary), _MOST)
    return next((case for case in strong if case.works and case.tested), None)


def _instead(case: Case, now: Case) -> Choice:
    failing = next(each for each in now.blockers if each.outcome is Outcome.FAILS)
    why = f"it does not run under {_title(now)} ({failing.text})"
    lead = "Set" if case.installed else f"Install {_title(case)} and its RuntimeClass, then set"
    reason = Reason(id=failing.id, text=why, path=failing.path)
    return Choice(case, True, f"{lead} runtimeClassName: {case.resolved.name}: {why}.", (reason,))


def _other(case: Case, now: Case, need: Need, passed: list[Case]) -> Choice:
    broken = tuple(each for each in passed if not each.works)
    return Choice(case, True, _set(case, now, need), (*_gap(now, need), *_refused(broken)), broken)


def _bound(now: Case, need: Need, why: str) -> Choice:
    """What remains for what has to reach the node (rule 6)."""
    text = f"Leave it where it is, pin its image by digest and keep all others from changing it: {why}."
    return Choice(now, False, text, _gap(now, need))


def _closes(case: Case, wanted: Boundary) -> bool:
    return case.works and case.has.boundary >= wanted


def recommendation(choice: Choice, now: Case, fixed: tuple[str, ...], cost: Cost) -> Recommendation:
    """The choice in the model's words. `fixed` are the rules that hold now and no more afterwards."""
    case = choice.case
    changed = case.resolved.name != now.resolved.name
    return Recommendation(
        runtime_class=case.resolved.name if changed else "",
        runtime=case.runtime.id if case.runtime else "",
        boundary=case.has.boundary,
        closes=choice.closes,
        sentence=choice.sentence,
        reasons=choice.reasons,
        hardening=fixed if case.hardened else (),
        differs=tuple(each.id for each in case.blockers if each.outcome is Outcome.DIFFERS) if case is not now else (),
        cost=cost,
    )


def _leave(now: Case, wanted: Boundary) -> str:
    broken = next((each for each in now.blockers if each.outcome is Outcome.FAILS), None)
    if broken:
        return f"Leave the class as it is, and look at what fails under {_title(now)} ({broken.text})."
    return f"Leave the runtime as it is: it needs {wanted} and has {now.has.boundary}."


def _keep(now: Case) -> str:
    """What an agent of the node should do about its shared kernel (rule 6): nothing, but for everything else."""
    if not now.works or now.has.boundary > Boundary.HARDENED:
        return _leave(now, now.has.boundary)
    return (
        f"Keep it on {_title(now)}: a boundary would stand against its work on the node. Take away what that work does "
        "not need, give it a service account of its own with the rights it uses, and pin its image by digest."
    )


def _is_known(now: Case) -> bool:
    """Whether it is known what the workload's class is, or that there is no such class."""
    return now.runtime is not None or "class-missing" in now.resolved.marks


def _first(now: Case, need: Need, obstacle: Reason | None, then: Case | None) -> Choice:
    """What has to be found out or closed before any runtime helps (rule 6)."""
    name = now.resolved.name
    setting = f"set runtimeClassName: {then.resolved.name}" if then and then.resolved.name != name else ""
    if obstacle is None:
        instead = f", or {setting}" if setting else ""
        text = f"Find out what RuntimeClass {name} is and describe it in a file for --catalogue{instead}."
        return Choice(now, False, text, _gap(now, need))
    if need.boundary <= Boundary.HARDENED and obstacle.id == "host-door":
        setting = "harden it"
    opened = {
        "host-door": f"the mount of the node's files ({obstacle.path}), which opens every boundary",
        "reconfigured": "the annotations that reconfigure the sandbox",
    }
    text = f"Remove {opened[obstacle.id]}{f', then {setting}' if setting else ''}."
    return Choice(now, False, text, (obstacle, *_gap(now, need)))


def _nearest(now: Case, need: Need, options: Options, strong: list[Case]) -> Choice:
    """What comes closest when nothing reaches need (rule 5)."""
    hardened = options.hardened()
    weaker = options.within(Boundary.SANDBOX, Boundary(need.boundary - 1))
    usable = [case for case in (hardened, *weaker) if case and _closes(case, Boundary(now.has.boundary + 1))]
    best = max(usable, key=lambda case: case.has.boundary, default=now)
    nodes = "keep it on nodes of its own" if now.resolved.starts else "give it nodes that can start it"
    if best is now:
        what = nodes
    elif best.hardened:
        what = f"{_list(_remedies(now))}, and {nodes}"
    else:
        what = f"set runtimeClassName: {best.resolved.name}, and {nodes}"
    broken = tuple(case for case in strong if not case.works)
    reasons = (*_gap(now, need), *_refused(broken))
    return Choice(best, False, f"{_why_not(need, broken, strong)}: {what}.", reasons, broken[:1])


def _why_not(need: Need, rejected: tuple[Case, ...], strong: list[Case]) -> str:
    if not strong:
        return f"No permitted runtime gives the {need.boundary} boundary that it needs"
    if not rejected:
        return f"Nothing that it can start on gives the {need.boundary} boundary that it needs"
    worst = rejected[0].blockers[0]
    return f"{_title(rejected[0])} would give the {need.boundary} boundary but breaks it ({worst.text})"


def _harden(now: Case) -> str:
    wanted = _list(_remedies(now))
    return f"Stay on {_title(now)} and {wanted}." if now.runtime else f"Leave out the class, and {wanted}."


def _remedies(now: Case) -> list[str]:
    return [_REMEDIES[reason.id] for reason in now.has.reasons if reason.id in _REMEDIES] or ["harden it fully"]


def _set(case: Case, now: Case, need: Need) -> str:
    name = case.resolved.name
    lead = "Set" if case.installed else f"Install {_title(case)} and its RuntimeClass, then set"
    if name == now.resolved.name:
        return f"Make {_title(case)} available to it: it needs {need.boundary} and has {now.has.boundary}."
    differing = [each.text.partition(":")[0] for each in case.blockers]
    if differing:
        more = f" and {len(differing) - _NAMED} more" if len(differing) > _NAMED else ""
        shown = ", ".join(differing[:_NAMED])
        return f"{lead} runtimeClassName: {name}, after a test of what may behave differently there ({shown}{more})."
    return f"{lead} runtimeClassName: {name}: it needs {need.boundary} and has {now.has.boundary}."


def _gap(now: Case, need: Need) -> tuple[Reason, ...]:
    top = need.reasons[0] if need.reasons else None
    because = f" ({top.text})" if top else ""
    return (Reason(id="gap", text=f"it needs {need.boundary}{because} and has {now.has.boundary}"),)


def _refused(rejected: Iterable[Case]) -> tuple[Reason, ...]:
    return tuple(
        Reason(id=case.blockers[0].id, text=f"not {_title(case)}: {case.blockers[0].text}", path=case.blockers[0].path)
        for case in rejected
        if case.blockers
    )


def _title(case: Case) -> str:
    return case.runtime.title if case.runtime else case.resolved.name


def _list(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
