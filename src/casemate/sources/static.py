"""Static Pods: what a kubelet starts from a folder of its node, as it reads them.

1. Every file of the folder counts, whatever its name, but those whose names begin with a dot. Subfolders do not.
2. A file holds one Pod. Its namespace is `default` unless it says otherwise, and the kubelet marks where it came from.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from casemate.errors import InputError
from casemate.model.surroundings import Surroundings
from casemate.model.workload import KUBELET, Workload
from casemate.sources.fast import read
from casemate.sources.fast_files import Content, Unreached
from casemate.sources.fast_files import read as read_file
from casemate.sources.problems import Problem
from casemate.sources.workloads import Collected, workloads

FOLDER: Final = "/etc/kubernetes/manifests"
_FROM_FILE: Final = {"kubernetes.io/config.source": "file"}


def collect(folder: str = FOLDER) -> Collected:
    """The static Pods of a folder. Raises `InputError` when it cannot be read."""
    found: list[Workload] = []
    skipped: list[Problem] = []
    unreached: list[Problem] = []
    for name in _names(folder):
        content = read_file(name, named=True)
        if isinstance(content, Problem):
            unreached.append(content)
            continue
        for each in _pods(content):
            if isinstance(each, Unreached):
                unreached.append(each)
            elif isinstance(each, Problem):
                skipped.append(each)
            else:
                found.append(each)
    return Collected(tuple(found), Surroundings(), tuple(skipped), tuple(unreached))


def _names(folder: str) -> list[str]:
    try:
        inside = sorted(Path(folder).iterdir())
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise InputError(f"cannot read the folder: {reason.lower()}", where=folder, fix="check the path") from None
    return [str(each) for each in inside if not each.name.startswith(".") and not each.is_dir()]


def _pods(content: Content) -> Iterator[Workload | Problem]:
    for written in read(content.data, content.file):
        if isinstance(written, Problem):
            yield written
            continue
        kind = written.value.get("kind") if isinstance(written.value, dict) else None
        if kind != "Pod":
            yield Problem(
                written.where(), "not a Pod: the kubelet passes it over", "static Pods are Pods, one in each file"
            )
            continue
        for each in workloads(written):
            yield each if isinstance(each, Problem) else _static(each)


def _static(pod: Workload) -> Workload:
    marked = msgspec.structs.replace(pod.metadata, annotations=pod.metadata.annotations | _FROM_FILE)
    return msgspec.structs.replace(pod, namespace=pod.namespace or "default", metadata=marked, creator=KUBELET)
