"""What an API server's answer to a try means. Pure.

1. What it accepts is allowed, and changed when another class stands there than was asked for. That an object of that
   name is there already is said after everybody was asked, so that was allowed, too.
2. A denial by a webhook or an admission policy says so; every other refusal is the API server's own.
3. An API server that fails refuses, too (the RuntimeClass plugin fails of a class ""); but not when it could not ask
   a webhook, which then has said nothing, nor when it is overloaded.
"""

from __future__ import annotations

import re
from typing import Final

import httpx
import msgspec

from casemate.errors import IncompleteError, InputError
from casemate.model.corpus import Object, Played, Try
from casemate.model.policy import Decision, Rule
from casemate.sources import requests

_RULE: Final = re.compile(r"[(\[]([a-z-]+)[)\]]")
_KNOWN: Final = frozenset(map(str, Rule))
_DENIED: Final = re.compile(r"denied (the )?request")
_UNASKED: Final = "failed calling webhook"
_OVERLOADED: Final = (httpx.codes.TOO_MANY_REQUESTS, httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT)


class _Status(msgspec.Struct):
    message: str = ""


def read(each: Try, answer: httpx.Response) -> Played:
    """A try with what the API server said to it. Raises `IncompleteError` when it said nothing."""
    if answer.is_success or answer.status_code == httpx.codes.CONFLICT:
        return _admitted(each, answer)
    text = message(answer)
    by_policy = bool(_DENIED.search(text))
    if _UNASKED in text or answer.status_code in _OVERLOADED:
        raise IncompleteError(f"the API server failed: {text}", where=each.where)
    rules = tuple(dict.fromkeys(name for name in _RULE.findall(text) if name in _KNOWN))
    return Played(attempt=each, decision=Decision.DENY, rules=rules, message=text, by_server=not by_policy)


def message(answer: httpx.Response) -> str:
    """Why the API server refused."""
    try:
        return msgspec.json.decode(answer.content, type=_Status).message
    except (msgspec.DecodeError, UnicodeDecodeError):
        return f"{answer.status_code} {answer.text[:200]}"


def _admitted(each: Try, answer: httpx.Response) -> Played:
    asked = classes(msgspec.json.decode(each.body), each.namespace)
    if not answer.is_success:
        return Played(attempt=each, decision=Decision.ALLOW)
    found = classes(msgspec.json.decode(answer.content), each.namespace)
    decision = Decision.ALLOW if found == asked else Decision.CHANGE
    return Played(attempt=each, decision=decision, class_name=next(iter(found)) if len(found) == 1 else None)


def classes(value: Object, namespace: str) -> set[str]:
    """The classes that stand in an object's templates."""
    try:
        return {each.spec.runtimeClassName or "" for each in requests.workloads(value, namespace)}
    except InputError:
        return set()
