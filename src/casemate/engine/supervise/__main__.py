"""`python -m casemate.engine.supervise ENGINE`: the supervisor process."""

from __future__ import annotations

import asyncio
import resource
import sys

from casemate.engine.paths import EnginePaths
from casemate.engine.supervise.supervisor import Supervisor


async def _main(name: str) -> int:
    # Each client of a host port takes two files, so take as many as the kernel allows.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return 0 if await Supervisor(EnginePaths(name)).serve() else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(_main(sys.argv[1])))
