"""Run an apply or revert that is killed before its nth step: `killed.py apply|revert STEP SOCKET HANDLER`.

Ends with 0 when there were fewer steps. `apply restart` is killed when it has begun the restart, which a runtime that
is stopped (SIGSTOP) holds up.
"""

from __future__ import annotations

import os
import signal
import sys

from casemate.node import apply, daemon, prepare
from casemate.node.daemon import Where


def main(what: str, step: str, socket: str, handler: str) -> None:
    left = int(step) if step.isdecimal() else -1

    def say(text: str) -> None:
        nonlocal left
        left -= 1
        if left < 0 and text == "restarting the runtime":
            os.kill(daemon.listener(socket), signal.SIGSTOP)
        if left == 0 or (left < 0 and text == "waiting for the runtime"):
            os.kill(os.getpid(), signal.SIGKILL)

    where = Where(socket=socket)
    if what == "revert":
        apply.revert(daemon.find(where).config_file, say)
        return
    apply.apply(where, [handler], prepare.prepare(where, [handler]), say, tries=1)


if __name__ == "__main__":
    main(*sys.argv[1:])
