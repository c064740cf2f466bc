"""Follow the objects of a kind at the API server: list, then watch, for as long as the process lives.

1. A list is taken over when all of its pages are read, never in part.
2. A watch goes on from the version that was seen last; bookmarks move it on where nothing changes. One that ends or
   breaks is taken up again from there, after a pause that grows while the server is out of reach.
3. When that version is too old (410, or an `ERROR` event that says so), the list is read anew. What is gone in it is
   gone; until then what was known holds.
4. Only what differs from what is known counts as a change.
5. An API that is not served (404) has no objects until it is: then nothing is complete.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Final, Generic, TypeVar

import msgspec
import structlog

from casemate.admission.kube import JSON, METADATA, METADATA_LIST, Kube, StatusError, Unreached
from casemate.errors import CasemateError

_GONE: Final = 410
_MISSING: Final = 404
_WATCH_SECONDS: Final = 300
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 15.0
_T = TypeVar("_T")
_log = structlog.get_logger("casemate.admission")


class _Meta(msgspec.Struct):
    name: str = ""
    namespace: str = ""
    resource_version: str = msgspec.field(default="", name="resourceVersion")


class _Identified(msgspec.Struct):
    metadata: _Meta


class _Failure(msgspec.Struct):
    code: int = 0
    message: str = ""


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


class TooOldError(Exception):
    """The version is not known to the server any more."""


class Store(Generic[_T]):
    """The objects of one kind by `namespace/name`, as far as they are decoded, and the version that they are of."""

    def __init__(self, decoded: Callable[[bytes], _T]) -> None:
        self._decoded = decoded
        self.items: dict[str, _T] = {}
        self.version = ""
        self.synced = False

    def replace(self, items: Iterable[bytes], version: str) -> bool:
        """Take over a list. True when anything differs."""
        found = dict(map(self._identified, items))
        changed = not self.synced or found != self.items
        self.items, self.version, self.synced = found, version, True
        return changed

    def apply(self, line: str | bytes) -> bool:
        """Take over one event of a watch. True when anything differs. Raises `TooOldError`, `StatusError`."""
        event = msgspec.json.decode(line, type=_Event)
        if event.type == "ERROR":
            failure = msgspec.json.decode(event.object, type=_Failure)
            if failure.code == _GONE:
                raise TooOldError(failure.message)
            raise StatusError(failure.code, failure.message)
        meta = msgspec.json.decode(event.object, type=_Identified).metadata
        self.version = meta.resource_version or self.version
        match event.type:
            case "DELETED":
                return self.items.pop(_key(meta), None) is not None
            case "ADDED" | "MODIFIED":
                return self._set(bytes(event.object))
        return False

    def _set(self, raw: bytes) -> bool:
        key, value = self._identified(raw)
        differs = key not in self.items or self.items[key] != value
        self.items[key] = value
        return differs

    def _identified(self, raw: bytes) -> tuple[str, _T]:
        return _key(msgspec.json.decode(raw, type=_Identified).metadata), self._decoded(raw)


def _key(meta: _Meta) -> str:
    return f"{meta.namespace}/{meta.name}"


class Follower(Generic[_T]):
    """Keeps a store as the API server has it, and tells of each change."""

    def __init__(
        self, kube: Kube, path: str, store: Store[_T], changed: Callable[[], None], *, metadata_only: bool = False
    ) -> None:
        self._kube = kube
        self._path = path
        self._store = store
        self._changed = changed
        self._metadata_only = metadata_only

    async def follow(self) -> None:
        """Never ends."""
        pause = _FIRST_PAUSE
        while True:
            try:
                if not self._store.version:
                    await self._list()
                await self._watch()
                pause = _FIRST_PAUSE
                continue
            except TooOldError:
                self._store.version = ""
                continue
            except StatusError as error:
                if error.code == _GONE:
                    self._store.version = ""
                    continue
                self._note(error)
            except (Unreached, CasemateError, msgspec.DecodeError) as error:
                self._note(error)
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads, hides nothing
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _note(self, error: Exception) -> None:
        if isinstance(error, StatusError) and error.code == _MISSING:
            self._store.version = ""
        _log.warning("cannot follow", path=self._path, error=str(error))

    async def _list(self) -> None:
        items: list[bytes] = []
        version = ""
        async for page in self._kube.pages(self._path, _accept(self._metadata_only, of_list=True)):
            items += [bytes(each) for each in page.items or ()]
            version = page.metadata.resource_version
        if self._store.replace(items, version):
            self._changed()

    async def _watch(self) -> None:
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._store.version,
            "timeoutSeconds": str(_WATCH_SECONDS + random.randrange(60)),  # noqa: S311 - spreads, hides nothing
        }
        async with self._kube.watch(self._path, query, _accept(self._metadata_only, of_list=False)) as lines:
            async for line in lines:
                if line and self._store.apply(line):
                    self._changed()


def _accept(metadata_only: bool, *, of_list: bool) -> str:
    if not metadata_only:
        return JSON
    return METADATA_LIST if of_list else METADATA
