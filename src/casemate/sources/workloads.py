"""Collect every workload of the inputs with what stands next to it, leniently.

1. A workload is one Pod template (`casemate.sources.shape`) of an object that a person wrote. An object with several
   templates is several workloads.
2. What cannot be read is reported and left out; the rest is collected. Nothing at all to assess is an error.
   Neither is a Pod template read in which a field has the wrong type, as the API server refuses it: it is unreached.
3. A namespace that is not written stays empty: rendered charts leave it to the command that applies them, and findings
   on a namespace that nobody chose would be artefacts. Hooks and tests of Helm keep their annotations.
4. A Pod template in which no container has an image is a patch for another one. It is reported, not assessed.
5. In folders, files that are no manifests are passed over. Charts that are not rendered are reported once each.
6. Containers outside of Pod templates, such as steps of workflows, are reported: the Pods that a controller makes of
   them are what has a boundary.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as File
from types import MappingProxyType
from typing import BinaryIO

from casemate.model.kube.meta import ObjectMeta
from casemate.model.kube.pod import PodSpec
from casemate.model.surroundings import Surroundings
from casemate.model.workload import Source, Workload
from casemate.sources.fast import Written, exactly, read
from casemate.sources.fast_decode import decode
from casemate.sources.fast_files import Content, Unreached, contents
from casemate.sources.fast_layout import Position
from casemate.sources.marks import Path, shown
from casemate.sources.position import Seen, locate
from casemate.sources.problems import Problem, raise_for
from casemate.sources.shape import Template, bare_containers, is_built_in, templates
from casemate.sources.surroundings import Neighbours

_REMEMBERED = 64 << 20
"""Bytes: of so much input the outline is kept, so that the lines of findings take no second look at the files."""


@dataclass(frozen=True, slots=True)
class Collected:
    """Workloads, what stands next to them, and what was left out.

    `skipped` could not be used; `unreached` exists and could not be looked at, so that the result is incomplete.
    `texts` are files that cannot be read twice; `seen` are documents, by file and line of an object in them, that need
    not be.
    """

    workloads: tuple[Workload, ...]
    surroundings: Surroundings
    skipped: tuple[Problem, ...] = ()
    unreached: tuple[Problem, ...] = ()
    texts: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    seen: Mapping[tuple[str, int], Seen] = field(default_factory=dict, repr=False)

    def locate(self, source: Source, path: str) -> Source:
        """Where a field such as `spec.template.spec.hostNetwork` stands, or the nearest one around it."""
        ((line, column),) = self.places(source, (path,))
        return Source(file=source.file, line=line, column=column, uid=source.uid)

    def places(self, source: Source, paths: Sequence[str]) -> list[Position]:
        """Line and column of each of several fields of one object."""
        return locate(source, paths, self.texts, self.seen.get((source.file, source.line)))


def collect(inputs: Sequence[str], stdin: BinaryIO) -> Collected:
    """The workloads of files, folders and `-`, in order.

    Raises `InputError` that lists what is wrong when there is nothing to assess.
    """
    gathering = _Gathering()
    mistakes: list[Problem] = []
    for each in contents(inputs, stdin):
        if isinstance(each, Content):
            gathering.take(each)
        elif isinstance(each, Unreached):
            gathering.unreached.append(each)
        else:
            mistakes.append(each)
    raise_for(mistakes)
    if not gathering.workloads:
        problems = [*gathering.unreached, *gathering.problems()]
        raise_for(
            problems or [Problem(", ".join(inputs) or "input", "no workloads in it", "name a file that has some")]
        )
    return gathering.collected()


class _Gathering:
    """What was read so far."""

    def __init__(self) -> None:
        self.workloads: list[Workload] = []
        self._skipped: list[Problem] = []
        self.unreached: list[Problem] = []
        self._texts: dict[str, bytes] = {}
        self._seen: dict[tuple[str, int], Seen] = {}
        self._size = 0
        self._neighbours = Neighbours()
        self._charts: set[str] = set()

    def take(self, content: Content) -> None:
        """Read one file."""
        self._size += len(content.data)
        if content.kept:
            self._texts[content.file] = content.data
        if not content.named and (chart := _chart_of(content)):
            self._charts.add(chart)
            return
        for each in read(content.data, content.file):
            if isinstance(each, Problem):
                # A folder has other things in it than manifests; in what a person names, one might be missed.
                (self.unreached if each.unread and content.named else self._skipped).append(each)
            else:
                self._written(each, content)

    def collected(self) -> Collected:
        """All of it, with what stands next to the workloads."""
        surroundings = self._neighbours.around(self.workloads, complete=False)
        return Collected(
            tuple(self.workloads),
            surroundings,
            self.problems(),
            tuple(self.unreached),
            MappingProxyType(self._texts),
            MappingProxyType(self._seen),
        )

    def problems(self) -> tuple[Problem, ...]:
        """What could not be used."""
        fix = "render it: helm template … | casemate assess -"
        charts = [Problem(each, "a Helm chart that is not rendered", fix) for each in sorted(self._charts)]
        return (*charts, *self._skipped)

    def _written(self, written: Written, content: Content) -> None:
        value = written.value
        if not isinstance(value, dict) or not isinstance(value.get("kind"), str) or "apiVersion" not in value:
            if content.named:
                fix = "a manifest begins with apiVersion and kind"
                self._skipped.append(Problem(written.where(), "not a Kubernetes object", fix))
            return
        if self._neighbours.take(value):
            return
        for found in workloads(written):
            if isinstance(found, Unreached):
                self.unreached.append(found)
            elif isinstance(found, Problem):
                self._skipped.append(found)
            else:
                self.workloads.append(found)
                if written.outline and self._size <= _REMEMBERED:
                    self._seen[written.file, written.line] = Seen(written.outline, written.begin)


def _chart_of(content: Content) -> str:
    """The chart whose template this file is: text that YAML cannot read until Helm has rendered it."""
    if b"{{" not in content.data:
        return ""
    folders = File(content.file).parents
    return next((str(each) for each in folders if (each / "Chart.yaml").is_file()), "")


_MADE = "its controller makes the Pods: assess those, where they run (casemate assess --cluster)"
_RENDER = "render it first: kustomize build … | casemate assess -"


def workloads(written: Written) -> Iterator[Workload | Problem]:
    """The workloads of one object, and what is wrong with them."""
    value = written.value
    if not isinstance(value, dict):
        return
    found = [(each, decode(each.spec, PodSpec)) for each in templates(value)]
    if written.text is not None and any(decoded.wrong or decoded.inexact for _, decoded in found):
        yield from _reread(written)
        return
    if not found and is_built_in(value):
        what = f"{value.get('kind')}: no Pod template in it, as in a patch for another object"
        yield Problem(_where(written, value, ()), what, _RENDER)
    for template, decoded in found:
        if decoded.wrong:
            yield from _refused(written, value, template, decoded.wrong)
        elif any(each.image for each in (*decoded.struct.containers, *decoded.struct.initContainers)):
            yield _workload(value, template, decoded.struct, decoded.unknown, written)
        else:
            what = f"{value.get('kind')}: no container has an image, as in a patch for another object"
            yield Problem(_where(written, value, ()), what, _RENDER)
    yield from _bare(written, value)


def _refused(
    written: Written, value: dict[str, object], template: Template, wrong: Iterable[tuple[Path, str]]
) -> Iterator[Unreached]:
    """A field of the wrong type: whoever assumes what it means might take `privileged: "true"` for no."""
    for path, what in wrong:
        place = (*template.path, *path)
        fix = "write it as the API has it: the API server refuses this object, so it is not assessed"
        yield Unreached(_where(written, value, place), f"{shown(place)}: {what}", fix)


def _bare(written: Written, value: dict[str, object]) -> Iterator[Problem]:
    places = list(bare_containers(value))
    if places:
        own, more = metadata(value.get("metadata")), f" and {len(places) - 1} more" if len(places) > 1 else ""
        name = "/".join(part for part in (own.namespace, own.name or own.generateName) if part)
        what = f"{value.get('kind')} {name}: a container without a Pod around it, {shown(places[0])}{more}"
        yield Problem(_where(written, value, places[0]), what, _MADE)


def _reread(written: Written) -> Iterator[Workload | Problem]:
    for each in exactly(written):
        if isinstance(each, Problem):
            yield each
        else:
            yield from workloads(each)


def _where(written: Written, value: dict[str, object], path: tuple[str | int, ...]) -> str:
    if written.file:
        return written.where(path)
    own = metadata(value.get("metadata"))
    return f"{value.get('kind')} {own.namespace or ''}/{own.name or ''}"


def _workload(
    value: dict[str, object], template: Template, spec: PodSpec, unknown: tuple[str, ...], written: Written
) -> Workload:
    own = metadata(value.get("metadata"))
    inner = own if template.path == ("spec",) and template.built_in else metadata(template.metadata)
    return Workload(
        api_version=str(value.get("apiVersion")),
        kind=str(value.get("kind")),
        namespace=own.namespace or "",
        name=own.name or own.generateName or "",
        path=shown(template.path),
        metadata=inner,
        spec=spec,
        source=Source(file=written.file, line=written.line, column=1 if written.line else 0, uid=own.uid or ""),
        object_labels=own.labels,
        object_annotations=own.annotations,
        owners=tuple(f"{each.kind}/{each.name}" for each in own.ownerReferences if each.controller),
        unknown_fields=unknown if template.built_in else (),
    )


_KEPT = ("annotations", "generateName", "labels", "name", "namespace", "ownerReferences", "uid")
_NOTHING = ObjectMeta()


def metadata(value: object) -> ObjectMeta:
    """The metadata of an object or template, as far as an assessment looks at it."""
    if not isinstance(value, dict):
        return _NOTHING
    kept = {key: value[key] for key in _KEPT if key in value and value[key] is not None}
    return decode(kept, ObjectMeta).struct if kept else _NOTHING
