"""What makes a finding the same finding in two assessments.

1. The rule, the workload (kind, namespace, name) and the field count. Files and lines do not: a manifest may move.
2. A container counts by its name, not by its place in the list: another container in front of it changes nothing.
3. A gap is also what is needed and what is there. A baseline knows a gap when it has one that was as wide on both
   sides: a gap that widens is new, one that narrows is not.
4. Findings that are alike in all of this are told apart by their order.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Collection, Iterator
from functools import lru_cache

from casemate.model.assessment import Assessed, Finding
from casemate.model.boundary import Boundary
from casemate.model.kube.pod import PodSpec

_CONTAINER = re.compile(r"\b(containers|initContainers|ephemeralContainers)\[(\d+)\]")


def fingerprints(item: Assessed) -> tuple[str, ...]:
    """One fingerprint of 32 hexadecimal digits per finding, in their order."""
    return tuple(_digest(key, item.need.boundary, item.has.boundary, finding) for finding, key in _keys(item))


def known(item: Assessed, baseline: Collection[str]) -> tuple[bool, ...]:
    """Which findings a baseline knows, in their order."""
    return tuple(_is_known(key, item, finding, baseline) for finding, key in _keys(item))


def _is_known(key: str, item: Assessed, finding: Finding, baseline: Collection[str]) -> bool:
    if not finding.gap:
        return _digest(key, item.need.boundary, item.has.boundary, finding) in baseline
    as_wide = ((need, has) for need in Boundary for has in Boundary if _is_as_wide(need, has, item))
    return any(_digest(key, need, has, finding) in baseline for need, has in as_wide)


def _is_as_wide(need: Boundary, has: Boundary, item: Assessed) -> bool:
    return need >= item.need.boundary and has <= item.has.boundary


def _keys(item: Assessed) -> Iterator[tuple[Finding, str]]:
    workload = item.workload
    seen: Counter[str] = Counter()
    for finding in item.findings:
        # The gap is the workload's, whichever field its remedy would be in.
        field = "" if finding.gap else named(finding.path, workload.spec)
        key = "\0".join((finding.rule, workload.kind, workload.namespace, workload.name, field))
        seen[key] += 1
        yield finding, f"{key}\0{seen[key]}"


def _digest(key: str, need: Boundary, has: Boundary, finding: Finding) -> str:
    width = f"\0{need}\0{has}" if finding.gap else ""
    return hashlib.sha256(f"{key}{width}".encode(errors="surrogatepass")).hexdigest()[:32]


def named(path: str, spec: PodSpec) -> str:
    """The path with containers' names in place of their numbers: `containers[web].image`."""

    text, *containers = _parts(path)
    for kind, index, after in zip(*(containers[part::3] for part in range(3)), strict=True):
        listed = getattr(spec, kind) or ()
        text += f"{kind}[{listed[int(index)].name if int(index) < len(listed) else index}]{after}"
    return text


@lru_cache(maxsize=4096)
def _parts(path: str) -> tuple[str, ...]:
    """What stands before the first container, then each one's list, its index, and what stands after it."""
    return tuple(_CONTAINER.split(path))
