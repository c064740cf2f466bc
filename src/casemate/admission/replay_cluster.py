"""Play the bypass corpus against a cluster whose webhook or admission policies decide.

1. The cluster is one for trials: what the corpus needs is made there (namespaces, classes, a kind of its own, rights
   for its users) and stays for the next run; policies come and go. Every try itself is a dry run.
2. What tries change is made first, while nothing is in force.
3. Tries of the same policies are played together. These are in force when one try of each kind that they stop or
   change went as it should; a set that stops nothing gets a moment. They are gone when what they denied is let in.
4. A try that went wrong is asked again for a while: policies reach the API server in parts.
5. A request is made as the try's user and groups, by impersonation, so that the API server sees them as real ones.
6. Who refused does not matter, but is told: a request that the API server itself refuses is stopped, too.
7. No clock is moved: tries at another time than the usual one are left to the evaluator, and exceptions' ends are set
   so far off as they are from the corpus' usual time.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final, Self

import httpx
import msgspec

from casemate.admission import replay_answers
from casemate.admission.replay_install import Install
from casemate.admission.replay_requests import Call, before, collection, create, metadata_of, place_of, update
from casemate.admission.replay_setting import setting
from casemate.errors import IncompleteError
from casemate.model.corpus import Corpus, Object, Played, Try
from casemate.model.policy import Decision, Operation
from casemate.sources.cluster_access import Access
from casemate.sources.cluster_client import connection
from casemate.sources.corpus import CLOCK

_IN_FORCE_SECONDS: Final = 15.0
_SETTLE_SECONDS: Final = 2.5
_PAUSE_SECONDS: Final = 0.2
_FREE: Final = {"metadata": {"finalizers": None}}
_MERGE: Final = "application/merge-patch+json"


class Trial:
    """One cluster for trials. Use as a context; policies and what tries changed are removed at its end."""

    def __init__(self, access: Access, install: Install) -> None:
        self._http = connection(access)
        self._http.timeout = httpx.Timeout(30.0)
        self._install = install
        self._made: list[Object] = []
        self._held: dict[str, Object] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._remove(list(self._made))
        finally:
            self._http.close()

    def replay(self, corpus: Corpus) -> Iterator[Played]:
        """Every try that does not need another time, with the cluster's answer."""
        self._make(setting(corpus))
        self._made.clear()
        tries = sorted((each for each in corpus.tries if each.clock == CLOCK), key=lambda each: each.policies)
        self._make_before(tries)
        for names, group in groupby(tries, key=lambda each: each.policies):
            documents = [renewed(each) for name in names for each in corpus.policies[name].documents]
            yield from self._together(list(group), documents)

    def _make_before(self, tries: Sequence[Try]) -> None:
        for number, each in enumerate(tries):
            if (found := before(each, number)) is not None:
                self._make([found])
                self._held[each.id] = found

    def _together(self, tries: Sequence[Try], documents: Sequence[Object]) -> Iterator[Played]:
        put = list(self._install(documents))
        self._make(put)
        ends = time.monotonic() + _IN_FORCE_SECONDS
        telling = _telling(tries)
        if not telling:
            time.sleep(_SETTLE_SECONDS)
        for each in telling:
            self._until_right(each, ends)
        found = [self._until_right(each, ends) for each in tries]
        self._remove(put)
        self._await_gone(found)
        yield from found

    def _until_right(self, each: Try, ends: float) -> Played:
        found = self._played(each)
        while found.wrong and not found.by_server and time.monotonic() < ends:
            time.sleep(_PAUSE_SECONDS)
            found = self._played(each)
        return found

    def _await_gone(self, played: Sequence[Played]) -> None:
        bitten = next((each for each in played if _bit(each)), None)
        if bitten is None:
            time.sleep(_SETTLE_SECONDS)
            return
        ends = time.monotonic() + _IN_FORCE_SECONDS
        while _bit(self._played(bitten.attempt)):
            if time.monotonic() > ends:
                raise IncompleteError("policies that were removed still deny", where=bitten.attempt.where)
            time.sleep(_PAUSE_SECONDS)

    def _played(self, each: Try) -> Played:
        return replay_answers.read(each, self._send(self._call(each), each))

    def _call(self, each: Try) -> Call:
        if each.operation is Operation.CREATE:
            return create(each)
        written: Object = self._held.get(each.id, each.old or {})
        answer = self._http.get(place_of(written))
        return update(each, msgspec.json.decode(answer.content) if answer.is_success else written)

    def _send(self, call: Call, each: Try) -> httpx.Response:
        headers = [("Impersonate-User", each.user), *(("Impersonate-Group", group) for group in each.groups)]
        return self._http.request(
            call.method,
            call.path,
            params=call.query,
            content=call.body,
            headers=[*headers, ("Content-Type", call.media)],
        )

    def _make(self, objects: Sequence[Object]) -> None:
        for each in objects:
            answer = self._posted(each)
            if answer.is_success:
                self._made.append(each)
                self._end_if_ended(each)
            elif answer.status_code != httpx.codes.CONFLICT:
                what = f"cannot make it: {replay_answers.message(answer)}"
                raise IncompleteError(what, where=f"{each['kind']} {metadata_of(each).get('name')}")

    def _posted(self, each: Object) -> httpx.Response:
        path = collection(each, str(metadata_of(each).get("namespace", "")))
        ends = time.monotonic() + _IN_FORCE_SECONDS
        answer = self._http.post(path, json=each)
        while _is_too_early(answer) and time.monotonic() < ends:
            time.sleep(_PAUSE_SECONDS)
            answer = self._http.post(path, json=each)
        return answer

    def _end_if_ended(self, each: Object) -> None:
        if metadata_of(each).get("deletionTimestamp"):
            self._http.delete(place_of(each), params={"gracePeriodSeconds": 0})

    def _remove(self, objects: Sequence[Object]) -> None:
        for each in reversed(objects):
            path = place_of(each)
            if "finalizers" in metadata_of(each):
                self._http.patch(path, json=_FREE, headers={"Content-Type": _MERGE})
            self._http.delete(path, params={"gracePeriodSeconds": 0, "propagationPolicy": "Background"})
            if each in self._made:
                self._made.remove(each)


def _is_too_early(answer: httpx.Response) -> bool:
    """Whether the kind was only just defined, for the API server or for Gatekeeper."""
    return answer.status_code == httpx.codes.NOT_FOUND or "missing ConstraintTemplate" in answer.text


def _telling(tries: Sequence[Try]) -> list[Try]:
    """One try of each kind of denial or change."""
    found = {(each.expect, each.rule): each for each in reversed(tries) if each.expect is not Decision.ALLOW}
    return list(found.values())


def _bit(played: Played) -> bool:
    return played.decision is Decision.DENY and not played.by_server


def renewed(document: Object) -> Object:
    """The document with its end as far from now as it is from the corpus' usual time."""
    spec = document.get("spec")
    if not isinstance(spec, dict) or "expires" not in spec:
        return document
    written = str(spec["expires"])
    whole = written if "T" in written else f"{written}T23:59:59Z"
    left = datetime.datetime.fromisoformat(whole) - datetime.datetime.fromisoformat(CLOCK)
    ends = datetime.datetime.now(datetime.UTC) + left
    return document | {"spec": spec | {"expires": ends.strftime("%Y-%m-%dT%H:%M:%SZ")}}
