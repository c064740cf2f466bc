"""`lifecycle` hooks: what runs after a container's start and before its stop."""

from __future__ import annotations

import asyncio

from casemate.engine.cri.client import CriClient
from casemate.engine.supervise import checks
from casemate.engine.supervise.probes import Target
from casemate.errors import CasemateError
from casemate.model.kube.container import LifecycleHandler

_UNBOUNDED = 24 * 3600.0


async def run_hook(client: CriClient, target: Target, hook: LifecycleHandler, limit: float | None = None) -> str:
    """Run a hook for at most `limit` seconds. Returns what went wrong, or the empty text."""
    limit = _UNBOUNDED if limit is None else limit
    try:
        async with asyncio.timeout(limit):
            passed = await _act(client, target, hook, limit)
    except TimeoutError:
        return f"took longer than {limit:g} s"
    except (CasemateError, OSError) as error:
        return str(error)
    return "" if passed else "failed"


async def _act(client: CriClient, target: Target, hook: LifecycleHandler, limit: float) -> bool:
    if hook.exec:
        return await checks.command(client, target.id, hook.exec.command, limit)
    if hook.httpGet:
        return await checks.http(target.container, target.address, hook.httpGet, limit)
    if hook.sleep:
        await asyncio.sleep(hook.sleep.seconds)
        return True
    assert hook.tcpSocket is not None
    return await checks.tcp(target.container, target.address, hook.tcpSocket, limit)
