"""What the engine says that it can do for a handler, from two answers of CRI.

1. User namespaces and recursive read-only mounts are a handler's features (CRI Status, since containerd 2.0).
2. The policy for supplementary groups is the engine's (CRI Status, since containerd 2.0).
3. containerd mounts image volumes itself since 2.1; before, we do.
4. The Pod's stop signal is taken since containerd 2.2; no feature tells, only the version.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri.client import CriClient
from casemate.model.support import EngineFeatures

_IMAGE_VOLUMES = (2, 1)
_STOP_SIGNAL = (2, 2)


async def ask_features(socket: str, handlers: Iterable[str]) -> dict[str, EngineFeatures]:
    """The features for each of these handlers, by the engine's own word."""
    async with CriClient(socket) as client:
        version, status = await client.version(), await client.status()
    return {handler: engine_features(version, status, handler) for handler in handlers}


def engine_features(version: pb.VersionResponse, status: pb.StatusResponse, handler: str) -> EngineFeatures:
    """The features for one handler; what the engine does not speak of, it cannot do."""
    own = next((each.features for each in status.runtime_handlers if each.name == handler), None)
    containerd = version.runtime_name == "containerd"
    return EngineFeatures(
        version=version.runtime_version,
        user_namespaces=bool(own and own.user_namespaces),
        recursive_read_only=bool(own and own.recursive_read_only_mounts),
        supplemental_groups_policy=status.features.supplemental_groups_policy,
        image_volumes=containerd and _numbers(version.runtime_version) >= _IMAGE_VOLUMES,
        stop_signal=containerd and _numbers(version.runtime_version) >= _STOP_SIGNAL,
    )


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else ()
