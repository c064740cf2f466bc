"""Hold workloads to policies before they are started: the engine as the place where a policy is enforced.

1. The same evaluator as everywhere (`casemate.policy`), as if each workload were created now. Nobody is known to ask.
2. Classes are those that work on this machine. Where a Pod lands is not asked: there is one node.
3. Namespaces' labels are those of Namespace objects in the input, then of those beside the policies. Rights of service
   accounts are those of Roles and bindings beside the policies.
4. One workload that is denied refuses the whole run: nothing was started. What is changed is said.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from casemate.catalogue.tables import load
from casemate.engine.choose import offered, surroundings_of, workload_of
from casemate.engine.paths import EnginePaths
from casemate.engine.settings import EngineSettings
from casemate.errors import RefusedError
from casemate.model.inventory import Inventory, PodTemplate
from casemate.model.kube.pod import PodSpec
from casemate.model.policy import Decision, Mode, Patch, PolicySettings, Request, Verdict
from casemate.model.surroundings import Surroundings
from casemate.policy.asking import labels_of
from casemate.policy.evaluate import PolicySet
from casemate.policy.patches import pointer
from casemate.sources.policies import PolicyInput

_FIX = "change the workloads, or accept the risk with an IsolationException"


def policed(
    written: PolicyInput, paths: EnginePaths, settings: EngineSettings, tell: Callable[[str], None]
) -> Callable[[Inventory], Inventory]:
    """What holds an inventory to policies on that engine; `tell` gets what is changed and warned of."""

    def change(found: Inventory) -> Inventory:
        offer = offered(paths, settings)
        workloads = tuple(map(workload_of, found.pod_templates()))
        around = surroundings_of(found, workloads, offer.classes(found), offer)
        default = settings.default_handler
        return hold(found, written, replace(around, nodes=()), PolicySettings(default_handler=default), tell)

    return change


def hold(
    found: Inventory,
    written: PolicyInput,
    around: Surroundings,
    settings: PolicySettings,
    tell: Callable[[str], None],
) -> Inventory:
    """The inventory as policies change it. Raises `RefusedError` that says all that they deny."""
    known = replace(around, use=written.surroundings.use)
    policies = PolicySet(written.policies, written.exceptions, known, load(), settings)
    namespaces = {**written.surroundings.namespaces, **around.namespaces}
    now = datetime.datetime.now(datetime.UTC)
    denied: list[str] = []

    def judged(template: PodTemplate) -> PodSpec:
        workload = workload_of(template)
        labels = labels_of(template.namespace, None, namespaces)
        verdict = policies.evaluate(Request(workload=workload, namespace_labels=labels), now)
        denied.extend(_denials(template.title, verdict))
        _say(template.title, verdict, tell)
        root = pointer(workload.path) or ""
        return applied(template.spec, [(each.path.removeprefix(f"{root}/"), each) for each in verdict.patch])

    changed = found.with_pod_specs(judged)
    if denied:
        raise RefusedError("policies do not let it run:\n" + "\n".join(denied), fix=_FIX)
    return changed


def applied(spec: PodSpec, patch: Sequence[tuple[str, Patch]]) -> PodSpec:
    """A specification after a patch; each operation with its path from the specification."""
    for path, each in patch:
        field, _, key = path.partition("/")
        match field:
            case "runtimeClassName":
                spec = replace(spec, runtimeClassName=each.value if isinstance(each.value, str) else None)
            case "overhead":
                spec = replace(spec, overhead={})
            case _:
                gone = key.replace("~1", "/").replace("~0", "~")
                kept = {name: text for name, text in spec.nodeSelector.items() if name != gone}
                spec = replace(spec, nodeSelector=kept)
    return spec


def _denials(title: str, verdict: Verdict) -> list[str]:
    if verdict.decision is not Decision.DENY:
        return []
    against = [each for each in verdict.reasons if each.mode is Mode.ENFORCE]
    return [f"  {title}: {each.policy} {each.rule}: {each.message}" for each in against]


def _say(title: str, verdict: Verdict, tell: Callable[[str], None]) -> None:
    if verdict.decision is Decision.CHANGE:
        for each in verdict.reasons:
            if each.mode is Mode.ENFORCE:
                tell(f"{title}: {each.policy} {each.rule}: {each.message}")
    for text in verdict.warnings:
        tell(f"{title}: {text}")
