"""The rules of SARIF 2.1.0 (OASIS, errata 01) for the objects that we write: which properties, of which form.

Objects are closed, as in the standard's own schema: a property that is not listed is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from urllib.parse import urlsplit

Check = Callable[[object], Iterator[str]]

_URI = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")


def problems(document: object) -> list[str]:
    """What is wrong with a log file; empty when nothing is."""
    return [*_LOG(document), *_indices(document)]


def closed(required: str, /, **properties: Check) -> Check:
    def check(value: object) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{value!r} is no object"
            return
        yield from (f"{name} is missing" for name in required.split() if name not in value)
        for name, each in value.items():
            if name not in properties:
                yield f"{name} is not allowed"
                continue
            yield from (f"{name}: {wrong}" for wrong in properties[name](each))

    return check


def array(of: Check, *, unique: bool = False) -> Check:
    def check(value: object) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{value!r} is no array"
            return
        if unique and any(value.count(each) > 1 for each in value):
            yield "items repeat"
        for number, each in enumerate(value):
            yield from (f"[{number}] {wrong}" for wrong in of(each))

    return check


def one_of(*values: str) -> Check:
    return lambda value: iter(() if value in values else (f"{value!r} is none of {values}",))


def text(value: object) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{value!r} is no text"


def truth(value: object) -> Iterator[str]:
    if not isinstance(value, bool):
        yield f"{value!r} is no boolean"


def least(minimum: int) -> Check:
    def check(value: object) -> Iterator[str]:
        if not isinstance(value, int) or value < minimum:
            yield f"{value!r} is below {minimum}"

    return check


def uri(value: object) -> Iterator[str]:
    if not isinstance(value, str) or not _URI.fullmatch(value) or urlsplit(value).scheme not in ("", "file", "https"):
        yield f"{value!r} is no URI"


def texts(value: object) -> Iterator[str]:
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        yield f"{value!r} is no map of texts"


_MESSAGE = closed("text", text=text)
_ARTIFACT = closed("uri", uri=uri)
_REGION = closed("startLine", startLine=least(1), startColumn=least(1))
_PHYSICAL = closed("artifactLocation", artifactLocation=_ARTIFACT, region=_REGION)
_LOGICAL = closed("", name=text, fullyQualifiedName=text, kind=text)
_LOCATION = closed("", physicalLocation=_PHYSICAL, logicalLocations=array(_LOGICAL, unique=True))
_SUPPRESSION = closed(
    "kind",
    kind=one_of("inSource", "external"),
    status=one_of("accepted", "underReview", "rejected"),
    justification=text,
)
_RESULT = closed(
    "message",
    ruleId=text,
    ruleIndex=least(0),
    kind=one_of("notApplicable", "pass", "fail", "review", "open", "informational"),
    level=one_of("none", "note", "warning", "error"),
    message=_MESSAGE,
    locations=array(_LOCATION),
    partialFingerprints=texts,
    baselineState=one_of("new", "unchanged", "updated", "absent"),
    suppressions=array(_SUPPRESSION, unique=True),
)
_RULE = closed("id", id=text, shortDescription=_MESSAGE, fullDescription=_MESSAGE, help=_MESSAGE)
_DRIVER = closed("name", name=text, version=text, rules=array(_RULE, unique=True))
_NOTIFICATION = closed("message", level=one_of("none", "note", "warning", "error"), message=_MESSAGE)
_INVOCATION = closed("executionSuccessful", executionSuccessful=truth, toolExecutionNotifications=array(_NOTIFICATION))
_RUN = closed(
    "tool",
    tool=closed("driver", driver=_DRIVER),
    columnKind=one_of("utf16CodeUnits", "unicodeCodePoints"),
    invocations=array(_INVOCATION),
    results=array(_RESULT),
)
_LOG = closed("version runs", **{"$schema": uri}, version=one_of("2.1.0"), runs=array(_RUN))


def _indices(document: object) -> Iterator[str]:
    """ruleIndex and ruleId name the same rule (3.27.5, 3.27.6)."""
    assert isinstance(document, Mapping)
    for run in document["runs"]:
        rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
        for result in run["results"]:
            if rules[result["ruleIndex"]] != result["ruleId"]:
                yield f"ruleIndex of {result['ruleId']} is another's"
