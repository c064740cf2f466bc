"""What a manifest says about its own run, written in the comment lines that open it.

The leading `#` lines of a manifest are YAML:

    # run: [--wait, ready]            options of `casemate run`; `--wait completed` when left out
    # exit: 0                         its exit code, or a list of permitted ones
    # stderr: [regex, …]              all of them are on stderr when the exit code is not 0
    # count: 3                        number of Pods in the RunResult
    # pods: {name: {phase: …}}        parts of a Pod's item in the RunResult; the name may be a shell pattern
    # eventually: {name: {…}}         the same, true within a minute, as `casemate ps` reports it
    # logs: {name/container: [regex]} all of them match the container's log (unless the input was refused)
    # no-logs: {name/container: [regex]}
    # exec: [{pod: …, command: […]}]  what `casemate exec` answers while the run is up
    # http: {url: regex}              what this machine gets from that address
    # needs: no-apparmor              leave the case out on machines that differ
    # host-clean: [path]              what the Pod leaves on the node by design, removed afterwards
"""

from __future__ import annotations

import fnmatch
import itertools
from collections.abc import Iterator
from pathlib import Path

import msgspec
import yaml

MANIFESTS = Path(__file__).with_name("manifests")


class Execution(msgspec.Struct, forbid_unknown_fields=True):
    """One `casemate exec` and its answer."""

    pod: str
    command: list[str]
    container: str = ""
    stdout: str = ""
    exit: int = 0


class Expectation(msgspec.Struct, forbid_unknown_fields=True, rename="kebab"):
    """The comment header, decoded."""

    exit: int | list[int]
    run: tuple[str, ...] = ("--wait", "completed")
    stderr: list[str] = []
    count: int | None = None
    pods: dict[str, dict[str, object]] = {}
    eventually: dict[str, dict[str, object]] = {}
    logs: dict[str, list[str]] = {}
    no_logs: dict[str, list[str]] = {}
    exec: list[Execution] = []
    http: dict[str, str] = {}
    needs: str = ""
    host_clean: list[str] = []

    @property
    def exits(self) -> list[int]:
        return [self.exit] if isinstance(self.exit, int) else self.exit


def expectation(manifest: Path) -> Expectation:
    """The expectation that opens the manifest."""
    lines = itertools.takewhile(lambda line: line.startswith("#"), manifest.read_text().splitlines())
    header = yaml.safe_load("\n".join(line[1:].removeprefix(" ") for line in lines))
    return msgspec.convert(header, Expectation)


def manifests() -> list[Path]:
    """Every manifest of the corpus."""
    return sorted(MANIFESTS.rglob("*.yaml"))


def differences(expected: object, actual: object, path: str = "") -> Iterator[str]:
    """Where `actual` is not what was expected: dictionaries and lists of named things by part, `>=N` as a number."""
    if isinstance(expected, dict) and expected and isinstance(actual, dict):
        for key, value in expected.items():
            yield from differences(value, actual.get(key), f"{path}.{key}".lstrip("."))
    elif isinstance(expected, dict) and isinstance(actual, list):
        yield from differences(expected, {each["name"]: each for each in actual}, path)
    elif isinstance(expected, str) and expected.startswith(">="):
        if not isinstance(actual, int | float) or actual < float(expected[2:]):
            yield f"{path} is {actual!r}, not {expected}"
    elif (expected or None) != (actual or None):
        yield f"{path} is {actual!r}, not {expected!r}"


def named(items: list[dict[str, object]], pattern: str) -> list[dict[str, object]]:
    """The Pods of a RunResult whose name fits the shell pattern."""
    return [item for item in items if fnmatch.fnmatchcase(str(item["name"]), pattern)]
