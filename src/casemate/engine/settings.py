"""What an engine settled on when it was first started; read by every later command."""

from __future__ import annotations

import msgspec

from casemate.engine.paths import EnginePaths
from casemate.errors import MissingError


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Facts that must not change while Pods run.

    `cri_socket` is the engine's own containerd or, when `external`, one that was there before us (`--cri`), which may
    leave cgroups to systemd. Addresses are IPv4 networks in CIDR form; `dns_address` lies in `router_network`.
    """

    name: str
    cri_socket: str
    external: bool = False
    pod_network: str
    service_network: str
    router_network: str
    dns_address: str
    default_handler: str = "runc"
    systemd_cgroups: bool = False


def load_settings(paths: EnginePaths) -> EngineSettings:
    """The engine's settings. Raises `MissingError` when the engine was never started."""
    try:
        return msgspec.json.decode(paths.settings.read_bytes(), type=EngineSettings)
    except FileNotFoundError:
        raise MissingError(
            f"engine {paths.name!r} was never started", fix="casemate engine install && casemate engine start"
        ) from None
