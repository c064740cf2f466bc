"""Owners and modes of the files that decide what the runtime starts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import chain
from typing import TypeAlias

from casemate.model.node import FileFact, NodeFacts, Unseen
from casemate.node.judge import Judged, could_not_look, masked, none_of, not_applicable, owned, owner, replaceable

_Bad: TypeAlias = Callable[[tuple[FileFact, ...]], Iterable[str]]

_OTHERS_WRITE = 0o022
_CERTIFICATE = 0o133
_SECRET = 0o177


def configuration_owned(facts: NodeFacts) -> Judged:
    """The root file, imports and drop-in folders."""
    return _judged(facts, "configuration", owned)


def configuration_not_writable(facts: NodeFacts) -> Judged:
    """The same files' modes."""
    return _judged(facts, "configuration", lambda files: masked(files, _OTHERS_WRITE))


def folders_not_writable(facts: NodeFacts) -> Judged:
    """All folders above them."""
    return _judged(facts, "folders of the configuration", replaceable)


def units_owned(facts: NodeFacts) -> Judged:
    """Unit files and their drop-ins."""
    if not facts.daemon.unit:
        return not_applicable("the runtime has no systemd unit")
    return _judged(facts, "units", _root_alone)


def handler_files_owned(facts: NodeFacts) -> Judged:
    """runsc.toml, Kata's configuration, base OCI specifications."""
    return _judged(facts, "handlers", _root_alone)


def registry_files_owned(facts: NodeFacts) -> Judged:
    """Everything below the registries' folder."""
    return _judged(facts, "registries", _root_alone)


def registry_certificates_mode(facts: NodeFacts) -> Judged:
    """Certificates and keys of registries."""
    return _judged(facts, "registry certificates", lambda files: masked(files, _CERTIFICATE))


def cni_files_owned(facts: NodeFacts) -> Judged:
    """Networks and plugins."""
    files = (*facts.files.get("CNI", ()), *facts.files.get("CNI plugins", ()))
    return _of(facts, files, "CNI", _root_alone)


def cdi_files_owned(facts: NodeFacts) -> Judged:
    """Folders from which devices are injected."""
    return _judged(facts, "CDI", _root_alone)


def root_mode(facts: NodeFacts) -> Judged:
    """The runtime's data."""
    return _judged(facts, "root", lambda files: chain(owner(files), masked(files, _OTHERS_WRITE)))


def kubelet_files(facts: NodeFacts) -> Judged:
    """The kubelet's configuration and credentials."""
    if isinstance(facts.kubelet, Unseen):
        return could_not_look(facts.kubelet.reason)
    return _judged(facts, "kubelet", lambda files: chain(owned(files), masked(files, _SECRET)))


def _root_alone(files: tuple[FileFact, ...]) -> chain[str]:
    return chain(owned(files), masked(files, _OTHERS_WRITE))


def _judged(facts: NodeFacts, kind: str, bad: _Bad) -> Judged:
    return _of(facts, facts.files.get(kind, ()), kind, bad)


def _of(facts: NodeFacts, files: tuple[FileFact, ...], kind: str, bad: _Bad) -> Judged:
    """Files that the configuration names are known only when it could be read."""
    if files:
        return none_of(bad(files))
    if isinstance(facts.configuration, Unseen):
        return could_not_look(facts.configuration.reason)
    return not_applicable(f"there are no such files ({kind})")
