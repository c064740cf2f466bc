"""Names of images in CEL: one regular expression (RE2) for each pattern of `casemate.policy.images`.

1. What runtimes complete counts as written: `nginx`, `library/nginx` and `docker.io/nginx` are one repository, and no
   tag is `latest`. Registries know no upper and lower case.
2. A name is readable when distribution/reference can parse it; `casemate.images.reference` is the rule.
3. With a digest the digest decides; in an exception a pattern with a tag fits no image that has one.
"""

from __future__ import annotations

import re
from typing import Final

from casemate.images.reference import DEFAULT_REGISTRY
from casemate.policy.compile.cel import text
from casemate.policy.images import ImagePattern, pattern

_TAG: Final = "[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST: Final = "(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})"
_ANY: Final = f"(:{_TAG})?(@{_DIGEST})?"
_COMPONENT: Final = r"[a-z0-9]+((\.|_{1,2}|-+)[a-z0-9]+)*"
_REPOSITORY: Final = f"{_COMPONENT}(/{_COMPONENT})*"
_LABEL: Final = "[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?"
_REGISTRY: Final = rf"({_LABEL}(\.{_LABEL})*|\[[0-9a-fA-F:]+\])(:[0-9]{{1,5}})?"
_READABLE: Final = f"^({_REGISTRY}/)?{_REPOSITORY}{_ANY}$"
_UNREADABLE: Final = "^[0-9a-f]{64}$|[^:@]{256,}"
"""Ids of images, and repositories of more than 255 characters."""

_UNDOTTED: Final = "[a-z0-9]+((_{1,2}|-+)[a-z0-9]+)*"
_HUB: Final = r"(docker\.io|index\.docker\.io|(?i:docker\.io))/"


def readable(image: str) -> str:
    """Whether an image's name (an expression) can be read (rule 2)."""
    return f"{image}.matches({text(_READABLE)}) && !{image}.matches({text(_UNREADABLE)})"


def fits(image: str, written: str, *, widening: bool) -> str:
    """Whether an image's name (an expression) fits a pattern. `widening`: the answer grants something."""
    asked = pattern(written)
    matches = f"{image}.matches({text(expression(asked, widening=widening))})"
    return f"{matches} && !{image}.startsWith('localhost/')" if asked.name == DEFAULT_REGISTRY else matches


def expression(asked: ImagePattern, *, widening: bool) -> str:
    """The regular expression of a pattern."""
    registry, _, repository = asked.name.partition("/")
    if asked.below:
        return f"^{_below(registry, repository)}{_ANY}$"
    return f"^{_named(registry, repository)}{_version(asked, widening=widening)}$"


def _version(asked: ImagePattern, *, widening: bool) -> str:
    if asked.digest:
        return f"(:{_TAG})?@{re.escape(asked.digest)}"
    if not asked.tag:
        return _ANY
    named = f":{re.escape(asked.tag)}" + ("" if widening else f"(@{_DIGEST})?")
    return f"({named})?" if asked.tag == "latest" else named


def _named(registry: str, repository: str) -> str:
    if registry != DEFAULT_REGISTRY:
        return f"(?i:{re.escape(registry)})/{re.escape(repository)}"
    official = repository.removeprefix("library/")
    if official != repository and "/" not in official:
        return f"({_HUB})?(library/)?{re.escape(official)}"
    return f"({_HUB})?{re.escape(repository)}"


def _below(registry: str, path: str) -> str:
    inside = f"{re.escape(path)}/" if path else ""
    if registry != DEFAULT_REGISTRY:
        return f"(?i:{re.escape(registry)})/{inside}[^:@]+"
    if path == "library":
        return f"({_HUB})?(library/[^:@]+|[^:@/]+)"
    if path:
        return f"({_HUB})?{inside}[^:@]+"
    return f"({_HUB}[^:@]+|{_COMPONENT}|{_UNDOTTED}(/{_COMPONENT})+)"
