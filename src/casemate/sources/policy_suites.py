"""Read suites of policy tests, strictly."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from casemate.errors import InputError
from casemate.model.policy_suite import PolicyCase, PolicySuite
from casemate.sources.decode import Raw, convert
from casemate.sources.fast_files import read
from casemate.sources.parse import parse
from casemate.sources.policies import API_VERSION
from casemate.sources.problems import Problem, printable, raise_for

KIND: Final = "PolicyTest"


@dataclass(frozen=True, slots=True)
class SuiteFile:
    """A suite, where it stands, and where its cases do."""

    suite: PolicySuite
    file: str
    places: tuple[str, ...]

    def beside(self, name: str) -> str:
        """The path of a file that the suite names."""
        return str(Path(self.file).parent / name)


def load(file: str) -> SuiteFile:
    """The suite of a file. Raises `InputError` that lists every mistake with its position."""
    raw = _raw(file)
    fix = f"begin with apiVersion: {API_VERSION} and kind: {KIND}"
    if raw.value.get("kind") != KIND or raw.value.get("apiVersion") != API_VERSION:
        raise_for([raw.problem(("kind",), "not a suite of policy tests", fix)])
    found = convert(raw, PolicySuite)
    raise_for(_mistakes(raw, found) if isinstance(found, PolicySuite) else found)
    assert isinstance(found, PolicySuite)
    return SuiteFile(found, file, tuple(_place(raw, index) for index in range(len(found.cases))))


def _raw(file: str) -> Raw:
    content = read(file, named=True)
    documents, problems = parse(b"" if isinstance(content, Problem) else content.data, printable(file))
    raise_for([content] if isinstance(content, Problem) else problems)
    value = documents[0].value if len(documents) == 1 else None
    if not isinstance(value, dict):
        raise InputError("not one suite of policy tests", where=printable(file), fix=f"begin with kind: {KIND}")
    return Raw(value, documents[0].marks, printable(file))


def _mistakes(raw: Raw, suite: PolicySuite) -> list[Problem]:
    problems = []
    if not suite.policies:
        problems.append(raw.problem(("policies",), "names none", "list the files of the policies"))
    if not suite.cases:
        problems.append(raw.problem(("cases",), "has none", "add a case"))
    if suite.clock and not _is_time(suite.clock):
        problems.append(raw.problem(("clock",), "is no time", "write it as 2026-11-21T12:00:00Z"))
    for index, each in enumerate(suite.cases):
        problems += _of_case(raw, each, index)
    return problems


def _of_case(raw: Raw, case: PolicyCase, index: int) -> list[Problem]:
    place = ("cases", index)
    if (case.object is None) == (not case.file):
        return [raw.problem(place, "has not one of object and file", "write the object, or name its file")]
    if case.old is not None and case.file:
        return [raw.problem((*place, "old"), "goes with an object, not with a file", "write the object")]
    return []


def _place(raw: Raw, index: int) -> str:
    here = raw.marks.at(("cases", index))
    return f"{raw.file}:{here.line}:{here.column}"


def _is_time(text: str) -> bool:
    try:
        return datetime.datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
