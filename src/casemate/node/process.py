"""What the kernel tells of a process, and what a program says of itself. What cannot be read is empty."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

_ASKING_SECONDS: Final = 10
_VERSION: Final = re.compile(r"\bv?(\d+\.\d+\.\d+\S*)")


def pids() -> Iterator[int]:
    """Every process that runs now."""
    return (int(each.name) for each in Path("/proc").iterdir() if each.name.isdecimal())


def arguments(pid: int) -> tuple[str, ...]:
    """The command line, as the process was started or has rewritten it."""
    return tuple(part.decode(errors="replace") for part in _parts(pid, "cmdline"))


def environment(pid: int) -> Mapping[str, str]:
    """The variables that the process was started with."""
    pairs = (part.decode(errors="surrogateescape").partition("=") for part in _parts(pid, "environ") if part)
    return {key: value for key, _, value in pairs}


def program(pid: int) -> str:
    """The path of the program that it runs, also of one that was replaced since."""
    try:
        return str(Path(f"/proc/{pid}/exe").readlink()).removesuffix(" (deleted)") if pid else ""
    except OSError:
        return ""


def option(arguments: Sequence[str], *names: str, bare: str = "") -> str:
    """The value of an option after one dash or two: `--name=value`, or `--name value` unless it may stand `bare`.

    Where it is given several times the last one counts, as programs in Go have it.
    """
    found = ""
    for index, word in enumerate(arguments):
        name, given, value = word.partition("=")
        if word.startswith("-") and name.lstrip("-") in names:
            found = value if given else bare or next(iter(arguments[index + 1 : index + 2]), "")
    return found


def version(program: str) -> str:
    """The version that a program tells when it is asked for it."""
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=_ASKING_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = _VERSION.search(done.stdout)
    return found[1].removesuffix("+unknown") if found else ""


def _parts(pid: int, file: str) -> list[bytes]:
    """The parts of a file of /proc that end with a zero byte each."""
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes().split(b"\0")[:-1]
    except OSError:
        return []
