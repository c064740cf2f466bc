"""A container's environment.

1. `envFrom` first, in order, then `env`; a later variable replaces an earlier one of the same name.
2. `$(NAME)` in a value refers to a variable defined before it, else to a service's variable.
3. Services' variables come last and never replace one of the container's; `enableServiceLinks: false` leaves them out.
4. A missing object or key is an error unless it is optional; then the variable is left out.
5. CRI carries text: a Secret's value that is not UTF-8 is an error.

Source: k8s.io/kubernetes v1.36: pkg/kubelet/kubelet_pods.go, makeEnvironmentVariables.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from casemate.engine.instance import PodInstance
from casemate.engine.translate.expansion import expand
from casemate.engine.translate.fields import resource_field, variable_field
from casemate.engine.translate.objects import config_map, secret, secret_files
from casemate.errors import InputError
from casemate.model.handler import NodeFacts
from casemate.model.inventory import Inventory
from casemate.model.kube.container import (
    ConfigMapKeySelector,
    Container,
    EnvFromSource,
    EnvVarSource,
    FileKeySelector,
    SecretKeySelector,
)

_EMPTY: Mapping[str, str] = MappingProxyType({})
_BLANK = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_QUOTED = re.compile(r"[ \t]*([^\s=]+)='([^']*)'[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_UNSET = re.compile(r"[ \t]*([^\s=]+)=[ \t][^\n]*(?:\n|\Z)")


@dataclass(frozen=True)
class EnvironmentSources:
    """What variables may come from, besides the Pod itself.

    `services` are the variables for the Services of the Pod's namespace, `files` the texts that `fileKeyRef` names, by
    (volume, path); a file that does not exist is left out.
    """

    inventory: Inventory
    node: NodeFacts
    addresses: tuple[str, ...] = ()
    services: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    files: Mapping[tuple[str, str], str] = field(default_factory=dict)


def environment(instance: PodInstance, container: Container, sources: EnvironmentSources) -> dict[str, str]:
    """The container's variables, in order. Raises `InputError` for a reference to what is not there."""
    spec = instance.pod.spec
    services = _EMPTY if spec and spec.enableServiceLinks is False else sources.services
    found: dict[str, str] = {}
    for group in container.envFrom:
        found |= _group(instance, group, sources.inventory)
    for variable in container.env:
        if variable.value:
            found[variable.name] = expand(variable.value, ChainMap(found, dict(services)))
        elif variable.valueFrom is None:
            found[variable.name] = ""
        elif (value := _value(instance, container, variable.valueFrom, sources)) is not None:
            found[variable.name] = value
    return {**found, **{name: value for name, value in services.items() if name not in found}}


def expanded(words: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    """A command or its arguments with references replaced."""
    return [expand(word, variables) for word in words]


def parse_env_file(text: str, where: str = "") -> dict[str, str]:
    """Variables of a file as `fileKeyRef` takes it: `NAME='value'` lines, comments, values over several lines.

    The first of a name wins. Raises `InputError` with the line's number.
    """
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        if blank := _BLANK.match(text, position):
            position = blank.end()
            continue
        line = _QUOTED.match(text, position) or _UNSET.match(text, position)
        if line is None:
            number = text.count("\n", 0, position) + 1
            raise InputError(f"line {number} is not NAME='value'", where=where)
        found.setdefault(line[1], line[2] if line.re is _QUOTED else "")
        position = line.end()
    return found


def _group(instance: PodInstance, group: EnvFromSource, inventory: Inventory) -> dict[str, str]:
    prefix = group.prefix or ""
    if reference := group.configMapRef:
        texts = config_map(instance, inventory, reference.name, bool(reference.optional))
        return {prefix + key: value for key, value in texts.data.items()} if texts else {}
    if group.secretRef:
        found = secret(instance, inventory, group.secretRef.name, bool(group.secretRef.optional))
        files = secret_files(found) if found else {}
        return {prefix + key: _text(instance, key, value) for key, value in files.items()}
    return {}


def _value(
    instance: PodInstance, container: Container, source: EnvVarSource, sources: EnvironmentSources
) -> str | None:
    if source.fieldRef:
        return variable_field(instance, source.fieldRef.fieldPath, sources.node, sources.addresses)
    if source.resourceFieldRef:
        return resource_field(instance, container, source.resourceFieldRef, sources.node)
    if source.configMapKeyRef:
        return _config_map_value(instance, source.configMapKeyRef, sources.inventory)
    if source.secretKeyRef:
        return _secret_value(instance, source.secretKeyRef, sources.inventory)
    return _file_value(instance, source.fileKeyRef, sources.files) if source.fileKeyRef else ""


def _config_map_value(instance: PodInstance, key: ConfigMapKeySelector, inventory: Inventory) -> str | None:
    found = config_map(instance, inventory, key.name, bool(key.optional))
    value = found.data.get(key.key) if found else None
    if value is None and not key.optional:
        raise _no_key(instance, key.key, f"ConfigMap {key.name}")
    return value


def _secret_value(instance: PodInstance, key: SecretKeySelector, inventory: Inventory) -> str | None:
    found = secret(instance, inventory, key.name, bool(key.optional))
    value = secret_files(found).get(key.key) if found else None
    if value is None and not key.optional:
        raise _no_key(instance, key.key, f"Secret {key.name}")
    return None if value is None else _text(instance, key.key, value)


def _file_value(instance: PodInstance, key: FileKeySelector, files: Mapping[tuple[str, str], str]) -> str | None:
    where = f"Pod {instance.namespace}/{instance.name}, {key.path} in volume {key.volumeName}"
    text = files.get((key.volumeName, key.path))
    value = None if text is None else parse_env_file(text, where).get(key.key)
    if not value and not key.optional:
        raise _no_key(instance, key.key, f"file {key.path} of volume {key.volumeName}")
    return value or None


def _text(instance: PodInstance, key: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InputError(
            f"key {key!r} is no UTF-8 text, which an environment variable must be",
            where=f"Pod {instance.namespace}/{instance.name}",
            fix="mount it as a file",
        ) from None


def _no_key(instance: PodInstance, key: str, holder: str) -> InputError:
    return InputError(
        f"{holder} has no key {key!r}",
        where=f"Pod {instance.namespace}/{instance.name}",
        fix="add the key, or mark the reference optional",
    )
