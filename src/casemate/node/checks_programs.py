"""The programs that the runtime starts: owners, folders, versions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from casemate.catalogue.versions import below, parse
from casemate.model.node import FileFact, NodeFacts, Program
from casemate.node.judge import (
    Judged,
    could_not_look,
    holds,
    masked,
    none_of,
    not_applicable,
    owned,
    replaceable,
)

_MAINTAINED: Final = ("1.7", "2.0", "2.1", "2.2", "2.3", "2.4")
# The first supported containerd of each branch, by the kubelet's minor version (containerd RELEASES.md).
_SUPPORTED: Final[dict[int, dict[str, str]]] = {
    33: {"2.1": "2.1.0", "2.0": "2.0.4", "1.7": "1.7.24"},
    34: {"2.1": "2.1.3", "2.0": "2.0.6", "1.7": "1.7.28"},
    35: {"2.2": "2.2.0", "2.1": "2.1.5", "1.7": "1.7.28"},
    36: {"2.3": "2.3.0", "2.2": "2.2.0"},
}


def programs_owned(facts: NodeFacts) -> Judged:
    """Every program's owner."""
    return _programs(facts, lambda each: owned(_itself(each)))


def programs_not_writable(facts: NodeFacts) -> Judged:
    """Every program's mode."""
    return _programs(facts, lambda each: masked(_itself(each), 0o022))


def program_folders(facts: NodeFacts) -> Judged:
    """Every folder above a program."""
    return _programs(facts, lambda each: replaceable(each.files))


def programs_unchanged(facts: NodeFacts) -> Judged:
    """Digests against the journal."""
    prepared = facts.prepared
    if prepared is None or not prepared.programs:
        return not_applicable("casemate prepared no handler here")
    changed = (path for path, digest in prepared.programs.items() if facts.digests.get(path) != digest)
    return none_of(f"{path} is not the program that was prepared" for path in changed)


def no_known_bad(facts: NodeFacts) -> Judged:
    """Published escapes without a fix in this version."""
    return _programs(
        facts, lambda each: [f"{each.name} {each.version}: {', '.join(each.known_bad)}"] if each.known_bad else []
    )


def versions_told(facts: NodeFacts) -> Judged:
    """A version that is not told cannot be known to be good."""
    return _programs(facts, lambda each: [] if each.version else [f"{each.path} tells no version"])


def runtime_maintained(facts: NodeFacts) -> Judged:
    """containerd's branches that get security fixes."""
    if facts.daemon.kind != "containerd":
        return not_applicable("this is not containerd")
    version = facts.daemon.version
    if parse(version) is None:
        return could_not_look("the runtime does not tell its version")
    branch = _branch(version)
    newer = below(_MAINTAINED[-1], branch) is True
    return holds(branch in _MAINTAINED or newer, f"containerd {version}: branch {branch} gets no fixes any more")


def kubelet_supports_runtime(facts: NodeFacts) -> Judged:
    """containerd's table of supported versions for each Kubernetes."""
    if facts.daemon.kind != "containerd":
        return not_applicable("this is not containerd")
    if not facts.kubelet_version:
        return could_not_look("the kubelet's version is not known")
    table = _SUPPORTED.get(int(_branch(facts.kubelet_version).partition(".")[2] or 0))
    if table is None:
        return could_not_look(f"nothing is known of kubelet {facts.kubelet_version}")
    version = facts.daemon.version
    first = table.get(_branch(version))
    newest = max(table.values(), key=lambda each: parse(each) or ((), ()))
    supported = below(version, first) is False if first else below(version, newest) is False
    return holds(supported, f"containerd {version} is not supported for kubelet {facts.kubelet_version}")


def _branch(version: str) -> str:
    return ".".join(version.lstrip("v").split(".")[:2])


def _itself(program: Program) -> Iterator[FileFact]:
    return (each for each in program.files if each.kind == "file")


def _programs(facts: NodeFacts, bad: Callable[[Program], Iterable[str]]) -> Judged:
    if not facts.programs:
        return could_not_look("no program of the runtime was found")
    return none_of(found for each in facts.programs for found in bad(each))
