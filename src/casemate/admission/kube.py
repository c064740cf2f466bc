"""A small asynchronous client of the API server: objects, paged lists, watches.

1. Requests have a time limit; a busy or failing server is asked again by whoever needs the answer, not here.
2. A service account's token is exchanged by the kubelet well before it ends: credentials are read anew every few
   minutes, and when the server refuses them.
3. Lists are read in pages; each item stays bytes until somebody decodes it.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final
from urllib.parse import urlencode

import httpx
import msgspec

from casemate.sources.cluster_access import Access, access
from casemate.sources.cluster_client import PAGE, credentials, unusable

_READ_ANEW: Final = 240.0
_TIMEOUT: Final = httpx.Timeout(10.0)

JSON: Final = "application/json"
METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"

Object = dict[str, object]


class StatusError(Exception):
    """The server's answer was no success."""

    def __init__(self, code: int, message: str, reason: str = "") -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.reason = reason


class Unreached(Exception):  # noqa: N818 - a state of the server, not a mistake
    """The server did not answer."""


class _ListMeta(msgspec.Struct):
    more: str = msgspec.field(default="", name="continue")
    resource_version: str = msgspec.field(default="", name="resourceVersion")


class Page(msgspec.Struct):
    """A part of a list; the last one has no `metadata.more`."""

    metadata: _ListMeta
    items: list[msgspec.Raw] | None = None


class _Status(msgspec.Struct):
    message: str = ""
    reason: str = ""


class Kube:
    """The API server that a kubeconfig, or the Pod's service account, names."""

    def __init__(self, kubeconfig: str | None = None, context: str | None = None) -> None:
        self._named = kubeconfig, context
        self._client: httpx.AsyncClient | None = None
        self._access: Access | None = None
        self._read = 0.0

    async def get(self, path: str) -> Object:
        """An object."""
        return await self.ask("GET", path)

    async def create(self, path: str, body: Mapping[str, object]) -> Object:
        """Make an object."""
        return await self.ask("POST", path, body)

    async def replace(self, path: str, body: Mapping[str, object]) -> Object:
        """Replace an object; its resourceVersion must be the newest."""
        return await self.ask("PUT", path, body)

    async def apply(self, path: str, body: Mapping[str, object]) -> Object:
        """Make or change an object as its only owner (server-side apply)."""
        kind = "application/apply-patch+yaml"
        return await self.ask("PATCH", f"{path}?fieldManager=casemate&force=true", body, kind)

    async def merge(self, path: str, body: Mapping[str, object]) -> Object:
        """Change some fields of an object (JSON Merge Patch)."""
        return await self.ask("PATCH", path, body, "application/merge-patch+json")

    async def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        kind: str = "application/json",
        accept: str = "application/json",
    ) -> Object:
        """One request. Raises `StatusError` or `Unreached`."""
        content = None if body is None else json.dumps(body).encode()
        answer = await self._send(method, path, content, {"Content-Type": kind, "Accept": accept})
        return msgspec.json.decode(answer.content, type=dict[str, object]) if answer.content else {}

    async def pages(self, path: str, accept: str = "application/json", selector: str = "") -> AsyncIterator[Page]:
        """A list, of what has the labels, page by page. Raises `StatusError` 410 when its time ran out between two."""
        more = ""
        chosen = {"limit": str(PAGE)} | ({"labelSelector": selector} if selector else {})
        while True:
            query = chosen | ({"continue": more} if more else {})
            answer = await self._send("GET", f"{path}?{urlencode(query)}", None, {"Accept": accept})
            page = msgspec.json.decode(answer.content, type=Page)
            yield page
            more = page.metadata.more
            if not more:
                return

    @asynccontextmanager
    async def watch(self, path: str, query: Mapping[str, str], accept: str) -> AsyncIterator[AsyncIterator[str]]:
        """The lines of a watch, which ends when the server ends it or is silent for too long."""
        seconds = float(query.get("timeoutSeconds", "300"))
        timeout = httpx.Timeout(10.0, read=seconds + 15.0)
        client = self._connected()
        try:
            async with client.stream(
                "GET", f"{path}?{urlencode(query)}", timeout=timeout, headers={"Accept": accept}
            ) as it:
                if not it.is_success:
                    await it.aread()
                    raise self._refused(it)
                yield it.aiter_lines()
        except httpx.HTTPError as error:
            raise Unreached(_text(error)) from None

    async def close(self) -> None:
        """Let go of all connections."""
        if self._client:
            await self._client.aclose()
            self._client = None

    async def _send(self, method: str, path: str, content: bytes | None, headers: dict[str, str]) -> httpx.Response:
        try:
            answer = await self._connected().request(method, path, content=content, headers=headers)
        except httpx.HTTPError as error:
            raise Unreached(_text(error)) from None
        if not answer.is_success:
            raise self._refused(answer)
        return answer

    def _refused(self, answer: httpx.Response) -> StatusError:
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            self._read = 0.0
        try:
            status = msgspec.json.decode(answer.content, type=_Status)
        except msgspec.DecodeError:
            status = _Status(answer.reason_phrase)
        return StatusError(answer.status_code, status.message, status.reason)

    def _connected(self) -> httpx.AsyncClient:
        now = time.monotonic()
        if self._client is None or not self._read or now - self._read > _READ_ANEW:
            self._read = now
            self._take(access(*self._named))
        assert self._client is not None
        return self._client

    def _take(self, found: Access) -> None:
        """Use these credentials: in the client that there is, when only the token differs."""
        if self._client and self._access and replace(found, headers=self._access.headers) == self._access:
            self._client.headers.update(found.headers)
        else:
            self._client = _client(found)
        self._access = found


def _client(found: Access) -> httpx.AsyncClient:
    try:
        return httpx.AsyncClient(**credentials(found), timeout=_TIMEOUT)
    except (httpx.InvalidURL, ValueError) as error:
        raise unusable(found, error) from None


def _text(error: Exception) -> str:
    return str(error) or type(error).__name__
