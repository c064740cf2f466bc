"""Everything that is checked and fetched before a run may start; nothing is started here.

Rules, in the order of the code:

1. The input is checked whole, then names and classes (`submit`), then each Pod against its handler and this node
   (`support`).
2. A refused field stops the run. With `--allow-degraded` it is said instead, one line a field, what is lost.
3. Images are brought in that the user gave, then every other one as its imagePullPolicy says, each once for all Pods.
   Credentials are those of the Pod and of its service account.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from casemate.catalogue import runtimes
from casemate.engine import known_handlers, node
from casemate.engine.cri.client import CriClient
from casemate.engine.cri.pull import bring, ensure
from casemate.engine.paths import EnginePaths
from casemate.engine.settings import EngineSettings
from casemate.engine.submit import Plan, plan_run
from casemate.engine.support.classify import classify, degraded, refusals
from casemate.engine.support.degrade import without_degraded
from casemate.engine.support.features import ask_features
from casemate.errors import InputError, RefusedError
from casemate.images import reference
from casemate.images.credentials import Credential, for_image
from casemate.images.policy import PullPolicy, effective
from casemate.images.reference import Reference
from casemate.model.inventory import Inventory, KubeObject, PodTemplate
from casemate.model.kube.meta import LocalObjectReference, ObjectMeta
from casemate.model.kube.workloads import Pod
from casemate.model.support import FieldNote, PodNotes
from casemate.sources.document import Document
from casemate.sources.inventory import inventory

_AT_ONCE = 4


@dataclass(frozen=True)
class Wanted:
    """An image that the run needs: its name in the manifests, and how it may be had."""

    written: str
    image: Reference
    policy: PullPolicy
    credentials: tuple[Credential, ...]


@dataclass(frozen=True)
class Flight:
    """A run that may start, and what becomes of its fields."""

    plan: Plan
    notes: tuple[PodNotes, ...]
    documents: Mapping[str, Document]

    def where(self, template: PodTemplate, path: str) -> str:
        """`file:line:column` of a field of a Pod specification, and whose it is."""
        document = self.documents.get(template.title)
        place = document.where(f"{template.path}.{path}") if document else ""
        return f"{place}: {template.title}" if place else template.title


def unchanged(found: Inventory) -> Inventory:
    """The inventory as it was written."""
    return found


def check(
    documents: Sequence[Document],
    name: str,
    paths: EnginePaths,
    settings: EngineSettings,
    *,
    now: bool,
    change: Callable[[Inventory], Inventory] = unchanged,
) -> Flight:
    """Check the input by rule 1; `change` sets the classes. Raises `InputError`, `RefusedError` or `MissingError`."""
    found = inventory(documents)
    if not any(found.pod_templates()):
        raise InputError("there is nothing to run: no Pod, Deployment, Job or other workload in the input")
    found = change(found)
    known = known_handlers.load(paths)
    plan = plan_run(name, found, paths, settings, known, runtimes.load(), now=now)
    by_title = {_title(each.object): each for each in documents}
    features = asyncio.run(ask_features(settings.cri_socket, {each.handler for each in plan.classes.values()}))
    facts = node.gather()
    notes = []
    for template in plan.inventory.pod_templates():
        name = plan.classes[template.spec.runtimeClassName or ""].handler
        handler = next(each for each in known if each.name == name)
        judged = classify(Pod(metadata=template.metadata, spec=template.spec), handler, facts, features[name])
        document = by_title.get(template.title)
        notes.append(
            PodNotes(pod=template.title, handler=name, notes=judged, where=document.where() if document else "")
        )
    return Flight(plan, tuple(notes), by_title)


def settle(flight: Flight, *, allow_degraded: bool, say: Callable[[str], None]) -> Plan:
    """The plan without the fields that `--allow-degraded` gives up (rule 2). Raises `RefusedError` for the others."""
    templates = {each.title: each for each in flight.plan.inventory.pod_templates()}
    lines = [
        f"{flight.where(templates[pod.pod], note.path)}: {_field(note)} is refused: {note.note}"
        for pod in flight.notes
        for note in refusals(pod.notes, allow_degraded=allow_degraded)
    ]
    if lines:
        hint = "" if allow_degraded else "; --allow-degraded runs without the refused security fields"
        raise RefusedError("\n".join(lines), fix=f"change these fields, or run --explain for the whole picture{hint}")
    for each in flight.notes:
        for note in degraded(each.notes):
            say(f"degraded: {each.pod}: {_field(note)} is lost: {note.note}")
    notes = {each.pod: each.notes for each in flight.notes}
    plain = flight.plan.inventory.with_pod_specs(
        lambda template: without_degraded(template.spec, notes[template.title])
    )
    return replace(flight.plan, inventory=plain)


def _field(note: FieldNote) -> str:
    return f"{note.path}: {note.value}" if note.value else note.path


def _title(found: KubeObject) -> str:
    meta = found.metadata or ObjectMeta()
    return f"{type(found).__name__} {meta.namespace or 'default'}/{meta.name or ''}"


def fetch_images(
    found: Inventory, given: Mapping[str, str], settings: EngineSettings, say: Callable[[str], None]
) -> dict[str, str]:
    """Bring every image onto the engine (rule 3): name as written → id. Raises for the first that fails."""
    brought = {reference.parse(name, "--image"): Path(path) for name, path in given.items()}
    return asyncio.run(_fetch(list(_wanted(found)), brought, settings.cri_socket, say))


async def _fetch(
    wanted: Sequence[Wanted], brought: Mapping[Reference, Path], socket: str, say: Callable[[str], None]
) -> dict[str, str]:
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(each: Wanted) -> tuple[str, str]:
        async with limit:
            given = each.image in brought
            here = await client.image_status(each.image.engine_name)
            if here is None or (each.policy is PullPolicy.ALWAYS and not given):
                say(f"pulling {each.image}")
            return each.written, await ensure(client, each.image, each.policy, each.credentials, given=given)

    async with CriClient(socket) as client:
        for image, path in brought.items():
            await bring(client, path, image)
        return dict(await asyncio.gather(*(one(each) for each in wanted)))


def _wanted(found: Inventory) -> Iterator[Wanted]:
    seen: set[str] = set()
    for template in found.pod_templates():
        for written, policy in _named(template):
            if written in seen:
                continue
            seen.add(written)
            image = reference.parse(written, template.title)
            secrets = [found.secret(template.namespace, each) for each in _secret_names(template, found)]
            credentials = for_image((each for each in secrets if each), image)
            yield Wanted(written, image, effective(policy, image), credentials)


def _named(template: PodTemplate) -> Iterator[tuple[str, str | None]]:
    for container in (*template.spec.initContainers, *template.spec.containers):
        yield container.image or "", container.imagePullPolicy
    for volume in template.spec.volumes:
        if volume.image:
            yield volume.image.reference or "", volume.image.pullPolicy


def _secret_names(template: PodTemplate, found: Inventory) -> Iterator[str]:
    account = found.service_account(template.namespace, template.spec.serviceAccountName or "default")
    inherited: tuple[LocalObjectReference, ...] = account.imagePullSecrets if account else ()
    for each in (*template.spec.imagePullSecrets, *inherited):
        if each.name:
            yield each.name
