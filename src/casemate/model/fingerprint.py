"""What makes a finding the same finding in two assessments.

1. The rule, the workload (kind, namespace, name) and the field count. Files and lines do not: a manifest may move.
2. A container counts by its name, not by its place in the list: another container in front of it changes nothing.
3. Findings that are alike in all of this are told apart by their order.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter

from casemate.model.assessment import Assessed
from casemate.model.kube.pod import PodSpec

_CONTAINER = re.compile(r"\b(containers|initContainers|ephemeralContainers)\[(\d+)\]")


def fingerprints(item: Assessed) -> tuple[str, ...]:
    """One fingerprint of 32 hexadecimal digits per finding, in their order."""
    workload = item.workload
    seen: Counter[str] = Counter()
    result = []
    for finding in item.findings:
        field = named(finding.path, workload.spec)
        key = "\0".join((finding.rule, workload.kind, workload.namespace, workload.name, field))
        seen[key] += 1
        result.append(hashlib.sha256(f"{key}\0{seen[key]}".encode(errors="surrogatepass")).hexdigest()[:32])
    return tuple(result)


def named(path: str, spec: PodSpec) -> str:
    """The path with containers' names in place of their numbers: `containers[web].image`."""

    def name(match: re.Match[str]) -> str:
        containers = getattr(spec, match[1]) or ()
        index = int(match[2])
        return f"{match[1]}[{containers[index].name}]" if index < len(containers) else match[0]

    return _CONTAINER.sub(name, path)
