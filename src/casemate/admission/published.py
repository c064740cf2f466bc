"""What the controller publishes and every worker takes over: rules, namespaces, a certificate.

1. Each is one file in the state folder that is replaced as a whole (rename): a reader sees the old or the new, never a
   part. The folder is readable by its owner alone, for the key is in it.
2. A worker looks for changes by inode and time, and keeps what it has when it cannot read what is new.
3. Policies, exceptions, classes, nodes and rights change together, with one revision: a request sees one whole set of
   them. Labels of namespaces are many and change often, so they are a file of their own.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

from casemate.admission.judge import Standing, Unread
from casemate.catalogue import Catalogue
from casemate.model.kube.objects import RuntimeClass
from casemate.model.policy import Policy, PolicyException, PolicySettings
from casemate.model.surroundings import Node, Surroundings, UseGrants
from casemate.policy.evaluate import PolicySet

_PRIVATE: Final = 0o700


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a verdict rests on, besides the request and its namespace.

    `complete` tells that the cluster's classes and nodes are all of them: one that is not there does not exist. `use`
    is None as long as no policy asks for rights.
    """

    revision: int
    policies: tuple[Policy, ...] = ()
    exceptions: tuple[PolicyException, ...] = ()
    unread: tuple[Unread, ...] = ()
    runtime_classes: tuple[RuntimeClass, ...] = ()
    nodes: tuple[Node, ...] = ()
    use: UseGrants | None = None
    complete: bool = False

    @property
    def surroundings(self) -> Surroundings:
        """What they know of the cluster, but for its namespaces."""
        return Surroundings(
            complete=self.complete, runtime_classes=self.runtime_classes, nodes=self.nodes, use=self.use
        )

    def standing(self, catalogue: Catalogue, settings: PolicySettings) -> Standing:
        """These rules, compiled."""
        policies = PolicySet(self.policies, self.exceptions, self.surroundings, catalogue, settings)
        return Standing(policies=policies, unread=self.unread, revision=self.revision)


Namespaces = dict[str, dict[str, str]]
"""Labels of namespaces by name."""


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What the server shows, in PEM: its certificate with the CA's, and its key."""

    chain: bytes
    key: bytes


_T = TypeVar("_T")


class Published(Generic[_T]):
    """One file of the state folder."""

    def __init__(self, folder: Path, name: str, type_: type[_T]) -> None:
        self._path = folder / name
        self._type = type_
        self._seen: tuple[int, int] = (0, 0)

    def publish(self, value: _T) -> None:
        """Replace what was published."""
        handle, made = tempfile.mkstemp(dir=self._path.parent, prefix=".new-")
        with os.fdopen(handle, "wb") as file:
            file.write(msgspec.msgpack.encode(value))
        Path(made).replace(self._path)

    def changed(self) -> _T | None:
        """What is new since the last call, or None."""
        try:
            found = self._path.stat()
            seen = (found.st_ino, found.st_mtime_ns)
            if seen == self._seen:
                return None
            value = msgspec.msgpack.decode(self._path.read_bytes(), type=self._type)
        except FileNotFoundError:
            return None
        self._seen = seen
        return value


class State:
    """The files of a state folder, which is made when it is missing."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=_PRIVATE, parents=True, exist_ok=True)
        self.rules = Published(folder, "rules", Rules)
        self.namespaces = Published[Namespaces](folder, "namespaces", dict[str, dict[str, str]])
        self.certificate = Published(folder, "certificate", Certificate)
