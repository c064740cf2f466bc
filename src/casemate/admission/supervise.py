"""The process that forks the others and sees to it that they live.

1. Everything is imported and every socket bound before the first fork: a worker that has to be replaced stands again in
   some hundredths of a second, on memory that is shared.
2. Each worker has a listening socket of its own on the one port (SO_REUSEPORT), which spreads connections evenly. This
   process keeps all of them open: what waits there when a worker dies is answered by the one that follows.
3. Who ends without being told to is started anew, at once the first time and later if it keeps ending. Who has not
   beaten for a while hangs and is killed.
4. Who is told to end gets the time to drain, then SIGKILL. Children end with this process, however it ends.
"""

from __future__ import annotations

import ctypes
import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, NoReturn

import structlog

from casemate.admission import controller, logs, worker
from casemate.admission.board import Board
from casemate.admission.metrics import Counters, Gauges
from casemate.admission.settings import Address, Serving
from casemate.catalogue import tables
from casemate.errors import CasemateError, InputError

_SIGNALS: Final = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_CONTROLLER: Final = "controller"
_HANGS_AFTER: Final = 20.0
_LIVED_LONG: Final = 10.0
_LONGEST_PAUSE: Final = 5.0
_ENDS_WITHIN: Final = 20.0
_DEATH_SIGNAL: Final = 1  # PR_SET_PDEATHSIG
_FAILED: Final = 70
_DEEPEST: Final = 12_000

_log = structlog.get_logger("casemate.admission")


@dataclass(slots=True)
class _Child:
    """One process that should be running."""

    role: str
    slot: int
    start: Callable[[], None]
    pid: int = 0
    since: float = 0.0
    pause: float = 0.0
    due: float = 0.0


@dataclass(slots=True)
class Supervisor:
    """Runs one webhook until it is told to end."""

    serving: Serving
    board: Board
    counters: Counters
    children: list[_Child] = field(default_factory=list)
    ending: bool = False

    def run(self) -> int:
        """The exit code."""
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        while True:
            now = time.monotonic()
            for each in self.children:
                if not each.pid and not self.ending and now >= each.due:
                    self._fork(each)
            self._kill_who_hangs(now)
            received = signal.sigtimedwait(_SIGNALS, 0.25)
            if received and received.si_signo in (signal.SIGTERM, signal.SIGINT):
                return self._end()
            self._reap()

    def _fork(self, child: _Child) -> None:
        self.board.clear(child.slot)
        parent = os.getpid()
        child.since = time.monotonic()
        child.pid = os.fork()
        if child.pid == 0:
            _become(child, parent)

    def _reap(self) -> None:
        while any(each.pid for each in self.children):
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            for each in self.children:
                if each.pid == pid:
                    self._note_end(each, os.waitstatus_to_exitcode(status))

    def _note_end(self, child: _Child, code: int) -> None:
        now = time.monotonic()
        child.pid = 0
        child.pause = 0.0 if now - child.since > _LIVED_LONG else min(max(child.pause * 2, 0.05), _LONGEST_PAUSE)
        child.due = now + child.pause
        if not self.ending:
            self.counters.restarts.labels(child.role.rstrip("0123456789")).inc()
            _log.warning("ended; starting it anew", role=child.role, code=code)

    def _kill_who_hangs(self, now: float) -> None:
        for each in self.children:
            if each.pid and now - self.board.read(each.slot).when > _HANGS_AFTER:
                _log.error("hangs; killing it", role=each.role, pid=each.pid)
                self.board.clear(each.slot)
                os.kill(each.pid, signal.SIGKILL)

    def _end(self) -> int:
        _log.info("draining", seconds=self.serving.drain)
        self.ending = True
        self._tell(signal.SIGTERM)
        ends = time.monotonic() + self.serving.drain + _ENDS_WITHIN
        while any(each.pid for each in self.children):
            if time.monotonic() > ends:
                self._tell(signal.SIGKILL)
            signal.sigtimedwait(_SIGNALS, 0.25)
            self._reap()
        return 0

    def _tell(self, number: signal.Signals) -> None:
        for each in self.children:
            if each.pid:
                os.kill(each.pid, number)


def _become(child: _Child, parent: int) -> NoReturn:
    """Run a child's part; its process never returns from here."""
    code = _FAILED
    try:
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(_FAILED)
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        child.start()
        code = 0
    except CasemateError as error:
        _log.error("cannot go on", role=child.role, error=str(error))
        code = error.exit_code
    except SystemExit:
        code = 0
    except BaseException:  # noqa: BLE001 - the process ends here, and says why
        _log.exception("fault", role=child.role)
    finally:
        logs.flush()
        os._exit(code)


def run(serving: Serving) -> int:
    """Serve until told to end. Raises `InputError` for what cannot be used, before anything is served."""
    sys.setrecursionlimit(_DEEPEST)  # An API server takes objects of 10,000 levels: they are to be read, and denied.
    gauges = Gauges()
    counters = Counters(serving.state / "metrics")
    known = tables.load(serving.catalogue)
    controller.check(serving)
    board = Board(serving.workers)
    sockets = [_listen(serving.listen) for _ in range(serving.workers)]
    health = _listen(serving.health)
    supervisor = Supervisor(serving, board, counters)
    control = partial(controller.run, serving, board, gauges, health, known)
    supervisor.children.append(_Child(_CONTROLLER, board.controller, control))
    for slot, each in enumerate(sockets):
        place = worker.Place(slot, each, board, counters, known)
        supervisor.children.append(_Child(f"worker{slot}", slot, partial(worker.run, serving, place)))
    _log.info("serving", address=f"{serving.listen.host}:{serving.listen.port}", workers=serving.workers)
    gc.collect()
    gc.freeze()  # What is shared stays shared: the collector does not write to it.
    return supervisor.run()


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    try:
        made.bind((address.host, address.port))
        made.listen(1024)
    except OSError as error:
        where = f"{address.host}:{address.port}"
        raise InputError(f"cannot listen: {error.strerror}", where=where, fix="choose another address") from None
    made.setblocking(False)
    return made
