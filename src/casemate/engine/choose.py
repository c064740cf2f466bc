"""Give workloads without a class the one that an assessment recommends, out of those that this engine has.

1. An unset and an empty class are the same. A class that is named stays, whatever an assessment says of it.
2. Only handlers that work here are recommended, by a RuntimeClass of the input or by the first name that the catalogue
   has for them; and of these only such that honour every field of the workload.
3. Where something fails under a runtime it is never chosen. Where something behaves differently, beyond what hardly any
   workload notices, it is chosen only with consent (`--allow-degraded`). Without, the next best is, and the reason says
   what consent would give.
4. Hardening is not done here: it changes what a person wrote. Where it is recommended, the reason says so, and the
   workload runs as it is.
5. The surroundings are the input's objects and this machine as the one node, so an assessment of the same files may
   differ where a cluster has other runtimes.
"""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from casemate.catalogue.rows import Fit
from casemate.catalogue.tables import Catalogue
from casemate.catalogue.tables import load as load_catalogue
from casemate.decide.assess import assess
from casemate.engine import known_handlers, node
from casemate.engine.paths import EnginePaths
from casemate.engine.settings import EngineSettings
from casemate.engine.support.classify import classify, refusals
from casemate.engine.support.features import ask_features
from casemate.model.assessment import Assessed, Outcome
from casemate.model.boundary import Boundary
from casemate.model.decision import Decision
from casemate.model.handler import Handler, NodeFacts
from casemate.model.inventory import Inventory, KubeObject, PodTemplate
from casemate.model.kube.meta import ObjectMeta
from casemate.model.kube.objects import RuntimeClass
from casemate.model.kube.pod import PodSpec
from casemate.model.kube.workloads import Pod
from casemate.model.support import EngineFeatures
from casemate.model.surroundings import Node, Surroundings
from casemate.model.workload import Source, Workload
from casemate.sources.surroundings import Neighbours

_API = {
    "Pod": "v1",
    "Service": "v1",
    "Namespace": "v1",
    "ServiceAccount": "v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
    "RuntimeClass": "node.k8s.io/v1",
}


@dataclass(frozen=True)
class Offer:
    """What this machine has to choose from: the handlers that work, with the engine's features for each."""

    handlers: Mapping[str, Handler]
    features: Mapping[str, EngineFeatures]
    facts: NodeFacts
    catalogue: Catalogue
    kernel: str = ""

    def classes(self, found: Inventory) -> dict[str, Handler]:
        """Class names that may be given, and what they mean (rule 2)."""
        own = {each.metadata.name: each.handler for each in found.runtime_classes if each.metadata}
        names = {name: self.handlers[handler] for name, handler in own.items() if name and handler in self.handlers}
        for each in self.handlers.values():
            known = self.catalogue.runtimes.class_names(each.name)[0]
            if each not in names.values() and known not in own:
                names[known] = each
        return names


def chooser(
    paths: EnginePaths, settings: EngineSettings, *, consent: bool, tell: Callable[[Decision], None]
) -> Callable[[Inventory], Inventory]:
    """What sets the classes of an inventory on that engine, and tells each decision."""

    def change(found: Inventory) -> Inventory:
        return choose(found, offered(paths, settings), consent=consent, tell=tell)

    return change


def choose(found: Inventory, offer: Offer, *, consent: bool, tell: Callable[[Decision], None]) -> Inventory:
    """The inventory with classes set; `tell` gets a decision for each workload that named none."""
    classes = offer.classes(found)
    workloads = {template.title: workload_of(template) for template in found.pod_templates()}
    surroundings = surroundings_of(found, tuple(workloads.values()), classes, offer)

    def decided(template: PodTemplate) -> PodSpec:
        if template.spec.runtimeClassName:
            return template.spec
        decision = _decide(workloads[template.title], template, surroundings, classes, offer, consent=consent)
        tell(decision)
        return msgspec.structs.replace(template.spec, runtimeClassName=decision.runtime_class or None)

    return found.with_pod_specs(decided)


def _decide(
    workload: Workload,
    template: PodTemplate,
    surroundings: Surroundings,
    classes: Mapping[str, Handler],
    offer: Offer,
    *,
    consent: bool,
) -> Decision:
    refused = {name: _refused(template, handler, offer, consent=consent) for name, handler in classes.items()}
    permitted = [name for name, fields in refused.items() if not fields]
    remarks: list[str] = []
    while True:
        assessed = assess(workload, surroundings, offer.catalogue, ("", *permitted))
        name = assessed.recommendation.runtime_class
        differing = _differing(assessed, offer.catalogue)
        if consent or not name or not differing:
            return _decision(workload, assessed, [*remarks, *_shortfall(assessed, classes, refused)])
        remarks.append(
            f"{name} would give the {assessed.recommendation.boundary} boundary, but behaves differently "
            f"({'; '.join(differing)}): --allow-degraded accepts that"
        )
        permitted = [each for each in permitted if _runtime(offer, classes[each]) != assessed.recommendation.runtime]


