"""What a CRI call can fail with, and how gRPC's codes become it.

| gRPC code | ours | meaning |
|---|---|---|
| UNAVAILABLE | EngineUnreachable | nobody answers on the socket: not started, stopped, killed |
| NOT_FOUND | NotFound | no sandbox, container or image of that id |
| UNIMPLEMENTED | Unsupported | this engine is older than the call |
| DEADLINE_EXCEEDED | IncompleteError | the engine did not answer in time |
| any other | RuntimeFault | the engine tried and failed |

containerd hands on UNAVAILABLE when a *shim* is gone; its message then names ttrpc, and that is a RuntimeFault.
"""

from __future__ import annotations

import grpc

from casemate.errors import CasemateError, IncompleteError, RuntimeFault


class EngineUnreachable(RuntimeFault):
    """Nobody answers on the engine's socket."""


class NotFound(RuntimeFault):
    """The engine has no sandbox, container or image of that id."""


class Unsupported(RuntimeFault):
    """The engine does not know this call."""


def translate(method: str, socket: str, error: grpc.aio.AioRpcError) -> CasemateError:
    """Our error for a call of `method` on the engine at `socket` that failed with `error`."""
    message = error.details() or error.code().name
    match error.code():
        case grpc.StatusCode.UNAVAILABLE if "ttrpc" not in message:
            return EngineUnreachable(
                f"the engine does not answer ({method}: {message})",
                where=socket,
                fix="casemate engine status; casemate engine start",
            )
        case grpc.StatusCode.NOT_FOUND:
            return NotFound(message, where=method)
        case grpc.StatusCode.UNIMPLEMENTED:
            return Unsupported(f"this engine does not know the call: {message}", where=method)
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return IncompleteError("the engine did not answer in time", where=f"{socket}: {method}")
    return RuntimeFault(message, where=method)
