"""Single requests to a Kubernetes API, over one connection: what lists and watches are not enough for.

1. What the server refuses for its rules is the user's to settle (`InputError`); what it cannot do now is incomplete.
2. Who asks says where its rights are written down, for whoever lacks one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Self, TypeVar

import httpx
import msgspec

from casemate.errors import IncompleteError, InputError
from casemate.sources.cluster_access import Access
from casemate.sources.cluster_client import connection

_SECONDS: Final = 30.0
_Kind = TypeVar("_Kind")


class _Status(msgspec.Struct):
    message: str = ""


class Calls:
    """A connection to an API server, to be closed. `rights` tells who is refused what to do."""

    def __init__(self, access: Access, rights: str) -> None:
        self._rights = rights
        self._http = connection(access)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def ask(
        self, method: str, path: str, body: Mapping[str, object] | None = None, kind: str = "application/json"
    ) -> httpx.Response:
        """Any answer; `kind` is the body's media type. Raises `IncompleteError` when there is none."""
        content = None if body is None else msgspec.json.encode(body)
        try:
            return self._http.request(method, path, content=content, headers={"Content-Type": kind}, timeout=_SECONDS)
        except httpx.HTTPError as error:
            where, fix = str(self._http.base_url).rstrip("/"), "check the server's address, and that it runs"
            what = f"the cluster does not answer {method} {path}: {error}"
            raise IncompleteError(what, where=where, fix=fix) from None

    def read(self, answer: httpx.Response, path: str, kind: type[_Kind]) -> _Kind:
        """The object of a request that succeeded, as far as `kind` knows it. Raises as `granted` does."""
        try:
            return msgspec.json.decode(self.granted(answer, path), type=kind)
        except msgspec.DecodeError as error:
            raise IncompleteError(f"the cluster's answer cannot be read: {error}", where=path) from None

    def granted(self, answer: httpx.Response, path: str) -> bytes:
        """What a request that succeeded was answered. Raises `InputError` or `IncompleteError` (rule 1)."""
        if answer.is_success:
            return answer.content
        try:
            message = msgspec.json.decode(answer.content, type=_Status).message
        except msgspec.DecodeError:
            message = ""
        what = message or f"the server answered {answer.status_code}"
        if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
            raise InputError(what, where=path, fix=self._rights)
        raise IncompleteError(what, where=path)
