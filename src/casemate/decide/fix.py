"""From a recommendation to the edits that follow it, on the object that a person wrote.

1. Nothing is edited that is not recommended. Without a gap, or with a gap that somebody accepted, there is nothing to
   do.
2. No fix where something is known to fail under the recommended runtime, nor where a person has to act first (a door
   to the node, an unknown class): the refusal says what.
3. What behaves differently afterwards needs consent, by the ids of the rows, or `all`. Hardening differs too: an image
   that starts as root does not start with `runAsNonRoot: true` (kubelet, verifyRunAsNonRoot), and a program with file
   capabilities does not without them. No manifest shows whether an image is one of these.
4. A class is set, or left out when the cluster has none of that name. `spec.overhead` goes with the old class: the
   RuntimeClass admission writes the new one's, and refuses any other.
5. Hardening edits only what is short of `hardened` (`casemate.decide.hardened`), where it counts: on the Pod what
   containers inherit, on a container what it sets against the Pod. Added capabilities stay.
6. A fix may come nearer without closing the gap; it says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Final

from casemate.decide import capabilities
from casemate.decide.containers import AnyContainer, confined_by, every_container
from casemate.model.assessment import Assessed, Outcome
from casemate.model.boundary import Boundary
from casemate.model.edit import Difference, Edit, Fix, Path, Remove, Set
from casemate.model.kube.security import PodSecurityContext, SecurityContext
from casemate.model.workload import Workload
from casemate.sources.marks import steps

ALL: Final = "all"
NON_ROOT: Final = Difference("non-root", "an image that starts as root does not start any more")
DROPPED: Final = Difference("capabilities-dropped", "a program with file capabilities does not start any more")

_APPARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
_UNCONFINED: Final = "Unconfined"
_DEFAULT: Final = "RuntimeDefault"


def fix(assessed: Assessed, consent: AbstractSet[str] = frozenset()) -> Fix:
    """The fix of one workload. `consent` holds ids of rows (or of `NON_ROOT`, `DROPPED`) or `all`."""
    workload, advice = assessed.workload, assessed.recommendation
    if not assessed.gap or _accepted(assessed):
        return Fix(workload)
    failing = next(
        (each for each in assessed.blockers if each.runtime == advice.runtime and _fails(each.outcome)), None
    )
    if failing:
        return Fix(workload, refusal=f"it would fail under {advice.runtime}: {failing.text}")
    edits = tuple(_edits(assessed))
    if not edits:
        return Fix(workload, refusal=advice.sentence)
    differs = (*_differing(assessed), *_hardening_differs(edits))
    missing = tuple(each for each in differs if not consent & {each.id, ALL})
    if missing:
        listed = "; ".join(f"{each.id} ({each.text})" for each in missing)
        return Fix(
            workload, differs=missing, refusal=f"something behaves differently then, which wants consent: {listed}"
        )
    return Fix(workload, edits, closes=advice.closes, differs=differs)


def _accepted(assessed: Assessed) -> bool:
    gap = {finding.rule for finding in assessed.findings if finding.gap}
    return any(each.rule in gap for each in assessed.suppressions)


def _fails(outcome: Outcome) -> bool:
    return outcome is Outcome.FAILS


def _edits(assessed: Assessed) -> Iterator[Edit]:
    workload, has, advice = assessed.workload, assessed.has, assessed.recommendation
    spec = steps(workload.path)
    drops_class = has.class_name and not advice.runtime_class and advice.runtime != has.runtime
    if advice.runtime_class:
        yield Set((*spec, "runtimeClassName"), advice.runtime_class, "class")
    elif drops_class:
        yield Remove((*spec, "runtimeClassName"), "class")
    if (advice.runtime_class or drops_class) and workload.spec.overhead:
        yield Remove((*spec, "overhead"), "class")
    if not advice.runtime_class and has.boundary < advice.boundary is Boundary.HARDENED:
        yield from hardening(workload)


def _differing(assessed: Assessed) -> Iterator[Difference]:
    """What the recommendation says of the runtime, each row once."""
    advice = assessed.recommendation
    texts = {each.id: each.text for each in assessed.blockers if each.runtime == advice.runtime}
    for row in advice.differs:
        yield Difference(row, texts.get(row, f"see `casemate explain {row}`"))


def _hardening_differs(edits: tuple[Edit, ...]) -> Iterator[Difference]:
    fields = {edit.path[-1] for edit in edits if isinstance(edit, Set)}
    if "runAsNonRoot" in fields:
        yield NON_ROOT
    if "drop" in fields:
        yield DROPPED


def hardening(workload: Workload) -> Iterator[Edit]:
    """The edits that give a workload every part of `hardened` that it lacks and that can be given."""
    root, spec = steps(workload.path), workload.spec
    pod = spec.securityContext or PodSecurityContext()
    contexts = [each.securityContext or SecurityContext() for each, _, _ in every_container(spec)]
    if spec.hostUsers is not False:
        yield Set((*root, "hostUsers"), False, "user-namespace")
    yield from _pod(pod, contexts, (*root, "securityContext"))
    for container, kind, index in every_container(spec):
        yield from _container(container, pod, (*root, kind, index, "securityContext"))
    if root[-1:] == ("spec",):
        for key, text in workload.metadata.annotations.items():
            if text == "unconfined" and key.startswith(_APPARMOR):
                yield Remove((*root[:-1], "metadata", "annotations", key), "apparmor")


def _pod(pod: PodSecurityContext, contexts: list[SecurityContext], at: Path) -> Iterator[Edit]:
    if any(_may_be_root(each, pod) and each.runAsNonRoot is None for each in contexts):
        yield Set((*at, "runAsNonRoot"), True, "non-root")
    if pod.seccompProfile and confined_by(pod.seccompProfile) == _UNCONFINED:
        yield Set((*at, "seccompProfile", "type"), _DEFAULT, "seccomp")
    elif pod.seccompProfile is None and any(each.seccompProfile is None for each in contexts):
        yield Set((*at, "seccompProfile"), {"type": _DEFAULT}, "seccomp")
    if pod.appArmorProfile and pod.appArmorProfile.type == _UNCONFINED:
        yield Remove((*at, "appArmorProfile"), "apparmor")


def _container(container: AnyContainer, pod: PodSecurityContext, at: Path) -> Iterator[Edit]:
    context = container.securityContext or SecurityContext()
    if context.allowPrivilegeEscalation is not False:
        yield Set((*at, "allowPrivilegeEscalation"), False, "no-new-privileges")
    dropped = context.capabilities.drop if context.capabilities else ()
    if not capabilities.drops_all(dropped):
        yield Set((*at, "capabilities", "drop"), ["ALL"], "capabilities-dropped")
    if _may_be_root(context, pod) and context.runAsNonRoot is False:
        yield Set((*at, "runAsNonRoot"), True, "non-root")
    if context.seccompProfile and confined_by(context.seccompProfile) == _UNCONFINED:
        yield Set((*at, "seccompProfile", "type"), _DEFAULT, "seccomp")
    if context.appArmorProfile and context.appArmorProfile.type == _UNCONFINED:
        yield Remove((*at, "appArmorProfile"), "apparmor")
    if context.procMount and context.procMount != "Default":
        yield Remove((*at, "procMount"), "masked-proc")


def _may_be_root(context: SecurityContext, pod: PodSecurityContext) -> bool:
    """Whether nothing that the manifest says keeps the container from user 0, and `runAsNonRoot` would."""
    user = pod.runAsUser if context.runAsUser is None else context.runAsUser
    non_root = pod.runAsNonRoot if context.runAsNonRoot is None else context.runAsNonRoot
    return user is None and not non_root
