"""What a container said last, for its status.

1. It is the content of its `terminationMessagePath`, at most the last 4096 bytes.
2. When that is empty, the container failed and its policy is `FallbackToLogsOnError`: the end of its log, at most 80
   lines and 2048 bytes.

Source: k8s.io/kubernetes v1.36: pkg/kubelet/kuberuntime/kuberuntime_container.go, pkg/kubelet/container/runtime.go.
"""

from __future__ import annotations

from pathlib import Path

from casemate.engine.instance import PodInstance
from casemate.engine.logs import parse, tail_start
from casemate.engine.paths import EnginePaths
from casemate.engine.translate.container import log_path
from casemate.engine.volumes.layout import termination_file
from casemate.model.kube.container import Container

_FILE_LIMIT, _LOG_LIMIT, _LINES = 4096, 2048, 80


def last_words(paths: EnginePaths, instance: PodInstance, container: Container, restarts: int, exit_code: int) -> str:
    """The last words of one ended start of a container; empty when it left none."""
    words = _file_end(termination_file(paths, instance.uid, container.name, restarts))
    if not words and exit_code and container.terminationMessagePolicy == "FallbackToLogsOnError":
        return _log_end(paths.logs / instance.log_directory / log_path(container.name, restarts))
    return words


def _file_end(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - _FILE_LIMIT, 0))
            return file.read(_FILE_LIMIT).decode(errors="replace")
    except FileNotFoundError:
        return ""


def _log_end(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(tail_start(file, _LINES))
            lines = file.read().splitlines()
    except FileNotFoundError:
        return ""
    return b"".join(parse(line).render(timestamp=False) for line in lines)[-_LOG_LIMIT:].decode(errors="replace")
