"""What proofs ask of a Kubernetes API: lists, and the few objects that are made, changed and removed.

1. A connection is made anew for each look: the token of a Pod's service account is replaced every hour.
2. What is applied is applied as a whole, in the name of one field manager (server-side apply): an object is made or
   changed by one request.
3. What the server refuses for its rules is the user's to settle (`InputError`); what it cannot do now is incomplete.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, Self, TypeVar

import httpx
import msgspec

from casemate.errors import IncompleteError, InputError
from casemate.sources.cluster_access import Access
from casemate.sources.cluster_client import Client, UnreadError, connection

_SECONDS: Final = 30.0
_MANAGER: Final = "casemate-prove"
_APPLY: Final = "application/apply-patch+yaml"
_JSON: Final = "application/json"
_RIGHTS: Final = "docs/how-to/prove-a-cluster.md says which rights and objects are needed"
_Kind = TypeVar("_Kind")


class _Status(msgspec.Struct):
    message: str = ""


class Cluster:
    """A connection to an API server, to be closed."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._http = connection(access)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def check(self) -> None:
        """Raise `IncompleteError` when the cluster is out of reach, `InputError` when it does not know us."""
        with Client(self._access, _SECONDS) as client:
            client.check()

    def list(self, path: str, kind: type[_Kind]) -> Iterator[_Kind]:
        """The objects of a list, as far as `kind` knows them. Raises `IncompleteError` when they cannot be read."""
        try:
            with Client(self._access, _SECONDS) as client:
                for page in client.pages(path):
                    yield from (msgspec.json.decode(raw, type=kind) for raw in page)
        except UnreadError as error:
            raise IncompleteError(f"the cluster did not tell: {error.reason}", where=path, fix=_RIGHTS) from None
        except msgspec.DecodeError as error:
            raise IncompleteError(f"the cluster's answer cannot be read: {error}", where=path) from None

    def get(self, path: str, kind: type[_Kind]) -> _Kind | None:
        """An object; None when there is none."""
        answer = self._ask("GET", path)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        try:
            return msgspec.json.decode(_granted(answer, path), type=kind)
        except msgspec.DecodeError as error:
            raise IncompleteError(f"the cluster's answer cannot be read: {error}", where=path) from None

    def create(self, path: str, body: Mapping[str, object]) -> None:
        """Make an object."""
        _granted(self._ask("POST", path, body), path)

    def apply(self, path: str, body: Mapping[str, object]) -> None:
        """Make an object, or make it so."""
        query = f"{path}?fieldManager={_MANAGER}&force=true"
        _granted(self._ask("PATCH", query, body, _APPLY), path)

    def delete(self, path: str) -> None:
        """Remove an object, which may be gone."""
        answer = self._ask("DELETE", path)
        if answer.status_code != httpx.codes.NOT_FOUND:
            _granted(answer, path)

    def _ask(
        self, method: str, path: str, body: Mapping[str, object] | None = None, kind: str = _JSON
    ) -> httpx.Response:
        content = None if body is None else msgspec.json.encode(body)
        headers = {"Content-Type": kind}
        try:
            return self._http.request(method, path, content=content, headers=headers, timeout=_SECONDS)
        except httpx.HTTPError as error:
            where, fix = str(self._http.base_url).rstrip("/"), "check the server's address, and that it runs"
            what = f"the cluster does not answer {method} {path}: {error}"
            raise IncompleteError(what, where=where, fix=fix) from None


def _granted(answer: httpx.Response, path: str) -> bytes:
    if answer.is_success:
        return answer.content
    try:
        message = msgspec.json.decode(answer.content, type=_Status).message
    except msgspec.DecodeError:
        message = ""
    what = message or f"the server answered {answer.status_code}"
    if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
        raise InputError(what, where=path, fix=_RIGHTS)
    raise IncompleteError(what, where=path)
