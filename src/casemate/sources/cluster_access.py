"""How to reach a cluster: from a kubeconfig as kubectl reads it, or from inside a Pod.

1. A file that is named counts alone. Else `KUBECONFIG` names files of which the first that has a name gives it, else
   `~/.kube/config` counts, else the service account of the Pod that this runs in.
2. Paths inside a kubeconfig are relative to that file; data beside a path outranks it.
3. A token outranks a token file; either outranks a password. A plugin (`exec`) is asked last and may give a token or a
   certificate. It is a command that the kubeconfig's owner wrote, run as kubectl runs it, without standard input.
4. `auth-provider`, which Kubernetes 1.26 removed, is refused.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from casemate.errors import InputError, MissingError, RefusedError
from casemate.sources.cluster_plugin import Plugin, ask
from casemate.sources.parse import parse
from casemate.sources.problems import raise_for

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


class _Cluster(msgspec.Struct, frozen=True, rename="kebab"):
    server: str = ""
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""
    proxy_url: str = ""


class _User(msgspec.Struct, frozen=True, rename="kebab"):
    token: str = ""
    token_file: str = msgspec.field(default="", name="tokenFile")
    username: str = ""
    password: str = ""
    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    exec: Plugin | None = None
    auth_provider: dict[str, object] | None = None
    impersonate: str = msgspec.field(default="", name="as")
    impersonate_groups: tuple[str, ...] = msgspec.field(default=(), name="as-groups")


class _Context(msgspec.Struct, frozen=True):
    cluster: str = ""
    user: str = ""


class _NamedCluster(msgspec.Struct, frozen=True):
    name: str
    cluster: _Cluster = _Cluster()


class _NamedUser(msgspec.Struct, frozen=True):
    name: str
    user: _User | None = None


class _NamedContext(msgspec.Struct, frozen=True):
    name: str
    context: _Context = _Context()


class _Config(msgspec.Struct, frozen=True):
    current_context: str = msgspec.field(default="", name="current-context")
    clusters: tuple[_NamedCluster, ...] | None = ()
    users: tuple[_NamedUser, ...] | None = ()
    contexts: tuple[_NamedContext, ...] | None = ()


@dataclass(frozen=True, slots=True)
class Access:
    """Everything that a connection needs. Certificates and the key are PEM."""

    server: str
    authority: bytes | None = None
    insecure: bool = False
    server_name: str = ""
    proxy: str = ""
    certificate: bytes = field(default=b"", repr=False)
    key: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    groups: tuple[str, ...] = ()
    password: tuple[str, str] | None = field(default=None, repr=False)


def access(kubeconfig: str | None = None, context: str | None = None) -> Access:
    """How to reach the cluster of that context, or of the current one.

    Raises `MissingError` when nothing says how, `InputError` when what says it is wrong.
    """
    files = _files(kubeconfig)
    if not files:
        return _from_inside()
    merged = _Merged()
    for file in files:
        merged.add(file, _read(file))
    return merged.access(context)


def _files(kubeconfig: str | None) -> list[Path]:
    if kubeconfig:
        return [Path(kubeconfig)]
    named = [Path(each) for each in os.environ.get("KUBECONFIG", "").split(os.pathsep) if each]
    return [each for each in named or [Path("~/.kube/config").expanduser()] if each.is_file()]


def _read(file: Path) -> _Config:
    try:
        data = file.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"cannot read the kubeconfig: {reason}", where=str(file), fix="check the path") from None
    documents, problems = parse(data, str(file))
    raise_for(problems)
    try:
        return msgspec.convert(_without_nulls(documents[0].value if documents else {}), _Config)
    except msgspec.ValidationError as error:
        raise InputError(f"not a kubeconfig: {error}", where=str(file), fix="kubectl config view shows one") from None


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nulls(each) for key, each in value.items() if each is not None}
    return [_without_nulls(each) for each in value] if isinstance(value, list) else value


_Named = TypeVar("_Named")


class _Merged:
    """Several kubeconfigs as one."""

    def __init__(self) -> None:
        self._current = ""
        self._clusters: dict[str, tuple[_Cluster, Path]] = {}
        self._users: dict[str, tuple[_User, Path]] = {}
        self._contexts: dict[str, _Context] = {}
        self._files: list[str] = []

    def add(self, file: Path, config: _Config) -> None:
        """Take over what no file before gave."""
        self._files.append(str(file))
        self._current = self._current or config.current_context
        folder = file.resolve().parent
        for cluster in config.clusters or ():
            self._clusters.setdefault(cluster.name, (cluster.cluster, folder))
        for user in config.users or ():
            self._users.setdefault(user.name, (user.user or _User(), folder))
        for context in config.contexts or ():
            self._contexts.setdefault(context.name, context.context)

    def access(self, name: str | None) -> Access:
        """The access of a context."""
        context = self._found(self._contexts, name or self._current, "context")
        cluster, folder = self._found(self._clusters, context.cluster, "cluster")
        if not cluster.server:
            raise InputError(f"cluster {context.cluster} has no server", where=self._where, fix="add its URL")
        user, users_folder = self._users.get(context.user, (_User(), folder))
        authority = _pem(cluster.certificate_authority_data, cluster.certificate_authority, folder, "the CA")
        found = Access(
            server=cluster.server.rstrip("/"),
            authority=authority or None,
            insecure=cluster.insecure_skip_tls_verify,
            server_name=cluster.tls_server_name,
            proxy=cluster.proxy_url,
        )
        return _as_user(found, user, users_folder, self._where)

    @property
    def _where(self) -> str:
        return ", ".join(self._files)

    def _found(self, some: Mapping[str, _Named], name: str, what: str) -> _Named:
        if name in some:
            return some[name]
        known = f"it has {', '.join(sorted(some))}" if some else f"it has no {what} at all: name another file"
        missing = f'no {what} "{name}" in the kubeconfig' if name else f"no current {what} in the kubeconfig"
        raise InputError(missing, where=self._where, fix=known)


def _as_user(found: Access, user: _User, folder: Path, where: str) -> Access:
    if user.auth_provider:
        fix = "use an exec plugin or a token; auth-provider was removed from Kubernetes in 1.26"
        raise RefusedError("the user's auth-provider is not supported", where=where, fix=fix)
    token = user.token or (_file(folder / user.token_file, "the token").decode().strip() if user.token_file else "")
    certificate = _pem(user.client_certificate_data, user.client_certificate, folder, "the client certificate")
    key = _pem(user.client_key_data, user.client_key, folder, "the client key")
    if user.exec and not token and not user.username and not certificate:
        given = ask(user.exec, found.server, folder)
        token, certificate, key = given.token, given.certificate, given.key
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if user.impersonate:
        headers["Impersonate-User"] = user.impersonate
    return Access(
        server=found.server,
        authority=found.authority,
        insecure=found.insecure,
        server_name=found.server_name,
        proxy=found.proxy,
        certificate=certificate,
        key=key,
        headers=headers,
        groups=user.impersonate_groups,
        password=(user.username, user.password) if user.username and not token else None,
    )


def _pem(data: str, path: str, folder: Path, what: str) -> bytes:
    if not data:
        return _file(folder / path, what) if path else b""
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise InputError(f"{what} in the kubeconfig is not base64", fix="write it again") from None


def _file(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"cannot read {what}: {reason}", where=str(path), fix="check the kubeconfig") from None


def _from_inside(environment: Callable[[str], str | None] = os.environ.get) -> Access:
    host, port = environment("KUBERNETES_SERVICE_HOST"), environment("KUBERNETES_SERVICE_PORT")
    if not host or not port or not (_ACCOUNT / "token").is_file():
        fix = "name one with --kubeconfig or KUBECONFIG"
        raise MissingError("no kubeconfig, and this is no Pod with a service account", fix=fix)
    name = f"[{host}]" if ":" in host else host
    token = _file(_ACCOUNT / "token", "the token").decode().strip()
    return Access(
        server=f"https://{name}:{port}",
        authority=_file(_ACCOUNT / "ca.crt", "the CA"),
        headers={"Authorization": f"Bearer {token}"},
    )
