"""What proofs ask of a Kubernetes API: lists, and the few objects that are made, changed and removed.

1. A connection is made anew for each look: the token of a Pod's service account is replaced every hour.
2. What is applied is applied as a whole, in the name of one field manager (server-side apply): an object is made or
   changed by one request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeVar

import httpx
import msgspec

from casemate.errors import IncompleteError
from casemate.sources.cluster_access import Access
from casemate.sources.cluster_calls import Calls
from casemate.sources.cluster_client import Client, UnreadError

_SECONDS: Final = 30.0
_MANAGER: Final = "casemate-prove"
_APPLY: Final = "application/apply-patch+yaml"
_RIGHTS: Final = "docs/how-to/prove-a-cluster.md says which rights and objects are needed"
_Kind = TypeVar("_Kind")


class Cluster(Calls):
    """A connection to an API server, to be closed."""

    def __init__(self, access: Access) -> None:
        super().__init__(access, _RIGHTS)
        self._access = access

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
        answer = self.ask("GET", path)
        return None if answer.status_code == httpx.codes.NOT_FOUND else self.read(answer, path, kind)

    def create(self, path: str, body: Mapping[str, object]) -> None:
        """Make an object."""
        self.granted(self.ask("POST", path, body), path)

    def apply(self, path: str, body: Mapping[str, object]) -> None:
        """Make an object, or make it so."""
        query = f"{path}?fieldManager={_MANAGER}&force=true"
        self.granted(self.ask("PATCH", query, body, _APPLY), path)

    def delete(self, path: str) -> None:
        """Remove an object, which may be gone."""
        answer = self.ask("DELETE", path)
        if answer.status_code != httpx.codes.NOT_FOUND:
            self.granted(answer, path)
