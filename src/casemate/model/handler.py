"""What a node's engine offers: handlers, as found and as tried."""

from __future__ import annotations

import msgspec

from casemate.model.boundary import Boundary


class Handler(msgspec.Struct, frozen=True, kw_only=True):
    """One runtime handler of the engine.

    `works` is the result of really starting a sandbox; `reason` says why not. `start_seconds` is the time from the
    request to a running container in that try. `boundary` is the catalogue's for the runtime that the handler runs.
    """

    name: str
    runtime: str
    version: str
    path: str
    boundary: Boundary
    works: bool
    reason: str = ""
    start_seconds: float | None = None


class NodeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What this machine is, as far as it decides which Pod fields can be honoured.

    `cgroups` is `v1`, `v2` or `hybrid`. `lsms` are the active Linux security modules. `memory` is bytes.
    """

    name: str
    address: str
    cgroups: str
    lsms: tuple[str, ...]
    can_lower_oom_score: bool
    user_namespaces: bool
    seccomp: bool
    cpus: int
    memory: int
