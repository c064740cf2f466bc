"""The handler that a sandbox was started under.

1. containerd tells it in its lists, empty for the default one; its records name a runtime's type. CRI-O (1.36) does
   not: it notes it among the annotations of the sandbox's specification, which its verbose status shows.
2. CRI-O adds a Pod's own annotations and labels to these after its own: whoever gives a Pod one of that name decides
   what it says (server/sandbox_run_linux.go). Of such a Pod nothing is known.
"""

from __future__ import annotations

from typing import Final

import msgspec

from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri.client import CriClient
from casemate.engine.cri.faults import NotFound

_NOTED: Final = "io.kubernetes.cri-o.RuntimeHandler"


class _Specification(msgspec.Struct, frozen=True):
    annotations: dict[str, str] = {}


class _Record(msgspec.Struct, frozen=True, rename="camel"):
    runtime_spec: _Specification | None = None
    runtime_type: str | None = None


async def handler_of(client: CriClient, sandbox: pb.PodSandbox) -> str | None:
    """The handler's name, empty for the default one; None where nobody tells it. A sandbox that is gone has none."""
    if sandbox.runtime_handler:
        return sandbox.runtime_handler
    try:
        status = await client.pod_sandbox_status(sandbox.id, verbose=True)
    except NotFound:
        return ""
    return noted(status.info.get("info", "{}"), {*sandbox.annotations, *sandbox.labels})


def noted(record: str, own: set[str]) -> str | None:
    """What the engine's record of a sandbox says, whose Pod has these names of annotations and labels of its `own`."""
    try:
        found = msgspec.json.decode(record, type=_Record)
    except msgspec.DecodeError:
        return None
    if found.runtime_type is not None or found.runtime_spec is None:
        return ""
    return None if _NOTED in own else found.runtime_spec.annotations.get(_NOTED)
