"""What a request says, as variables: the Pod specification in it, and the atoms that selections ask for.

1. A Pod template stands where its kind has it. The same variables exist for the object and, with `old` before their
   names, for the one before an update.
2. An unset class and "" are the same. An unset service account is `default`; its old field counts.
3. All containers count: init, sidecar and ephemeral ones; and images that are mounted as volumes.
4. Only atoms that some selection asks for are made: what nobody asks costs nothing.
5. Users and groups are atoms only where somebody asks, not Kubernetes' own controllers or a node. In an exception's
   scope a Pod has its owner's kind only where a controller asks (`casemate.policy.match`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from casemate.model.policy import CONTROLLERS, NODE
from casemate.policy.compile import images, selection
from casemate.policy.compile.cel import Variable, text, texts

POINTERS: Final = {
    "Pod": "/spec",
    "PodTemplate": "/template/spec",
    "CronJob": "/spec/jobTemplate/spec/template/spec",
}
"""Where the Pod specification stands in an object of that kind, as a JSON pointer."""

COMMON: Final = "/spec/template/spec"
"""Where it stands in all other kinds."""

_SOMEBODY: Final = "variables.asker == 'somebody'"


@dataclass(frozen=True, slots=True)
class Side:
    """The object of a request, or the one before it."""

    object: str
    prefix: str

    def name(self, name: str) -> str:
        """The variable's name on this side: `class`, or `oldClass`."""
        return f"{self.prefix}{name[0].upper()}{name[1:]}" if self.prefix else name

    def variable(self, name: str) -> str:
        """How an expression names it."""
        return f"variables.{self.name(name)}"


NEW: Final = Side("object", "")
OLD: Final = Side("oldObject", "old")

REQUEST: Final = (
    Variable(
        "namespaceLabels",
        "has(namespaceObject.metadata.labels) ? namespaceObject.metadata.labels : {}",
    ),
    Variable(
        "asker",
        f"request.userInfo.username in {texts(sorted(CONTROLLERS))} ? 'controller'"
        f" : request.userInfo.username.startsWith({text(NODE)}) && has(request.userInfo.groups)"
        " && 'system:nodes' in request.userInfo.groups ? 'node' : 'somebody'",
    ),
)
"""What does not depend on the object. A namespace that could not be had is an error, and so refused."""


def template(root: str) -> str:
    """An expression for the Pod template of an object, whatever its kind (rule 1)."""
    return (
        f"request.kind.kind == 'Pod' ? dyn({root}) : request.kind.kind == 'PodTemplate' ? dyn({root}).template"
        f" : request.kind.kind == 'CronJob' ? dyn({root}).spec.jobTemplate.spec.template : dyn({root}).spec.template"
    )


def pod(side: Side) -> tuple[Variable, ...]:
    """The Pod specification of one side, its class and its metadata."""
    here, spec = side.variable, side.variable("spec")
    lists = " + ".join(
        f"(has({spec}.{name}) ? {spec}.{name} : [])" for name in ("initContainers", "containers", "ephemeralContainers")
    )
    return (
        Variable(side.name("template"), template(side.object)),
        Variable(side.name("spec"), f"{here('template')}.spec"),
        Variable(side.name("labels"), _metadata(here("template"), "labels")),
        Variable(side.name("annotations"), _metadata(here("template"), "annotations")),
        Variable(side.name("account"), _account(spec)),
        Variable(side.name("class"), f"has({spec}.runtimeClassName) ? {spec}.runtimeClassName : ''"),
        Variable(side.name("containers"), lists),
    )


def _account(spec: str) -> str:
    fields = ("serviceAccountName", "serviceAccount")
    named = (f"has({spec}.{name}) && {spec}.{name} != '' ? {spec}.{name}" for name in fields)
    return " : ".join((*named, text("default")))


def _metadata(template: str, name: str) -> str:
    return f"has({template}.metadata) && has({template}.metadata.{name}) ? {template}.metadata.{name} : {{}}"


def atoms(side: Side, asked: Iterable[str]) -> tuple[Variable, ...]:
    """The atoms of one side, of those that are asked for."""
    wanted = sorted(set(asked))
    return (
        *_image_names(side, wanted),
        Variable(side.name("atoms"), " + ".join((*_lists(side, wanted), *_of_images(side, wanted))) or "dyn([])"),
    )


def _lists(side: Side, wanted: list[str]) -> Iterator[str]:
    """Lists of atoms, kind by kind (rule 4)."""
    labels = side.variable("labels")
    makers = {
        selection.NAME: "['n:' + request.namespace]",
        selection.NAMESPACE_LABEL: "variables.namespaceLabels.map(k, 'l:' + k + '=' + variables.namespaceLabels[k])",
        selection.NAMESPACE_KEY: "variables.namespaceLabels.map(k, 'k:' + k)",
        selection.POD_LABEL: f"{labels}.map(k, 'p:' + k + '=' + {labels}[k])",
        selection.ACCOUNT: _accounts(side),
        selection.KIND: _kinds(side, "K:", "true"),
        selection.SCOPED_KIND: _kinds(side, "O:", "variables.asker == 'controller'"),
        selection.USER: f"({_SOMEBODY} ? ['u:' + request.userInfo.username] : [])",
        selection.GROUP: f"({_SOMEBODY} && has(request.userInfo.groups) ?"
        " request.userInfo.groups.map(each, 'g:' + each) : [])",
    }
    for prefix, maker in makers.items():
        if known := [each for each in wanted if each.startswith(prefix)]:
            yield f"{maker}.filter(each, each in {texts(known)})"


def _accounts(side: Side) -> str:
    account = side.variable("account")
    return f"['s:' + {account}, 's:' + request.namespace + '/' + {account}]"


def _kinds(side: Side, prefix: str, condition: str) -> str:
    owners = f"dyn({side.object}).metadata.ownerReferences"
    controllers = f"{owners}.filter(o, has(o.controller) && o.controller).map(o, '{prefix}' + o.kind)"
    owned = f"(request.kind.kind == 'Pod' && {condition} && has({owners}) ? {controllers} : [])"
    return f"(['{prefix}' + request.kind.kind] + {owned})"


def _image_names(side: Side, wanted: list[str]) -> Iterator[Variable]:
    if not any(each.startswith((selection.ANY_IMAGE, selection.ALL_IMAGES)) for each in wanted):
        return
    spec, containers = side.variable("spec"), side.variable("containers")
    mounted = (
        f"(has({spec}.volumes) ? {spec}.volumes.filter(v, has(v.image))"
        ".map(v, has(v.image.reference) ? v.image.reference : '') : [])"
    )
    yield Variable(side.name("images"), f"{containers}.map(c, has(c.image) ? c.image : '') + {mounted}")
    yield Variable(side.name("readable"), f"{side.variable('images')}.all(each, {images.readable('each')})")


def _of_images(side: Side, wanted: list[str]) -> Iterator[str]:
    """A policy is about any image, and about what cannot be read; an exception about all (`casemate.policy.match`)."""
    named, readable = side.variable("images"), side.variable("readable")
    for atom in wanted:
        if atom.startswith(selection.ANY_IMAGE):
            fits = (f"({images.fits('each', one, widening=False)})" for one in selection.patterns(atom))
            held = f"!{readable} || {named}.exists(each, {' || '.join(fits)})"
        elif atom.startswith(selection.ALL_IMAGES):
            fits = (f"({images.fits('each', one, widening=True)})" for one in selection.patterns(atom))
            held = f"size({named}) > 0 && {readable} && {named}.all(each, {' || '.join(fits)})"
        else:
            continue
        yield f"({held} ? [{text(atom)}] : [])"
