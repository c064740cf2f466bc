"""AdmissionReview v1: what the API server asks, and how it is answered.

1. A review is decoded once. What is no AdmissionReview v1 with a uid cannot be answered and is an `InputError`; the API
   server takes the failed call as a denial (failurePolicy Fail).
2. A review whose uid can be read and whose rest cannot is denied by that uid, so that its user learns why.
   A Pod that is being made, which is most of what is asked, is read into its types at once (`casemate.sources.pods`).
3. Fields that this version does not know are passed over: newer API servers add some, and none can allow anything.
4. An answer carries the uid of its request; a patch is a JSON Patch in base64. A message is cut at 4 KiB, and warnings
   at 4 KiB altogether: the API server cuts longer ones, and we choose where.

Source: k8s.io/api/admission/v1 of Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Generic, Literal, TypeVar

import msgspec

from casemate.admission.size import SMALL
from casemate.errors import InputError
from casemate.model.policy import Patch
from casemate.model.workload import Workload
from casemate.sources.pods import WrittenPod, workload

_VERSION: Final = "admission.k8s.io/v1"
_KIND: Final = "AdmissionReview"
_LONGEST: Final = 4096
_POD: Final = b'"kind":"Pod"'


class UserInfo(msgspec.Struct, frozen=True):
    """Who asks."""

    username: str = ""
    groups: tuple[str, ...] | None = ()


class Resource(msgspec.Struct, frozen=True):
    """Which API the object is in."""

    group: str = ""
    version: str = ""
    resource: str = ""


_PODS: Final = Resource("", "v1", "pods")


class AdmissionRequest(msgspec.Struct, frozen=True, rename="camel"):
    """One request to the API server. `new` is None at DELETE, `old` at CREATE."""

    uid: str
    resource: Resource
    operation: str
    sub_resource: str = ""
    name: str = ""
    namespace: str = ""
    user_info: UserInfo = UserInfo()
    new: dict[str, object] | None = msgspec.field(default=None, name="object")
    old: dict[str, object] | None = msgspec.field(default=None, name="oldObject")
    dry_run: bool | None = False

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups of who asks."""
        return self.user_info.groups or ()


class PodRequest(AdmissionRequest, frozen=True, kw_only=True):
    """One to make a Pod, which was read at once: `made`, with neither `new` nor `old`."""

    made: Workload


class _PodRequest(msgspec.Struct, frozen=True, rename="camel"):
    uid: str
    resource: Resource
    operation: Literal["CREATE"]
    new: WrittenPod = msgspec.field(name="object")
    sub_resource: Literal[""] = ""
    name: str = ""
    namespace: str = ""
    user_info: UserInfo = UserInfo()
    old: None = msgspec.field(default=None, name="oldObject")
    dry_run: bool | None = False


class _Named(msgspec.Struct, frozen=True):
    uid: str


_Request = TypeVar("_Request")


class _Review(msgspec.Struct, Generic[_Request], frozen=True, rename="camel"):
    api_version: str
    kind: str
    request: _Request


class Unreadable(msgspec.Struct, frozen=True):
    """A request of which only the uid could be read."""

    uid: str
    problem: str


class _Status(msgspec.Struct, frozen=True, kw_only=True):
    message: str
    code: int = 403
    reason: str = "Forbidden"
    status: str = "Failure"


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What the API server is told of one request."""

    uid: str
    allowed: bool
    status: _Status | None = None
    patch_type: str = ""
    patch: bytes = b""
    warnings: tuple[str, ...] = ()
    audit_annotations: Mapping[str, str] = {}


class _Answered(msgspec.Struct, frozen=True, rename="camel"):
    response: Answer
    api_version: str = _VERSION
    kind: str = _KIND


_reviews: Final = msgspec.json.Decoder(_Review[AdmissionRequest])
_unread: Final = msgspec.json.Decoder(_Review[_Named])
_pods: Final = msgspec.json.Decoder(_Review[_PodRequest])
_encoder: Final = msgspec.json.Encoder()


def decode(body: bytes) -> AdmissionRequest | Unreadable:
    """The request in the body of a call. Raises `InputError` when there is none that could be answered."""
    if len(body) <= SMALL and _POD in body and (pod := _pod(body)):
        return pod
    try:
        review = _reviews.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return _only_named(body, error)
    _check(review.api_version, review.kind)
    return review.request


def _pod(body: bytes) -> PodRequest | None:
    """The request to make a Pod; None when it is another one, or has anything unusual about it."""
    try:
        review = _pods.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    asked = review.request
    made = workload(asked.new, asked.namespace)
    if made is None or asked.resource != _PODS or (review.api_version, review.kind) != (_VERSION, _KIND):
        return None
    return PodRequest(
        uid=asked.uid,
        resource=_PODS,
        operation=asked.operation,
        name=asked.name,
        namespace=asked.namespace,
        user_info=asked.user_info,
        dry_run=asked.dry_run,
        made=made,
    )


def _only_named(body: bytes, error: Exception) -> Unreadable:
    problem = "nested too deeply" if isinstance(error, RecursionError) else str(error)
    try:
        review = _unread.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InputError(f"not an {_KIND}: {problem}", fix=f"send an {_KIND} of {_VERSION}") from None
    _check(review.api_version, review.kind)
    return Unreadable(review.request.uid, problem)


def _check(version: str, kind: str) -> None:
    if (version, kind) != (_VERSION, _KIND):
        raise InputError(f"not an {_KIND} of {_VERSION}: {kind} of {version}", fix="list v1 in admissionReviewVersions")


def encode(answer: Answer) -> bytes:
    """The body of an answer."""
    return _encoder.encode(_Answered(answer))


def allowed(
    uid: str, *, patch: Sequence[Patch] = (), warnings: Iterable[str] = (), annotations: Mapping[str, str] | None = None
) -> Answer:
    """An answer that admits the request, with a patch if there is one."""
    return Answer(
        uid=uid,
        allowed=True,
        patch_type="JSONPatch" if patch else "",
        patch=_encoder.encode(patch) if patch else b"",
        warnings=_cut(warnings),
        audit_annotations=annotations or {},
    )


def denied(
    uid: str, message: str, *, warnings: Iterable[str] = (), annotations: Mapping[str, str] | None = None
) -> Answer:
    """An answer that refuses the request, and why."""
    return Answer(
        uid=uid,
        allowed=False,
        status=_Status(message=_shortened(message, _LONGEST)),
        warnings=_cut(warnings),
        audit_annotations=annotations or {},
    )


def _cut(warnings: Iterable[str]) -> tuple[str, ...]:
    kept: list[str] = []
    left = _LONGEST
    for each in warnings:
        text = _shortened(each, left)
        if not text:
            break
        kept.append(text)
        left -= len(text.encode())
    return tuple(kept)


def _shortened(text: str, most: int) -> str:
    data = text.encode("utf-8", "replace")
    if len(data) <= most:
        return data.decode()
    return data[: most - 3].decode("utf-8", "ignore") + "…" if most > len("…".encode()) else ""
