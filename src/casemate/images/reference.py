"""Names of images, read as Docker, containerd and kubelets read them (distribution/reference, normalised).

1. The part before the first slash is a registry when it has a dot or a colon or is `localhost`; else it is `docker.io`.
2. On docker.io a name without a slash lies in `library/`.
3. Repositories are lower case; a tag is at most 128 word characters, dots and dashes; a digest is sha256 or sha512.
4. Without tag and digest the tag is `latest`. With both, the digest decides; the tag is kept for people to read.
5. Sixty-four hexadecimal digits are an image's id, never a name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from casemate.errors import InputError

DEFAULT_REGISTRY = "docker.io"

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_REGISTRY = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:]+\])(?::[0-9]{{1,5}})?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_ID = re.compile(r"[0-9a-f]{64}")
_LONGEST_REPOSITORY = 255


@dataclass(frozen=True)
class Reference:
    """An image's name in full. `tag` and `digest` are empty when not given; never both."""

    registry: str
    repository: str
    tag: str
    digest: str

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"

    @property
    def name(self) -> str:
        """Registry and repository."""
        return f"{self.registry}/{self.repository}"

    @property
    def engine_name(self) -> str:
        """The name under which an engine keeps the image: with a digest it leaves the tag out."""
        return f"{self.name}@{self.digest}" if self.digest else str(self)


def is_tag(text: str) -> bool:
    """Whether `text` is a tag that images may be named by."""
    return _TAG.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """Whether `text` is a digest that images may be named by."""
    return _DIGEST.fullmatch(text) is not None


def parse(text: str, where: str = "") -> Reference:
    """The image that `text` names. `where` is the place of the text, for the error. Raises `InputError`."""
    rest, _, digest = text.partition("@")
    rest, tag = _split_tag(rest)
    registry, repository = _split_registry(rest)
    _check(text, where, registry, repository, tag, digest)
    return Reference(registry, repository, tag or ("" if digest else "latest"), digest)


def _split_tag(text: str) -> tuple[str, str | None]:
    head, colon, tag = text.rpartition(":")
    return (head, tag) if colon and "/" not in tag else (text, None)


def _split_registry(text: str) -> tuple[str, str]:
    first, slash, rest = text.partition("/")
    if not slash or not (set(".:") & set(first) or first == "localhost" or first != first.lower()):
        first, rest = DEFAULT_REGISTRY, text
    if first == "index.docker.io":
        first = DEFAULT_REGISTRY
    if first == DEFAULT_REGISTRY and "/" not in rest:
        rest = f"library/{rest}"
    return first, rest


def _check(text: str, where: str, registry: str, repository: str, tag: str | None, digest: str) -> None:
    if _ID.fullmatch(text):
        raise _wrong(text, where, "it is an image's id, not a name")
    if not _REGISTRY.fullmatch(registry):
        raise _wrong(text, where, f"{registry!r} is no registry's name")
    if not _REPOSITORY.fullmatch(repository):
        reason = "repositories are lower case" if _REPOSITORY.fullmatch(repository.lower()) else "wrong repository"
        raise _wrong(text, where, reason)
    if len(repository) > _LONGEST_REPOSITORY:
        raise _wrong(text, where, f"the repository is longer than {_LONGEST_REPOSITORY} characters")
    if tag is not None and not _TAG.fullmatch(tag):
        raise _wrong(text, where, f"{tag!r} is no tag")
    if "@" in text and not _DIGEST.fullmatch(digest):
        raise _wrong(text, where, f"{digest!r} is no digest")


def _wrong(text: str, where: str, reason: str) -> InputError:
    shown = text if len(text) <= 300 else text[:297] + "..."
    return InputError(
        f"{shown!r} is no image name: {reason}", where=where, fix="write it as registry/repository:tag or …@sha256:…"
    )
