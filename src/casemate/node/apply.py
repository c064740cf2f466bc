"""Carry out a plan on this node, step by step, each of which may be the last.

Rules:

1. What an earlier apply or revert left unfinished is undone first: it is as if it had never begun.
2. The plan is made again under the lock, and must be the one that the user saw.
3. Copies first, then the record, then the files one by one (each old or new, never half), supporting files before the
   configuration that names them. At any time the runtime could start with what lies there.
4. Before the restart the runtime dumps the files as they lie there: that must be what the plan's trial gave.
5. After the restart CRI must be ready, every container that ran must run, and a Pod must start under each new handler.
   Else everything is put back, and the runtime is restarted with what it had.
6. Where no Pod starts under the default handler either, the new handler is kept, and said to be untried.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec

from casemate.errors import CasemateError, RefusedError, RuntimeFault
from casemate.model.node_plan import Applied, FileChange, Journal, Kept, Measured, Outcome, PlannedHandler, Restart
from casemate.node import daemon, effective, journal, measure, prepare, restart, settings
from casemate.node.daemon import Where
from casemate.node.journal import Store
from casemate.node.prepare import Prepared

Say: TypeAlias = Callable[[str], None]
"""Told before each step, so that whoever watches knows how far it got."""

_NEW_MODE = 0o644


def begin(where: Where, names: Sequence[str], say: Say) -> Prepared:
    """The plan to show, after what was left unfinished is taken back."""
    store = Store(daemon.find(where).config_file)
    with store.locked():
        recover(store, say)
        return prepare.prepare(where, names)


def apply(where: Where, names: Sequence[str], seen: Prepared, say: Say, tries: int = measure.TRIES) -> Outcome:
    """Do what the plan `seen` says. Raises `RuntimeFault` when it failed and was taken back."""
    store = Store(seen.plan.config_file)
    with store.locked():
        recovered = recover(store, say)
        prepared = prepare.prepare(where, names)
        if prepared.plan.changes != seen.plan.changes:
            raise RefusedError("the node's files changed since the plan was shown", fix="look at it again: node plan")
        if prepared.plan.is_empty:
            return _as_before(store, prepared.plan.handlers, recovered)
        measured = _carry_out(store, prepared, say, tries)
    changed = tuple(each.path for each in prepared.plan.changes)
    return Outcome(changed=changed, handlers=prepared.plan.handlers, measured=measured, recovered=recovered)


def recover(store: Store, say: Say) -> bool:
    """Undo what was left unfinished (rule 1); whether there was anything."""
    record = store.read()
    found = journal.newest(record)
    if record is None or found is None or found.phase == "applied":
        return False
    say(f"an earlier change was interrupted while {found.phase}: taking it back")
    restart.await_begun(found.restart, record.socket)
    undo(store, record, say)
    return True


def undo(store: Store, record: Journal, say: Say, command: str = "") -> tuple[str, ...]:
    """Take back the newest apply; the paths that changed. Raises `RefusedError` for what others changed beyond that.

    `command` restarts the runtime; else it is restarted as it runs now, or as it ran then.
    """
    done = record.applied[-1]
    foreign = [kept for kept in done.kept if journal.is_foreign(kept)]
    _check_foreign(done, foreign)
    old = daemon.listener(record.socket)
    must_restart = done.phase != "writing" or not old
    if done.phase == "applied":
        record = journal.with_phase(record, "reverting")
        say("recording the revert")
        store.write(record)
    changed = [kept.path for kept in reversed(done.kept) if _put_back(store, kept, say, foreign=kept in foreign)]
    _remove_folders(done.folders)
    if must_restart:
        how = _how_to_restart(record, done, command)
        _restart(how, record.socket, old, say)
    say("closing the record")
    store.write(journal.without_newest(record))
    return tuple(changed)


def _how_to_restart(record: Journal, done: Applied, command: str) -> Restart:
    """The way to restart. A runtime that runs is not ended for a configuration that it refuses, left so by others."""
    known = command or done.restart.command
    where = Where(socket=record.socket, config=record.config_file, restart=known)
    found = daemon.find(where)
    if found.binary:
        effective.of_daemon(found)
    return daemon.restart_of(found, where) if known or found.pid else done.restart


def _put_back(store: Store, kept: Kept, say: Say, *, foreign: bool) -> bool:
    """Restore one file, or cut out of it what was added; whether it changed."""
    if not foreign:
        say(f"putting back {kept.path}")
        return store.restore(kept)
    text = journal.without_added(kept)
    if text is None:
        return False  # it was cut out before a kill
    say(f"taking casemate's tables out of {kept.path}, which others changed since")
    journal.rewrite(Path(kept.path), text)
    return True


def _check_foreign(done: Applied, foreign: Sequence[Kept]) -> None:
    for kept in foreign:
        if journal.without_added(kept) is None and done.phase != "reverting":
            raise RefusedError(
                "this file was changed since casemate wrote it: putting it back would lose that change",
                where=kept.path,
                fix=f"undo the change, or remove casemate's tables by hand and then its journal: {journal.STATE}",
            )


def _carry_out(store: Store, prepared: Prepared, say: Say, tries: int) -> tuple[Measured, ...]:
    running = restart.containers(prepared.plan.socket) if prepared.daemon.pid else set()
    record = _record(store, prepared, say)
    try:
        _write(prepared.plan.changes, say)
        _check_written(prepared, say)
        record = journal.with_phase(record, "restarting")
        say("recording the restart")
        store.write(record)
        _restart(prepared.plan.restart, prepared.plan.socket, daemon.listener(prepared.plan.socket), say)
        _check_running(prepared.plan.socket, running)
        record = journal.with_phase(record, "trying")
        say("recording the trial")
        store.write(record)
        measured = _try(prepared, say, tries)
    except CasemateError as error:
        _take_back(store, record, error, say)
    say("recording the success")
    store.write(journal.with_measured(journal.with_phase(record, "applied"), measured))
    return measured


def _as_before(store: Store, handlers: tuple[PlannedHandler, ...], recovered: bool) -> Outcome:
    """Nothing to do: what was measured when the handlers were added still holds."""
    record = store.read()
    names = {each.name for each in handlers}
    known = [each for done in record.applied for each in done.measured] if record else []
    measured = tuple(each for each in known if each.handler in names)
    return Outcome(changed=(), handlers=handlers, measured=measured, recovered=recovered)


def _take_back(store: Store, record: Journal, error: CasemateError, say: Say) -> None:
    say(f"failed: {error.what}; taking it back")
    try:
        undo(store, record, say)
    except CasemateError as second:
        what = f"{error.what}; and taking it back failed: {second.what}"
        raise RuntimeFault(what, where=second.where, fix="casemate node revert") from None
    raise RuntimeFault(f"{error.what}; everything was put back", where=error.where, fix=error.fix) from None


def _record(store: Store, prepared: Prepared, say: Say) -> Journal:
    plan = prepared.plan
    before = store.read() or Journal(config_file=plan.config_file, socket=plan.socket)
    number = len(before.applied) + 1
    kept: list[Kept] = []
    for index, change in enumerate(plan.changes):
        say(f"copying {change.path}")
        kept.append(store.keep(number, index, _real(change.path), change.after))
    done = Applied(
        number=number,
        phase="writing",
        kept=tuple(kept),
        folders=tuple(_missing_folders(plan.changes)),
        handlers=plan.handlers,
        restart=plan.restart,
        programs={path: journal.digest_of(path) for each in plan.handlers for path in each.programs},
        at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    )
    record = msgspec.structs.replace(before, socket=plan.socket, applied=(*before.applied, done))
    say("recording the plan")
    store.write(record)
    return record


def _real(path: str) -> str:
    """Where a file really lies: a link stays a link."""
    return str(Path(path).resolve())


def _missing_folders(changes: Sequence[FileChange]) -> list[str]:
    """Folders that must be made, parents first."""
    missing: list[str] = []
    for change in changes:
        above = [each for each in Path(_real(change.path)).parents if not each.exists()]
        missing += [str(each) for each in reversed(above) if str(each) not in missing]
    return missing


def _remove_folders(folders: Sequence[str]) -> None:
    for each in reversed(folders):
        folder = Path(each)
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _write(changes: Sequence[FileChange], say: Say) -> None:
    for change in changes:
        file = Path(_real(change.path))
        say(f"writing {file}")
        file.parent.mkdir(parents=True, exist_ok=True)
        if change.before is None:
            journal.replace(file, change.after.encode(), _NEW_MODE)
            continue
        journal.rewrite(file, change.after)


def _check_written(prepared: Prepared, say: Say) -> None:
    """Have the runtime read what lies there now (rule 4). A generated file shows it after the restart only."""
    if not prepared.daemon.binary or prepared.plan.changes[-1].path.endswith((".tmpl", "-template.toml")):
        return
    say("asking the runtime for its effective configuration")
    found = effective.without_imports(effective.of_daemon(prepared.daemon))
    if found != prepared.after and prepared.plan.restart.how != "none":
        raise RuntimeFault("the runtime reads something else than was planned", where=prepared.plan.config_file)


def _restart(how: Restart, socket: str, old: int, say: Say) -> None:
    say("restarting the runtime")
    restart.restart(how, socket)
    say("waiting for the runtime")
    restart.await_health(socket, (lambda pid: bool(pid)) if how.how == "none" else (lambda pid: pid not in (0, old)))


def _check_running(socket: str, before: set[str]) -> None:
    lost = before - restart.containers(socket)
    if lost:
        raise RuntimeFault(f"{len(lost)} containers did not outlive the restart: {', '.join(sorted(lost)[:3])}")


def _try(prepared: Prepared, say: Say, tries: int) -> tuple[Measured, ...]:
    new = [each for each in prepared.plan.handlers if not each.there]
    say(f"starting Pods under {', '.join(each.name for each in new)}")
    measured = measure.measure(
        prepared.plan.socket,
        [each.name for each in new],
        default_handler(prepared),
        settings.sandbox_image(prepared.after),
        tries,
    )
    for each in measured:
        if each.reason and each.default_memory:
            raise RuntimeFault(
                f"no Pod starts under handler {each.handler}: {each.reason}", fix=_hint(new, each.handler)
            )
    return measured


def default_handler(prepared: Prepared) -> str:
    """The handler for Pods that name none."""
    return settings.default_handler(prepared.daemon.kind, prepared.before)


def _hint(handlers: Sequence[PlannedHandler], name: str) -> str:
    programs = next(each.programs for each in handlers if each.name == name)
    return f"try {' and '.join(programs)} by hand; the runtime's log says more"


def revert(config_file: str, say: Say, command: str = "") -> Outcome:
    """Put back everything that casemate changed, newest first. Raises `RefusedError` while Pods use its handlers.

    `command` restarts the runtime, where it is not to be restarted as it runs now.
    """
    store = Store(config_file)
    changed: list[str] = []
    with store.locked():
        recovered = recover(store, say)
        record = store.read()
        handlers = journal.added(record)
        if record is not None:
            _check_unused(record.socket, {each.name for each in handlers})
        edited = _edited(record)
        while record is not None and record.applied:
            changed += undo(store, record, say, command)
            record = store.read()
    return Outcome(
        changed=tuple(dict.fromkeys(changed)), handlers=handlers, recovered=recovered, kept_edits=tuple(edited)
    )


def _edited(record: Journal | None) -> list[str]:
    """Files that others changed since."""
    kept = [each for done in record.applied for each in done.kept] if record else []
    newest = {each.path: each for each in kept}
    return [path for path, each in newest.items() if journal.is_foreign(each)]


def _check_unused(socket: str, handlers: set[str]) -> None:
    """A Pod whose handler is gone cannot be stopped properly, nor started again."""
    if not daemon.listener(socket):
        return
    using = restart.pods_under(socket, handlers)
    if using:
        shown = ", ".join(sorted(using)[:5])
        raise RefusedError(
            f"{len(using)} Pods run under handlers that would go: {shown}",
            fix="delete or move them (kubectl drain), then revert again",
        )


def handlers_of(config_file: str) -> tuple[str, ...]:
    """Names of the handlers that casemate added."""
    return tuple(each.name for each in journal.added(Store(config_file).read()))