def _decision(workload: Workload, assessed: Assessed, remarks: Sequence[str]) -> Decision:
    advice = assessed.recommendation
    why = advice.reasons[0].text if advice.runtime_class and advice.reasons else advice.sentence.rstrip(".")
    if advice.runtime_class and not advice.closes:
        why = f"{why}; nothing here gives it more"
    return Decision(
        workload=workload.title,
        runtime_class=advice.runtime_class,
        need=assessed.need.boundary,
        boundary=_boundary(assessed),
        reason="; ".join((why, *remarks)),
    )


def _shortfall(
    assessed: Assessed, classes: Mapping[str, Handler], refused: Mapping[str, Sequence[str]]
) -> Iterator[str]:
    """Why the stronger classes of this engine are no help, where one would be needed."""
    given = _boundary(assessed)
    for name, fields in refused.items():
        if given < assessed.need.boundary and classes[name].boundary > given and fields:
            yield f"{name} does not honour {', '.join(fields)}"


def _boundary(assessed: Assessed) -> Boundary:
    """What the workload gets: hardening that is recommended is not done (rule 4)."""
    advice = assessed.recommendation
    return advice.boundary if advice.runtime_class else assessed.has.boundary


def _differing(assessed: Assessed, catalogue: Catalogue) -> list[str]:
    """What behaves differently under the recommended runtime, without what hardly anyone notices (rule 3)."""
    runtime = catalogue.runtimes.by_id(assessed.recommendation.runtime)
    rows = {each.id: each for each in catalogue.fits}
    return [
        each.text
        for each in assessed.blockers
        if runtime and each.runtime == runtime.id and each.outcome is Outcome.DIFFERS
        if not _is_minor(rows[each.id], runtime.families)
    ]


def _is_minor(row: Fit, families: tuple[str, ...]) -> bool:
    found = next((cell for family in families for key, cell in row.under.items() if key == family), None)
    return found is not None and found.minor


def _refused(template: PodTemplate, handler: Handler, offer: Offer, *, consent: bool) -> list[str]:
    """Fields of the workload that the engine refuses under a handler."""
    pod = Pod(metadata=template.metadata, spec=template.spec)
    notes = classify(pod, handler, offer.facts, offer.features[handler.name])
    return [each.path for each in refusals(notes, allow_degraded=consent)]


def _runtime(offer: Offer, handler: Handler) -> str:
    row = offer.catalogue.runtimes.of_handler(handler.name)
    return row.id if row else handler.name


def offered(paths: EnginePaths, settings: EngineSettings) -> Offer:
    """What this machine has to choose from."""
    handlers = {each.name: each for each in known_handlers.load(paths) if each.works}
    features = asyncio.run(ask_features(settings.cri_socket, tuple(handlers)))
    return Offer(handlers, features, node.gather(), load_catalogue(), platform.release())


def surroundings_of(
    found: Inventory, workloads: Sequence[Workload], classes: Mapping[str, Handler], offer: Offer
) -> Surroundings:
    """The input's objects and this machine as the one node, with the classes that work here."""
    neighbours = Neighbours()
    for value in _beside(found):
        neighbours.take(value)
    around = neighbours.around(workloads, complete=True)
    written = {each.metadata.name for each in around.runtime_classes if each.metadata}
    made = [
        RuntimeClass(metadata=ObjectMeta(name=name), handler=handler.name)
        for name, handler in classes.items()
        if name not in written
    ]
    return msgspec.structs.replace(around, runtime_classes=(*around.runtime_classes, *made), nodes=(_node(offer),))


def _beside(found: Inventory) -> Iterator[dict[str, object]]:
    objects: tuple[KubeObject, ...] = (
        *found.services,
        *found.service_accounts,
        *found.namespaces,
        *found.runtime_classes,
    )
    for each in objects:
        kind = type(each).__name__
        yield {"apiVersion": _API[kind], "kind": kind, **msgspec.to_builtins(each)}


def _node(offer: Offer) -> Node:
    versions = [each.version for each in offer.features.values() if each.version]
    return Node(
        name=offer.facts.name,
        handlers=("", *offer.handlers),  # the default's name is empty there, as in a Node's status.runtimeHandlers
        user_namespace_handlers=tuple(name for name, each in offer.features.items() if each.user_namespaces),
        container_runtime=f"containerd://{versions[0]}" if versions else "",
        kernel=offer.kernel,
    )


def workload_of(template: PodTemplate) -> Workload:
    """A template of the input as decisions see it."""
    outer = template.workload.metadata or ObjectMeta()
    return Workload(
        api_version=_API.get(template.kind, "apps/v1"),
        kind=template.kind,
        namespace=template.namespace,
        name=template.name,
        path=template.path,
        metadata=template.metadata,
        spec=template.spec,
        source=Source(),
        object_labels=outer.labels,
        object_annotations=outer.annotations,
    )
