"""What the command line and the supervisor say to each other: one JSON object a line, over a unix socket.

A request gets a stream of `RunStatus` lines; it ends when the request is fulfilled or the client hangs up.
"""

from __future__ import annotations

import msgspec

from casemate.model.status import RunStatus


class Keep(msgspec.Struct, frozen=True, tag="keep"):
    """Keep the run of that name, whose record is on disk; then stream its status as it changes."""

    run: str


class Snapshot(msgspec.Struct, frozen=True, tag="snapshot"):
    """The status of every run, once each."""


class Down(msgspec.Struct, frozen=True, tag="down"):
    """Remove a run; stream its status until nothing of it is left."""

    run: str


Request = Keep | Snapshot | Down


class Refusal(msgspec.Struct, frozen=True, tag="refusal"):
    """The request makes no sense, such as a run that is not there."""

    what: str


class State(msgspec.Struct, frozen=True, tag="state"):
    """How a run stands now."""

    run: RunStatus


Answer = State | Refusal

REQUEST = msgspec.json.Decoder(Request)
ANSWER = msgspec.json.Decoder(Answer)


def line(message: Request | Answer) -> bytes:
    """The message as it goes over the socket."""
    return msgspec.json.encode(message) + b"\n"
