"""Proofs that are kept on an engine, so that `ps` and `run` can say which boundaries are proven.

1. A proof stands as long as what it is bound to: the programs and the configuration files, by their bytes. A file that
   is untouched (same inode, size and time of change, which nobody can set back) is not read again.
2. It stands in the boot of the node that it was made in: the next may be another kernel's, or a laxer one's.
3. A proof of which something changed is stale, and says nothing.
4. What then counts as proven is `casemate.model.proof.Proven`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from casemate.model.proof import Proof, Proven, Result
from casemate.prove.node_kernel import boot_id
from casemate.prove.tasks import Digests


class Bound(msgspec.Struct, frozen=True):
    """A file that a proof is bound to: its digest, and what tells that it was not touched."""

    path: str
    digest: str
    stamp: tuple[int, int, int, int]


class Kept(msgspec.Struct, frozen=True):
    """A proof with the files that it is bound to."""

    proof: Proof
    files: tuple[Bound, ...]


def keep(file: Path, proofs: Iterable[Proof], configuration: Sequence[Path]) -> None:
    """Note proofs, each in place of the older one of its subject. Only proofs that hold are worth keeping."""
    digests = Digests()
    kept = {each.proof.subject: each for each in load(file)}
    for proof in proofs:
        kept.pop(proof.subject, None)
        if proof.result is Result.PROVEN:
            paths = (*(Path(each.path) for each in proof.programs), *configuration)
            kept[proof.subject] = Kept(proof, tuple(_bind(each, digests) for each in paths))
    _write(file, kept.values())


def forget_stale(file: Path) -> None:
    """Drop the proofs of which something has changed."""
    _write(file, load(file))


def _write(file: Path, kept: Iterable[Kept]) -> None:
    fresh = file.with_suffix(".new")
    fresh.write_bytes(msgspec.json.encode(tuple(each for each in kept if stands(each))))
    fresh.replace(file)


def load(file: Path) -> tuple[Kept, ...]:
    """The proofs that were kept; none where there is no such file, or one of another version of casemate."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=tuple[Kept, ...])
    except (FileNotFoundError, msgspec.DecodeError):
        return ()


def stands(kept: Kept) -> bool:
    """Whether nothing that the proof is bound to has changed (rules 1 and 2)."""
    return kept.proof.boot == boot_id() and not any(changed(kept))


def changed(kept: Kept) -> Iterator[str]:
    """The files that are others now than when the proof was made."""
    digests = Digests()
    for each in kept.files:
        if _stamp(Path(each.path)) != each.stamp and digests.of(Path(each.path)) != each.digest:
            yield each.path


def proven(file: Path) -> Proven:
    """What the kept proofs show now."""
    standing = [each.proof for each in load(file) if stands(each)]
    return Proven(
        handlers={
            each.handler: (each.shown, each.time) for each in standing if each.subject == f"handler/{each.handler}"
        },
        pods={each.uid: each.shown for each in standing if each.uid},
    )


def _bind(path: Path, digests: Digests) -> Bound:
    return Bound(str(path), digests.of(path), _stamp(path))


def _stamp(path: Path) -> tuple[int, int, int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0, 0, 0)
    return status.st_dev, status.st_ino, status.st_size, status.st_ctime_ns
