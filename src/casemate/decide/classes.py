"""What a Pod's class resolves to: class → handler → runtime → the nodes that have it.

1. An unset and an empty class are the same: the node's default handler's. Nothing in a manifest or in the API says
   which that is. It is taken for runc, the weakest: an assumption that cannot make anything look safer than it is.
2. A class's name proves nothing. Where the RuntimeClass is known, its handler decides, and a handler that the catalogue
   does not know is unknown, whatever the class is called. Where it is not known, the name only declares.
3. A class that a completely known cluster does not have admits no Pod (plugin/pkg/admission/runtimeclass).
4. It is resolved when nodes are known, some node on which the Pod can land says that it has the handler, and none says
   that it does not. `status.runtimeHandlers` is empty before Kubernetes 1.30: such a node says nothing.
5. When every node says that it lacks the handler, no Pod starts: the boundary is unknown, not strong. Of a class that
   is only named nobody knows the handler, so no node says that it has it or lacks it.
6. It is proven when a proof of every such node shows that its handler draws the runtime's boundary, and none says that
   it lacks the handler. A proof says more than a node's list, which containerd 1.x does not give.
7. Versions are known from what nodes report: kernel, kubelet, containerd, CRI-O; and from labels
   `casemate.dev/version.<component>`, which `casemate node` sets for what no node reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from casemate.catalogue.rows import Runtime
from casemate.catalogue.tables import Catalogue
from casemate.decide import placement
from casemate.decide.facts import Facts
from casemate.model.assessment import Reason, State
from casemate.model.boundary import Boundary
from casemate.model.kube.objects import RuntimeClass
from casemate.model.kube.pod import PodSpec
from casemate.model.surroundings import Node, Surroundings

VERSION_LABEL: Final = "casemate.dev/version."
_DEFAULT: Final = "runc"
_PATH: Final = "runtimeClassName"
_KEPT: Final = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Resolved:
    """A class with what is known of it. `starts` is false when no Pod of it can start."""

    name: str
    document: RuntimeClass | None
    handler: str
    row: Runtime | None
    state: State
    starts: bool
    nodes: tuple[Node, ...]
    marks: tuple[str, ...]
    reasons: tuple[Reason, ...]

    @property
    def selector(self) -> dict[str, str]:
        """The node selector that the class brings."""
        return _selector(self.document)

    def versions(self, component: str) -> frozenset[str]:
        """The versions of a program on the nodes that the Pod can land on, where they are known."""
        return frozenset(version for node in self.nodes for version in versions(node, component))

    def facts(self, spec: PodSpec, *, wasm_only: bool) -> Facts:
        """What the class is, and what the Pod says otherwise. `wasm_only`: every image is known to be a module."""
        facts = Facts(dict.fromkeys(self.marks, (_PATH,)))
        if self.name:
            facts.value("class", self.name, _PATH)
        if self.row:
            facts.value("handler", self.handler, _PATH)
            facts.value("boundary", str(self.row.boundary), _PATH)
            for family in self.row.families:
                facts.value("family", family, _PATH)
            if "runwasi" in self.row.families and not wasm_only:
                facts.mark("class-runs-native", _PATH)
            if "wasm" in self.row.families and self.document is None and not wasm_only:
                facts.mark("class-may-run-native", _PATH)
        for predicate, text in sorted(set(_of_nodes(self.nodes))):
            facts.value(predicate, text, "")
        _contradictions(facts, spec, self)
        return facts


class Classes:
    """Resolves classes among the same surroundings; equal questions are answered once."""

    def __init__(self, catalogue: Catalogue, surroundings: Surroundings) -> None:
        self._catalogue = catalogue
        self._surroundings = surroundings
        self._documents = {
            each.metadata.name: each for each in surroundings.runtime_classes if each.metadata and each.metadata.name
        }
        self._known: dict[tuple[object, ...], Resolved] = {}
        self._promises: dict[str, Resolved] = {}

    @property
    def documents(self) -> dict[str, RuntimeClass]:
        """The classes that the surroundings have, by name."""
        return self._documents

    def resolve(self, name: str, spec: PodSpec) -> Resolved:
        """What `name` means for a Pod of that placement."""
        placed = (spec.nodeName, *spec.nodeSelector.items()) if self._surroundings.nodes else ()
        key = (name, *placed)
        if key not in self._known:
            if len(self._known) >= _KEPT:
                self._known.clear()
            self._known[key] = self._resolve(name, spec)
        return self._known[key]

    def promised(self, name: str) -> Resolved:
        """What a class of that name would be, were it installed."""
        if name not in self._promises:
            row = self._catalogue.runtimes.of_class(name)
            reasons = (_reason("class-named", _named(name, row)),)
            self._promises[name] = Resolved(name, None, "", row, State.DECLARED, True, (), (), reasons)
        return self._promises[name]

    def _resolve(self, name: str, spec: PodSpec) -> Resolved:
        document = self._documents.get(name)
        row, handler, reason = self._runtime(name, document)
        selector = _selector(document)
        nodes = tuple(node for node in self._surroundings.nodes if placement.fits(node, spec, selector))
        missing = bool(name) and document is None and self._surroundings.complete
        asked = None if name and document is None else handler if name else ""
        state, starts, why = _on_nodes(asked, nodes, known=bool(self._surroundings.nodes))
        old = tuple(self._old_versions(row, nodes))
        marks = (
            *_marks(name, document, row, self._catalogue.runtimes.promised_by_class(name)),
            *_marks_of_nodes(asked, nodes),
            *(("class-missing",) if missing else ()),
            *(("known-bad-version",) if old else ()),
        )
        return Resolved(
            name=name,
            document=document,
            handler=handler,
            row=row,
            state=_proven(state, handler, row, nodes) if document else State.DECLARED,
            starts=starts and not missing,
            nodes=nodes,
            marks=marks,
            reasons=(*reason, *why, *old),
        )

    def _runtime(self, name: str, document: RuntimeClass | None) -> tuple[Runtime | None, str, tuple[Reason, ...]]:
        runtimes = self._catalogue.runtimes
        if not name:
            text = f"no class is named: the node's default handler, taken for {_DEFAULT}"
            return runtimes.of_handler(_DEFAULT), _DEFAULT, (_reason("default-handler", text),)
        if document is None:
            row = runtimes.of_class(name)
            gone = self._surroundings.complete
            text = f"the cluster has no RuntimeClass {name}: no Pod is admitted" if gone else _named(name, row)
            return row, "", (_reason("class-missing" if gone else "class-named", text),)
        row = runtimes.of_handler(document.handler, _selector(document))
        known = row.title if row else "which the catalogue does not know"
        text = f"RuntimeClass {name} has handler {document.handler}, {known}"
        return row, document.handler, (_reason("class-resolved", text),)

    def _old_versions(self, row: Runtime | None, nodes: Iterable[Node]) -> Iterator[Reason]:
        if row is None or row.component is None:
            return
        for version in sorted({each for node in nodes for each in versions(node, row.component)}):
            bad = self._catalogue.known_bad(row.component, version)
            if bad:
                ids = ", ".join(each.id for each in bad)
                yield _reason("known-bad-version", f"{row.component} {version} on a node has no fix for {ids}")


def _proven(state: State, handler: str, row: Runtime | None, nodes: tuple[Node, ...]) -> State:
    _, lack = _counted(handler, nodes)
    if row is None or not nodes or lack:
        return state
    shown = all(each.proven.get(handler, Boundary.UNKNOWN) >= row.boundary for each in nodes)
    return State.PROVEN if shown else state


def _named(name: str, row: Runtime | None) -> str:
    if row is None:
        return f"neither the RuntimeClass {name} nor its name is known"
    return f"{name} is what RuntimeClasses of {row.title} are called; what its handler is was not looked at"


def _reason(reason: str, text: str) -> Reason:
    return Reason(id=reason, text=text, path=_PATH)


def _selector(document: RuntimeClass | None) -> dict[str, str]:
    return document.scheduling.nodeSelector if document and document.scheduling else {}


def _on_nodes(handler: str | None, nodes: tuple[Node, ...], *, known: bool) -> tuple[State, bool, tuple[Reason, ...]]:
    """How sure the handler is, whether a Pod can start, and why (rules 4 and 5)."""
    if not known:
        return State.DECLARED, True, ()
    if not nodes:
        return (
            State.DECLARED,
            False,
            (_reason("no-node", "no known node has the labels that the Pod or its class asks"),),
        )
    have, lack = _counted(handler, nodes)
    if lack == len(nodes):
        return (
            State.DECLARED,
            False,
            (_reason("handler-missing", f"no node that it can land on has handler {handler}"),),
        )
    if lack:
        text = f"{lack} of {len(nodes)} nodes that it can land on lack handler {handler}: Pods there do not start"
        return State.DECLARED, True, (_reason("handler-missing", text),)
    return (State.RESOLVED if have == len(nodes) else State.DECLARED), True, ()


def _counted(handler: str | None, nodes: tuple[Node, ...]) -> tuple[int, int]:
    """How many nodes say that they have the handler, and that they lack it: none of a handler that nobody knows."""
    if handler is None:
        return 0, 0
    saying = [node.handlers for node in nodes if node.handlers is not None]
    have = sum(handler in handlers for handlers in saying)
    return have, len(saying) - have


def _marks(name: str, document: RuntimeClass | None, row: Runtime | None, promised: Boundary) -> Iterator[str]:
    boundary = row.boundary if row else Boundary.UNKNOWN
    if name and row is None and (document is None or promised is Boundary.UNKNOWN):
        yield "class-unknown"
    if document is None:
        return
    if promised > boundary:
        yield "class-name-lies"
    if boundary >= Boundary.SANDBOX and document.overhead is None:
        yield "class-without-overhead"
    if not _selector(document) and document.handler != _DEFAULT:
        yield "class-without-scheduling"


def _marks_of_nodes(handler: str | None, nodes: tuple[Node, ...]) -> Iterator[str]:
    if _counted(handler, nodes)[1]:
        yield "handler-missing"
    lacks = [handler not in node.user_namespace_handlers for node in nodes if node.handlers is not None]
    if handler is not None and any(lacks):
        yield "user-namespace-unsupported"
    if any(handler not in node.user_namespace_handlers for node in nodes):
        yield "user-namespace-unconfirmed"


def _of_nodes(nodes: Iterable[Node]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        for predicate, component in (("kernel-below", "kernel"), ("kubelet-below", "kubelet")):
            for version in versions(node, component):
                yield predicate, version
        for version in versions(node, "containerd"):
            yield "containerd-below", version
        if node.container_runtime:
            yield "container-runtime", node.container_runtime


def versions(node: Node, component: str) -> Iterator[str]:
    """The versions of a program that a node tells (rule 6)."""
    runtime, _, version = node.container_runtime.partition("://")
    reported = {"kernel": node.kernel, "kubelet": node.kubelet, runtime: version}.get(component, "")
    yield from filter(None, (reported, node.labels.get(VERSION_LABEL + component, "")))


def _contradictions(facts: Facts, spec: PodSpec, resolved: Resolved) -> None:
    """What the Pod says otherwise than its class, and the API server refuses for it."""
    for key, text in spec.nodeSelector.items():
        if resolved.selector.get(key, text) != text:
            facts.mark("selector-conflict", f"nodeSelector.{key}")
    if spec.overhead:
        fixed = resolved.document.overhead.podFixed if resolved.document and resolved.document.overhead else {}
        if (resolved.document or not resolved.name) and dict(fixed) != dict(spec.overhead):
            facts.mark("overhead-differs", "overhead")
