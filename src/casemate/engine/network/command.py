"""Runs `ip`, `nft` and other tools of the network, and translates their failures."""

from __future__ import annotations

import subprocess

from casemate.errors import MissingError, RuntimeFault

_PACKAGES = {"ip": "iproute2", "nft": "nftables"}
_SECONDS = 30


def run(*command: str, stdin: str = "") -> str:
    """The output of `command`. Raises `MissingError` when it is not installed, `RuntimeFault` when it fails."""
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except FileNotFoundError:
        package = _PACKAGES.get(command[0], command[0])
        raise MissingError(f"{command[0]} is not installed", fix=f"apt-get install {package}") from None
    except subprocess.TimeoutExpired:
        raise RuntimeFault(f"no answer within {_SECONDS} s", where=" ".join(command)) from None
    if done.returncode:
        raise RuntimeFault((done.stderr or done.stdout).strip() or f"exit {done.returncode}", where=" ".join(command))
    return done.stdout


def succeeds(*command: str) -> bool:
    """Whether `command` ends with 0; for questions whose answer may be no."""
    try:
        run(*command)
    except RuntimeFault:
        return False
    return True
