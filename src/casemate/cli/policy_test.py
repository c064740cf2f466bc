"""`casemate policy test`."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from cyclopts import Parameter

from casemate.cli import policy_files
from casemate.errors import InputError
from casemate.model.policy import Operation
from casemate.model.policy_suite import CaseResult, PolicyCase, differences
from casemate.policy.asking import Asked, verdict
from casemate.report.policy_suite import results_json, results_junit, results_text
from casemate.sources import objects, policies, policy_suites
from casemate.sources.objects import FileObject
from casemate.sources.policy_suites import SuiteFile

_RENDERERS = {"table": results_text, "json": results_json, "junit": results_junit}


def compare(
    *suite: str, output: Annotated[Literal["table", "json", "junit"], Parameter(name=["--output", "-o"])] = "table"
) -> int:
    """Ask policies what suites say, and compare their verdicts with what is expected. Ends with 1 when one differs.

    Parameters
    ----------
    suite
        Files of kind PolicyTest; they name their policies.
    output
        table, json or junit.
    """
    if not suite:
        raise InputError("no suite", fix="name a file of kind PolicyTest")
    results = [result for file in suite for result in _run(policy_suites.load(file))]
    print(_RENDERERS[output](results))
    return 0 if all(each.passed for each in results) else 1


def _run(found: SuiteFile) -> Iterator[CaseResult]:
    files = [found.beside(each) for each in found.suite.policies]
    known = policy_files.known(policies.load(files, sys.stdin.buffer))
    now = datetime.datetime.now(datetime.UTC)
    if found.suite.clock:
        now = datetime.datetime.fromisoformat(found.suite.clock)
    for case, where in zip(found.suite.cases, found.places, strict=True):
        for each in _objects(found, case, where):
            yield _result(known, case, each, where, now)


def _objects(found: SuiteFile, case: PolicyCase, where: str) -> Sequence[FileObject]:
    if case.object is not None:
        return (FileObject(case.object, where),)
    return objects.load([found.beside(case.file)], sys.stdin.buffer)


def _result(
    known: policy_files.Known, case: PolicyCase, of: FileObject, where: str, now: datetime.datetime
) -> CaseResult:
    name = f"{case.name}: {of.title}" if case.file else case.name
    operation = case.operation or (Operation.CREATE if case.old is None else Operation.UPDATE)
    asked = Asked(operation=operation, user=case.user, groups=case.groups, labels=case.namespace_labels, old=case.old)
    try:
        found = verdict(known.compiled, of.value, asked, known.surroundings.namespaces, now)
    except InputError as error:
        return CaseResult(name=name, where=where, differences=(f"the object cannot be read: {error.what}",))
    if found is None:
        return CaseResult(name=name, where=where, differences=("the object embeds no Pod template",))
    return CaseResult(name=name, where=where, differences=differences(case.expect, found), verdict=found)
