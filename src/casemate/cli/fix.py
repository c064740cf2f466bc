"""`casemate assess --fix`: what to change so that gaps close, as a diff, patches, or the changed files.

1. A diff, patches and rendered manifests go to stdout; what was left alone and why, to stderr.
2. Files are all edited in memory before the first is written: one that cannot be edited stops the rest.
3. Helm's post-renderer has to give back everything that it got, so it does not fail for a gap: a non-zero exit would
   undo the release.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, TypeAlias

from casemate.decide import fix as decide
from casemate.errors import InputError
from casemate.model.assessment import Assessed
from casemate.model.edit import Fix
from casemate.report import patches
from casemate.sources import edit
from casemate.sources.fast import read as documents
from casemate.sources.fast_files import STDIN
from casemate.sources.problems import Problem
from casemate.sources.workloads import workloads

_FILES: Final = "assess the files or the chart that it comes from"

How: TypeAlias = Literal["diff", "write", "kustomize", "render"]


def fix(
    items: Sequence[Assessed],
    how: Literal["diff", "write", "kustomize"],
    consent: Iterable[str],
    texts: Mapping[str, bytes],
) -> int:
    """Show or make the fixes of assessed workloads. `texts` holds what cannot be read twice, by file.

    Returns 1 when a gap was left, else 0.
    """
    live = next((each.workload for each in items if not each.workload.source.file), None)
    if live:
        raise InputError("is a live object; fixes are for what it is made from", where=live.title, fix=_FILES)
    fixes = _decided(items, consent)
    if how == "kustomize":
        print(patches.kustomize(fixes), end="")
    else:
        _edit(fixes, how, texts)
    return 1 if any(each.refusal or (each.edits and not each.closes) for each in fixes) else 0


def render(assess: Callable[[bytes], Sequence[Assessed]], consent: Iterable[str]) -> int:
    """Helm's post-renderer: manifests from standard input, fixed, to standard output."""
    data = sys.stdin.buffer.read()
    if _has_workloads(data):
        fixes = _decided(assess(data), consent)
        data = edit.edited(data, STDIN, fixes)
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
    return 0


def _decided(items: Iterable[Assessed], consent: Iterable[str]) -> list[Fix]:
    agreed = frozenset(consent)
    fixes = [decide.fix(item, agreed) for item in items]
    for each in fixes:
        if each.refusal:
            print(f"left alone: {each.workload.title}: {each.refusal}", file=sys.stderr)
        elif each.edits and not each.closes:
            print(f"comes nearer, but does not close the gap: {each.workload.title}", file=sys.stderr)
    return fixes


def _edit(fixes: Iterable[Fix], how: Literal["diff", "write"], texts: Mapping[str, bytes]) -> None:
    by_file: dict[str, list[Fix]] = {}
    for each in fixes:
        if each.edits:
            by_file.setdefault(each.workload.source.file, []).append(each)
    changed = []
    for file, wanted in by_file.items():
        before = _read(file, how, texts)
        changed.append((file, before, edit.edited(before, file, wanted)))
    for file, before, after in changed:
        if before == after:
            continue
        if how == "diff":
            print(patches.diff(file, before.decode(), after.decode()), end="")
        else:
            edit.write(file, before, after)
            print(f"wrote {file}", file=sys.stderr)


def _read(file: str, how: str, texts: Mapping[str, bytes]) -> bytes:
    if file in texts:
        if how == "write":
            raise InputError("cannot be written back", where=file, fix="use --fix render, or --fix diff")
        return texts[file]
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read any more: {error.strerror}", where=file, fix="run it again") from None


def _has_workloads(data: bytes) -> bool:
    """Whether there is anything to assess, or anything wrong with what there is."""
    for each in documents(data, STDIN):
        if isinstance(each, Problem) or next(iter(workloads(each)), None) is not None:
            return True
    return False
