"""What the engine says that it can do for a handler, from two answers of CRI.

1. User namespaces and recursive read-only mounts are a handler's features (CRI Status, since containerd 2.0).
2. The policy for supplementary groups is the engine's (CRI Status, since containerd 2.0).
3. The Pod's stop signal is taken since containerd 2.2; no feature tells, only the version.
"""

from __future__ import annotations

import re

from casemate.engine.cri import cri_pb2 as pb
from casemate.model.support import EngineFeatures

_STOP_SIGNAL = (2, 2)


def engine_features(version: pb.VersionResponse, status: pb.StatusResponse, handler: str) -> EngineFeatures:
    """The features for one handler; what the engine does not speak of, it cannot do."""
    own = next((each.features for each in status.runtime_handlers if each.name == handler), None)
    return EngineFeatures(
        version=version.runtime_version,
        user_namespaces=bool(own and own.user_namespaces),
        recursive_read_only=bool(own and own.recursive_read_only_mounts),
        supplemental_groups_policy=status.features.supplemental_groups_policy,
        stop_signal=version.runtime_name == "containerd" and _numbers(version.runtime_version) >= _STOP_SIGNAL,
    )


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else ()
