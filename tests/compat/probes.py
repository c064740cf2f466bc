"""Probes: one manifest per row of fits, and what its result is.

1. The comment lines that open a manifest are YAML: `fit` is the row; `runtimes` the handlers to try, by default runc,
   crun and runsc; `module` the arguments of the Wasm module that takes the place of the program under `wasm`, which is
   tried only where they are given (or `wasm` is named); `exits` outcomes by exit code, where a program cannot say.
2. The Pod `probe` runs under the runtime that is tried; Pods that name a class of their own help from outside.
3. The last line of output that begins with works, differs or fails is the verdict. Without one, the runtime could not
   start it or ended it early, which fails.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
import yaml

from casemate.model.assessment import Outcome
from casemate.model.comparison import Ending, Trial

PROBES = Path(__file__).with_name("probes")
NATIVE = ("runc", "crun", "runsc")
_WORDS = {"works": Outcome.WORKS, "differs": Outcome.DIFFERS, "fails": Outcome.FAILS}
_VERDICT = re.compile(r"(works|differs|fails)(?:: (.*))?")
_NOISE = re.compile(r"^failed to (?:create|start) containerd (?:task|container)[^:]*: |^failed to create shim task: ")
_LONGEST = 160


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a manifest says about its probe."""

    fit: str
    runtimes: tuple[str, ...] = ()
    module: tuple[str, ...] = ()
    exits: dict[int, str] = {}

    @property
    def handlers(self) -> tuple[str, ...]:
        return self.runtimes or (*NATIVE, *(("wasm",) if self.module else ()))


@dataclass(frozen=True)
class Verdict:
    """What a run showed, and in which words."""

    outcome: Outcome
    text: str


def probes() -> Iterator[tuple[Path, Header]]:
    """All manifests with their headers."""
    for manifest in sorted(PROBES.glob("*.yaml")):
        yield manifest, header(manifest)


def header(manifest: Path) -> Header:
    """The comment lines that open the manifest."""
    lines = itertools.takewhile(lambda line: line.startswith("#"), manifest.read_text().splitlines())
    return msgspec.convert(yaml.safe_load("\n".join(line[1:].removeprefix(" ") for line in lines)), Header)


def verdict(trial: Trial, probe: Header) -> Verdict:
    """What a trial of the probe showed (rule 3)."""
    if trial.ending in (Ending.NOT_STARTED, Ending.REFUSED):
        return Verdict(Outcome.FAILS, _short(trial.reason))
    said = [found for lines in trial.output.values() for line in lines if (found := _VERDICT.fullmatch(line))]
    if said:
        return Verdict(_WORDS[said[-1][1]], _short(said[-1][2] or ""))
    code = next((code for name, code in trial.exit_codes.items() if name.startswith("probe/")), None)
    if code is not None and code in probe.exits:
        return Verdict(_WORDS[probe.exits[code]], f"exit code {code}")
    words = next((lines[-1] for lines in reversed(trial.output.values()) if lines), "")
    ended = f"{trial.ending} with exit code {code}"
    return Verdict(_WORDS[probe.exits.get(-1, "fails")], _short(f"{ended}: {words}" if words else ended))


def _short(text: str) -> str:
    plain = text.splitlines()[0] if text else ""
    while plain != (plain := _NOISE.sub("", plain)):
        pass
    return plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]}…"
