"""The downward API: what a Pod may ask about itself, as environment variables and as files.

1. `metadata.name`, `.namespace`, `.uid`, `.labels`, `.annotations`, and one label or annotation as
   `metadata.labels['key']`. A whole map is written one `key="value"` per line, sorted, quoted as Go quotes.
2. Only as variables: `spec.nodeName`, `spec.serviceAccountName`, `status.hostIP(s)`, `status.podIP(s)`.
3. `resourceFieldRef`: a request or limit divided by `divisor`, rounded up. A CPU or memory limit that is unset is the
   node's capacity.

Sources: k8s.io/kubernetes v1.36: pkg/fieldpath, pkg/api/v1/resource, pkg/kubelet/kubelet_pods.go.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from casemate.engine.instance import PodInstance
from casemate.engine.translate.resources import Amounts, limits, requests
from casemate.errors import InputError
from casemate.model.handler import NodeFacts
from casemate.model.kube.container import Container
from casemate.model.kube.meta import ResourceFieldSelector
from casemate.model.quantity import parse

_SUBSCRIPT = re.compile(r"(metadata\.(?:labels|annotations))\['(.*)'\]")
_ESCAPES = {'"': '\\"', "\\": "\\\\", "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def metadata_field(instance: PodInstance, path: str) -> str | None:
    """A field of the Pod's metadata, or None when `path` is no such field. An absent label or annotation is empty."""
    meta = instance.pod.metadata
    maps = {
        "metadata.labels": meta.labels if meta else {},
        "metadata.annotations": meta.annotations if meta else {},
    }
    if found := _SUBSCRIPT.fullmatch(path):
        return maps[found[1]].get(found[2], "")
    if path in maps:
        return format_map(maps[path])
    names = {
        "metadata.name": instance.name,
        "metadata.namespace": instance.namespace,
        "metadata.uid": instance.uid,
    }
    return names.get(path)


def variable_field(instance: PodInstance, path: str, node: NodeFacts, addresses: Sequence[str]) -> str:
    """A field as an environment variable shows it. Raises `InputError` for a field that the downward API lacks."""
    spec = instance.pod.spec
    status = {
        "spec.nodeName": node.name,
        "spec.serviceAccountName": (spec and (spec.serviceAccountName or spec.serviceAccount)) or "default",
        "status.hostIP": node.address,
        "status.hostIPs": node.address,
        "status.podIP": addresses[0] if addresses else "",
        "status.podIPs": ",".join(addresses),
    }
    value = status.get(path, metadata_field(instance, path))
    if value is None:
        raise InputError(f"fieldPath {path!r} is not offered", where=f"Pod {instance.namespace}/{instance.name}")
    return value


def resource_field(
    instance: PodInstance, container: Container | None, selector: ResourceFieldSelector, node: NodeFacts
) -> str:
    """A request or limit as text. `container` is the one that asks, where it need not be named."""
    chosen = _named(instance, selector.containerName) if selector.containerName else container
    kind, _, name = selector.resource.partition(".")
    if chosen is None or kind not in ("limits", "requests"):
        raise InputError(
            f"resourceFieldRef {selector.resource!r} of container {selector.containerName!r} is not offered",
            where=f"Pod {instance.namespace}/{instance.name}",
        )
    divisor = parse(selector.divisor) if selector.divisor is not None else Decimal(0)
    amount = (_node_limits(chosen, node) if kind == "limits" else requests(chosen)).get(name, Decimal(0))
    return str(math.ceil(amount / (divisor or 1)))


def format_map(values: Mapping[str, str]) -> str:
    """One `key="value"` per line, sorted by key."""
    return "\n".join(f"{key}={quote(values[key])}" for key in sorted(values))


def quote(text: str) -> str:
    """`text` as Go's strconv.Quote writes it."""
    return '"' + "".join(map(_quoted, text)) + '"'


def _quoted(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character == "\v":
        return "\\v"
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _node_limits(container: Container, node: NodeFacts) -> Amounts:
    capacity = {"cpu": Decimal(node.cpus), "memory": Decimal(node.memory)}
    return capacity | {name: amount for name, amount in limits(container).items() if amount}


def _named(instance: PodInstance, name: str) -> Container | None:
    spec = instance.pod.spec
    members = (*spec.containers, *spec.initContainers) if spec else ()
    return next((each for each in members if each.name == name), None)
