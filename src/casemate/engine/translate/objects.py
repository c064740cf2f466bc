"""Reading what a Pod refers to: ConfigMaps and Secrets of its run.

1. A ConfigMap's texts are in `data`, its bytes in `binaryData`; a Secret's bytes in `data`, its texts in `stringData`,
   which wins (the API server merges them).
2. A reference to an object or key that is not there is an error, unless it is optional.
"""

from __future__ import annotations

import base64
import binascii

from casemate.engine.instance import PodInstance
from casemate.errors import InputError
from casemate.model.inventory import Inventory
from casemate.model.kube.objects import ConfigMap, Secret


def config_map(instance: PodInstance, inventory: Inventory, name: str | None, optional: bool) -> ConfigMap | None:
    """The ConfigMap of the Pod's namespace. Raises `InputError` when it is missing and not optional."""
    found = inventory.config_map(instance.namespace, name or "")
    if found is None and not optional:
        raise missing(instance, f"ConfigMap {instance.namespace}/{name}")
    return found


def secret(instance: PodInstance, inventory: Inventory, name: str | None, optional: bool) -> Secret | None:
    """The Secret of the Pod's namespace. Raises `InputError` when it is missing and not optional."""
    found = inventory.secret(instance.namespace, name or "")
    if found is None and not optional:
        raise missing(instance, f"Secret {instance.namespace}/{name}")
    return found


def missing(instance: PodInstance, what: str) -> InputError:
    """The error for something that the Pod refers to and the run lacks."""
    return InputError(
        f"{what} is not in the input",
        where=f"Pod {instance.namespace}/{instance.name}",
        fix="add it to the input, or mark the reference optional",
    )


def config_map_files(found: ConfigMap) -> dict[str, bytes]:
    """All keys of a ConfigMap."""
    texts = {key: text.encode() for key, text in found.data.items()}
    where = f"ConfigMap {found.metadata.name if found.metadata else ''}"
    return {key: decoded(data, where, key) for key, data in found.binaryData.items()} | texts


def secret_files(found: Secret) -> dict[str, bytes]:
    """All keys of a Secret."""
    where = f"Secret {found.metadata.name if found.metadata else ''}"
    return {key: decoded(data, where, key) for key, data in found.data.items()} | {
        key: text.encode() for key, text in found.stringData.items()
    }


def decoded(data: str, where: str, key: str) -> bytes:
    """Base64 as Go decodes it: line ends are skipped, nothing else. Raises `InputError`."""
    try:
        return base64.b64decode(data.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        raise InputError(f"key {key!r} is not valid base64", where=where, fix="encode it, or use stringData") from None
