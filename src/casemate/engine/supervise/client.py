"""The command line's end of the socket. Survives the supervisor's death: it is started again and asked again."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

from casemate.engine.paths import EnginePaths
from casemate.engine.supervise import process
from casemate.engine.supervise.messages import ANSWER, Down, Keep, Refusal, Request, Snapshot, State, line
from casemate.errors import IncompleteError, InputError
from casemate.model.status import RunStatus

_RETRIES = 20
_PAUSE = 0.25


class SupervisorClient:
    """Asks the supervisor of one engine."""

    def __init__(self, paths: EnginePaths) -> None:
        self._paths = paths

    def keep(self, run: str, timeout: float | None = None) -> Iterator[RunStatus]:
        """Have a run kept; its status as it changes. Raises `IncompleteError` after `timeout` seconds."""
        return self._stream(Keep(run), timeout)

    def down(self, run: str, timeout: float | None = None) -> Iterator[RunStatus]:
        """Have a run removed; its status until nothing is left."""
        return self._stream(Down(run), timeout)

    def snapshot(self) -> list[RunStatus]:
        """The status of every run."""
        return list(self._stream(Snapshot(), None))

    def _stream(self, request: Request, timeout: float | None) -> Iterator[RunStatus]:
        deadline = None if timeout is None else time.monotonic() + timeout
        last: RunStatus | None = None
        for _ in range(_RETRIES):
            try:
                for status in self._ask(request, deadline):
                    last = status
                    yield status
            except TimeoutError:
                raise IncompleteError(f"not done within {timeout:g} s") from None
            except OSError:
                process.start(self._paths)
                time.sleep(_PAUSE)
                continue
            if isinstance(request, Snapshot) or (last is not None and last.removed):
                return
            # The supervisor hung up without having finished: it was stopped or killed.
            time.sleep(_PAUSE)
        raise IncompleteError("the supervisor does not stay up", fix=f"see {process.log_file(self._paths)}")

    def _ask(self, request: Request, deadline: float | None) -> Iterator[RunStatus]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.connect(str(self._paths.supervisor_socket))
            connection.sendall(line(request))
            buffer = b""
            while True:
                connection.settimeout(None if deadline is None else max(0.001, deadline - time.monotonic()))
                received = connection.recv(1 << 16)
                if not received:
                    return
                *lines, buffer = (buffer + received).split(b"\n")
                for text in lines:
                    match ANSWER.decode(text):
                        case State(run=status):
                            yield status
                        case Refusal(what=what):
                            raise InputError(what)
