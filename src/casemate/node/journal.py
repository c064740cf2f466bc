"""What casemate did to a node, on disk before it is done, so that a kill at any time can be undone.

Rules:

1. A record is whole or not there: it is written beside, flushed to the disk, renamed, and its folder flushed.
2. Copies of files lie there, with their digests, before the record that names them; the record is there before any
   file changes.
3. A restored file has its bytes, mode, owner and extended attributes (SELinux' label) of before. A file that was not
   there is removed, and folders that were made are removed when they are empty.
4. A file that others changed since is not put back, which would lose their change: what was added to it is cut out
   again, where it stands there as it was added. Where it does not, nothing is done.
5. A copy whose digest is wrong restores nothing: half a configuration is worse than a known wrong one.
6. One journal per configuration file: nodes have more than one containerd. One process at a time writes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec

from casemate.errors import InputError, MissingError, RefusedError, RuntimeFault
from casemate.model.node_plan import Applied, Journal, Kept, Measured, Phase, PlannedHandler

STATE = Path("/var/lib/casemate-node")
_RECORD = "journal.json"


class Store:
    """The journal of one configuration file."""

    def __init__(self, config_file: str) -> None:
        digest = hashlib.sha256(config_file.encode()).hexdigest()[:8]
        name = re.sub(r"[^A-Za-z0-9.]+", "-", config_file).strip("-")[-60:]
        self.folder = STATE / f"{name}-{digest}"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Nobody else changes this node meanwhile. Raises `RefusedError` when somebody does."""
        try:
            STATE.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = self.folder.with_suffix(".lock").open("w")
        except PermissionError:
            raise MissingError("a node can be changed by root alone", where=str(STATE), fix="run as root") from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RefusedError("another casemate is changing this node", fix="wait for it to end") from None
            yield

    def read(self) -> Journal | None:
        """What was done, or None when nothing was. Raises `RuntimeFault` for a record that cannot be read."""
        try:
            return msgspec.json.decode((self.folder / _RECORD).read_bytes(), type=Journal)
        except FileNotFoundError:
            return None
        except PermissionError:
            raise MissingError("may not be read", where=str(self.folder), fix="run as root") from None
        except msgspec.MsgspecError as error:
            raise RuntimeFault(f"the journal is damaged: {error}", where=str(self.folder / _RECORD)) from None

    def write(self, journal: Journal) -> None:
        """Record what is done; the record is on disk when this returns. Without any apply it is removed."""
        if not journal.applied:
            shutil.rmtree(self.folder, ignore_errors=True)
            _flush(STATE)
            return
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace(self.folder / _RECORD, msgspec.json.format(msgspec.json.encode(journal), indent=1), 0o600)

    def keep(self, number: int, index: int, path: str, after: str) -> Kept:
        """Copy a file as it is before a change."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = Path(path)
        sha256_after = digest(after.encode())
        if not file.exists():
            return Kept(path=path, backup="", sha256_before="", sha256_after=sha256_after)
        data, status = file.read_bytes(), file.stat()
        backup = f"{number}-{index}.before"
        replace(self.folder / backup, data, 0o600)
        before = data.decode(errors="surrogateescape")
        return Kept(
            path=path,
            backup=backup,
            added=after[len(before) :] if after.startswith(before) else "",
            sha256_before=digest(data),
            sha256_after=sha256_after,
            mode=status.st_mode & 0o7777,
            uid=status.st_uid,
            gid=status.st_gid,
            attributes={name: os.getxattr(path, name) for name in os.listxattr(path)},
        )

    def restore(self, kept: Kept) -> bool:
        """Put a file back; whether anything changed. Raises `RuntimeFault` when its copy is damaged (rule 5)."""
        file = Path(kept.path)
        if not kept.backup:
            was_there = file.exists()
            file.unlink(missing_ok=True)
            _flush(file.parent)
            return was_there
        data = (self.folder / kept.backup).read_bytes()
        if digest(data) != kept.sha256_before:
            raise RuntimeFault("the copy of this file is damaged", where=str(self.folder / kept.backup))
        if _same(file, kept):
            return False
        replace(file, data, kept.mode, (kept.uid, kept.gid), kept.attributes)
        return True


def is_foreign(kept: Kept) -> bool:
    """Whether somebody else changed the file since it was written."""
    return digest_of(kept.path) not in (kept.sha256_after, kept.sha256_before)


def without_added(kept: Kept) -> str | None:
    """The file's text without what was added to it; None where that does not stand there once, as it was added."""
    try:
        text = Path(kept.path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return text.replace(kept.added, "") if kept.added and text.count(kept.added) == 1 else None


def with_phase(journal: Journal, phase: Phase) -> Journal:
    """The journal whose newest apply has got that far."""
    *older, newest = journal.applied
    return msgspec.structs.replace(journal, applied=(*older, msgspec.structs.replace(newest, phase=phase)))


def with_measured(journal: Journal, measured: tuple[Measured, ...]) -> Journal:
    """The journal with what the newest apply's handlers cost."""
    *older, newest = journal.applied
    return msgspec.structs.replace(journal, applied=(*older, msgspec.structs.replace(newest, measured=measured)))


def without_newest(journal: Journal) -> Journal:
    """The journal before its newest apply."""
    return msgspec.structs.replace(journal, applied=journal.applied[:-1])


def newest(journal: Journal | None) -> Applied | None:
    """What was done last."""
    return journal.applied[-1] if journal and journal.applied else None


def added(journal: Journal | None) -> tuple[PlannedHandler, ...]:
    """The handlers that were not there before."""
    return tuple(each for done in journal.applied for each in done.handlers if not each.there) if journal else ()


def replace(
    file: Path,
    data: bytes,
    mode: int,
    owner: tuple[int, int] | None = None,
    attributes: dict[str, bytes] | None = None,
) -> None:
    """Write a file so that it is the old or the new one at any time, also after a power failure."""
    fresh = file.with_name(f".{file.name}.casemate")
    with fresh.open("wb") as handle:
        os.fchmod(handle.fileno(), mode)
        if owner:
            os.fchown(handle.fileno(), *owner)
            os.fchmod(handle.fileno(), mode)  # a change of owner drops set-id bits
        for name, value in (attributes or {}).items():
            os.setxattr(handle.fileno(), name, value)
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    fresh.replace(file)
    _flush(file.parent)


def rewrite(file: Path, text: str) -> None:
    """Give a file that is there another text; its mode, owner and extended attributes stay."""
    status = file.stat()
    attributes = {name: os.getxattr(file, name) for name in os.listxattr(file)}
    replace(file, text.encode(), status.st_mode & 0o7777, (status.st_uid, status.st_gid), attributes)


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def digest_of(path: str) -> str:
    """A file's SHA-256; empty when it is not there. Raises `InputError` when it cannot be read."""
    try:
        return digest(Path(path).read_bytes())
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=path) from None


def _same(file: Path, kept: Kept) -> bool:
    try:
        status = file.stat()
        found = (status.st_mode & 0o7777, status.st_uid, status.st_gid)
        return found == (kept.mode, kept.uid, kept.gid) and digest(file.read_bytes()) == kept.sha256_before
    except FileNotFoundError:
        return False


def _flush(folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
