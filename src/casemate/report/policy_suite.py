"""Results of policy tests as text, JSON and JUnit XML."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from casemate.model.policy_suite import CaseResult
from casemate.report.answer import answer, encoded
from casemate.report.assess_text import attributes, markup, visible
from casemate.report.policy_verdict import verdict_data

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'


def results_text(results: Sequence[CaseResult]) -> str:
    """One line for each case; of those that failed, what was expected (-) and found (+)."""
    lines = [line for each in results for line in _lines(each)]
    failed = sum(not each.passed for each in results)
    return "\n".join([*lines, f"{len(results) - failed} passed, {failed} failed"])


def _lines(result: CaseResult) -> Iterator[str]:
    yield f"{'✓ pass' if result.passed else '✗ fail'}  {visible(result.name)}  ({visible(result.where)})"
    yield from (f"    {visible(each)}" for each in result.differences)


def results_json(results: Sequence[CaseResult]) -> str:
    """All results with their verdicts."""
    items = [
        {
            "name": each.name,
            "where": each.where,
            "passed": each.passed,
            "differences": list(each.differences),
            "verdict": verdict_data(each.verdict) if each.verdict else None,
        }
        for each in results
    ]
    return encoded(answer("PolicyTestResult", items=items))


def results_junit(results: Sequence[CaseResult]) -> str:
    """One suite with one test for each case."""
    failed = sum(not each.passed for each in results)
    numbers = attributes({"tests": str(len(results)), "failures": str(failed), "errors": "0"})
    cases = [line for each in results for line in _case(each)]
    head = f'  <testsuite name="policies"{numbers}>'
    return "\n".join(
        [_HEAD, f'<testsuites name="casemate policy test"{numbers}>', head, *cases, "  </testsuite>", "</testsuites>"]
    )


def _case(result: CaseResult) -> Iterator[str]:
    file = result.where.split(":", 1)[0]
    names = attributes({"name": result.name, "classname": "casemate.policy", "file": file})
    if result.passed:
        yield f"    <testcase{names}/>"
        return
    yield f"    <testcase{names}>"
    yield f"      <failure{attributes({'message': result.differences[0]})}>"
    yield from (markup(each) for each in result.differences)
    yield "      </failure>"
    yield "    </testcase>"
