"""Which credentials an image is pulled with (kubelet's credentialprovider).

1. They come from the Pod's imagePullSecrets, of the types kubernetes.io/dockerconfigjson and kubernetes.io/dockercfg.
2. A key names a registry and perhaps a path: `example.org`, `*.example.org`, `example.org:5000/team`, also as a URL. A
   `*` stands for part of one label of the host; port and number of labels must be equal; the path is a prefix.
3. The longest key comes first. All that match are tried in turn; without any the pull is anonymous.
4. Docker Hub's key is `https://index.docker.io/v1/`, in any of its spellings.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TypeVar

import msgspec

from casemate.errors import InputError
from casemate.images.reference import DEFAULT_REGISTRY, Reference
from casemate.model.kube.objects import Secret

CONFIG_JSON = "kubernetes.io/dockerconfigjson"
CONFIG_LEGACY = "kubernetes.io/dockercfg"
_HUB = "index.docker.io"


@dataclass(frozen=True, repr=False)
class Credential:
    """What a registry wants to see. It has no representation, so that no log shows it."""

    username: str = ""
    password: str = ""
    identity_token: str = ""
    registry_token: str = ""


class _Entry(msgspec.Struct, frozen=True):
    username: str = ""
    password: str = ""
    auth: str = ""
    identitytoken: str = ""
    registrytoken: str = ""


class _ConfigJson(msgspec.Struct, frozen=True):
    auths: dict[str, _Entry] = {}


def for_image(secrets: Iterable[Secret], image: Reference) -> tuple[Credential, ...]:
    """The credentials in `secrets` for `image`, in the order in which to try them. Raises `InputError`."""
    entries = [pair for secret in secrets for pair in _entries(secret)]
    entries.sort(key=lambda pair: (pair[0].count("/"), len(pair[0])), reverse=True)
    return tuple(credential for key, credential in entries if _matches(key, image))


def _entries(secret: Secret) -> list[tuple[str, Credential]]:
    where = f"Secret {_name(secret)}"
    match secret.type:
        case str(kind) if kind == CONFIG_JSON:
            auths = _decode(_field(secret, ".dockerconfigjson", where), _ConfigJson, where).auths
        case str(kind) if kind == CONFIG_LEGACY:
            auths = _decode(_field(secret, ".dockercfg", where), dict[str, _Entry], where)
        case _:
            raise InputError(
                f"an imagePullSecret must be of type {CONFIG_JSON}, not {secret.type or 'Opaque'}", where=where
            )
    return [(_normalise(key), _credential(entry, f"{where}: {key}")) for key, entry in auths.items()]


def _name(secret: Secret) -> str:
    return (secret.metadata and secret.metadata.name) or "without name"


def _field(secret: Secret, key: str, where: str) -> bytes:
    if key in secret.stringData:
        return secret.stringData[key].encode()
    try:
        return base64.b64decode(secret.data[key], validate=True)
    except KeyError:
        raise InputError(f"has no {key}", where=where) from None
    except (binascii.Error, ValueError):
        raise InputError(f"{key} is no base64", where=where) from None


_Kind = TypeVar("_Kind")


def _decode(raw: bytes, kind: type[_Kind], where: str) -> _Kind:
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InputError(f"not Docker's configuration: {error}", where=where) from None


def _credential(entry: _Entry, where: str) -> Credential:
    username, password = entry.username, entry.password
    if entry.auth:
        try:
            username, _, password = base64.b64decode(entry.auth, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            raise InputError("auth is no base64 of user:password", where=where) from None
    return Credential(username, password.rstrip("\0"), entry.identitytoken, entry.registrytoken)


def _normalise(key: str) -> str:
    key = key.removeprefix("https://").removeprefix("http://").rstrip("/")
    for suffix in ("/v1", "/v2"):
        key = key.removesuffix(suffix)
    return _HUB if key in (DEFAULT_REGISTRY, f"registry-1.{DEFAULT_REGISTRY}") else key


def _matches(key: str, image: Reference) -> bool:
    host, _, path = key.partition("/")
    registry = _HUB if image.registry == DEFAULT_REGISTRY else image.registry
    if path and not f"{image.repository}/".startswith(f"{path}/"):
        return False
    wanted, _, wanted_port = host.partition(":")
    found, _, found_port = registry.partition(":")
    labels, found_labels = wanted.split("."), found.split(".")
    return (
        wanted_port == found_port
        and len(labels) == len(found_labels)
        and all(fnmatchcase(label, pattern) for pattern, label in zip(labels, found_labels, strict=True))
    )
