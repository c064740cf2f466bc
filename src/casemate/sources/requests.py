"""The workloads of one object as the API server holds it.

1. Every kind that embeds a Pod template counts: the built-in ones by kind, all others by shape
   (`casemate.sources.shape`). One object may hold several templates, and each is judged.
2. A built-in object that cannot be read is a mistake: nothing may be assumed of it. In other objects what only looks
   like a Pod specification is read as far as it goes: the Pods that come of it are judged themselves.
3. Fields that the API server knows and casemate does not are kept in mind (`unknown_fields`), and refuse nothing.
"""

from __future__ import annotations

from msgspec.structs import replace

from casemate.errors import InputError
from casemate.model.workload import Workload
from casemate.sources.fast import Written
from casemate.sources.problems import Problem, raise_for
from casemate.sources.shape import is_built_in
from casemate.sources.workloads import workloads as read


def workloads(value: dict[str, object], namespace: str) -> tuple[Workload, ...]:
    """The workloads of a decoded object, none when it embeds no template. Raises `InputError`.

    `namespace` is that of the request: an object that is being made may not say it.
    """
    if not isinstance(value.get("kind"), str) or not isinstance(value.get("apiVersion"), str):
        raise InputError("not a Kubernetes object", fix="an object has apiVersion and kind")
    found: list[Workload] = []
    problems: list[Problem] = []
    for each in read(Written(value, "", 0)):
        if isinstance(each, Problem):
            problems.append(each)
        else:
            found.append(replace(each, namespace=namespace))
    if is_built_in(value):
        raise_for(problems)
    return tuple(found)
