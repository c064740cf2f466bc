"""Which handler a Pod's class means on this engine.

Rules (KEP-585 RuntimeClass):

1. An unset `runtimeClassName`, and an empty one, mean the engine's default handler. Overhead needs a class.
2. A RuntimeClass in the input says which handler it means, and its `overhead`.
3. Else a class is known by the name of a handler, or by a name that the catalogue has for the handler's runtime
   (`gvisor` for runsc); its overhead is then the catalogue's.
4. A Pod's own `overhead` must be that of its class, as the RuntimeClass admission demands; without a class it has none.
5. Any other class is an error, and so is one whose handler this engine lacks or could not start a sandbox with: a Pod
   is never run under another handler than the one asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from casemate.catalogue.runtimes import Catalogue
from casemate.engine.supervise.run_record import ResolvedClass
from casemate.errors import InputError, MissingError
from casemate.model.handler import Handler
from casemate.model.inventory import Inventory, PodTemplate
from casemate.model.kube.struct import Quantity
from casemate.model.quantity import parse


def resolve_classes(
    inventory: Inventory, handlers: Sequence[Handler], catalogue: Catalogue, default_handler: str
) -> dict[str, ResolvedClass]:
    """What every class that the inventory's Pods name resolves to. Raises `InputError` and `MissingError`."""
    names = {template.spec.runtimeClassName or "": template.title for template in inventory.pod_templates()}
    resolved = {
        name: _resolve(name, title, inventory, handlers, catalogue, default_handler) for name, title in names.items()
    }
    for template in inventory.pod_templates():
        _check_overhead(template, resolved[template.spec.runtimeClassName or ""])
    return resolved


def _check_overhead(template: PodTemplate, resolved: ResolvedClass) -> None:
    own = {name: parse(quantity) for name, quantity in template.spec.overhead.items()}
    if own and own != {name: parse(quantity) for name, quantity in resolved.overhead.items()}:
        raise InputError(
            f"spec.overhead is not that of its class, {resolved.name or 'the default'}",
            where=template.title,
            fix="remove spec.overhead: it is set from the class",
        )


def _resolve(
    name: str,
    title: str,
    inventory: Inventory,
    handlers: Sequence[Handler],
    catalogue: Catalogue,
    default_handler: str,
) -> ResolvedClass:
    if not name:
        return ResolvedClass(name="", handler=_working(default_handler, "", title, handlers))
    document = inventory.runtime_class(name)
    if document:
        overhead = document.overhead.podFixed if document.overhead else {}
        return ResolvedClass(name=name, handler=_working(document.handler, name, title, handlers), overhead=overhead)
    handler = _built_in(name, handlers, catalogue)
    if handler is None:
        known = sorted({name for each in handlers for name in catalogue.class_names(each.name)})
        raise InputError(
            f"no RuntimeClass {name!r}",
            where=title,
            fix=f"add a RuntimeClass document, or use one that this engine knows: {', '.join(known)}",
        )
    return ResolvedClass(
        name=name, handler=_working(handler, name, title, handlers), overhead=_overhead(handler, catalogue)
    )


def _overhead(handler: str, catalogue: Catalogue) -> dict[str, Quantity]:
    row = catalogue.of_handler(handler)
    known = {"memory": row.overhead.memory, "cpu": row.overhead.cpu} if row and row.overhead else {}
    return {name: amount for name, amount in known.items() if amount and parse(amount)}


def _built_in(name: str, handlers: Iterable[Handler], catalogue: Catalogue) -> str | None:
    return next((each.name for each in handlers if name == each.name or name in catalogue.class_names(each.name)), None)


def _working(handler: str, class_name: str, title: str, handlers: Iterable[Handler]) -> str:
    found = next((each for each in handlers if each.name == handler), None)
    asked = f"class {class_name!r}" if class_name else "no class"
    if found is None:
        raise MissingError(
            f"{asked} means the handler {handler!r}, which this engine does not have",
            where=title,
            fix="casemate engine status shows its handlers; casemate engine install adds runtimes",
        )
    if not found.works:
        raise MissingError(
            f"{asked} means the handler {handler!r}, which does not work here: {found.reason}",
            where=title,
            fix="casemate engine status",
        )
    return handler
