"""Text that strangers wrote, made harmless and legible before it is shown.

1. Characters that command a terminal, reorder a line, or cannot be seen are shown by their numbers: `\\x1b`.
2. Each format escapes the rest itself: HTML and XML by entities, Markdown by backslashes, CSV against formulas.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

from casemate.model.workload import Source, Workload

_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\U0001fffe\U0001ffff\U000e0000-\U000e0fff]"
)
_MARKDOWN = re.compile(r"[\\`*_{}\[\]<>&|~@#$!]|:(?=\S)|(?<=www)\.", re.IGNORECASE)
_MENTION = re.compile(r"[@#](?!x27;)")
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
_BACKTICKS = re.compile(r"`+")


def visible(text: str) -> str:
    """The text on one line, with nothing in it that acts or hides."""
    return _HIDDEN.sub(_numbered, text)


def _numbered(match: re.Match[str]) -> str:
    number = ord(match[0])
    if number < 0x100:
        return {9: "\\t", 10: "\\n", 13: "\\r"}.get(number, f"\\x{number:02x}")
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def title(workload: Workload) -> str:
    """`Kind namespace/name`, or `Kind name` where there is no namespace; harmless."""
    return visible(workload.title if workload.namespace else f"{workload.kind} {workload.name}")


def handle(workload: Workload) -> str:
    """`Kind/namespace/name`: what `casemate explain` takes; harmless."""
    return visible("/".join(part for part in (workload.kind, workload.namespace, workload.name) if part))


def place(source: Source) -> str:
    """`file:line`, or the object's uid; harmless."""
    if not source.file:
        return visible(source.uid)
    return visible(f"{source.file}:{source.line}" if source.line else source.file)


def readable(text: str) -> str:
    """The text as valid Unicode: bytes of a file's name that are no UTF-8 are shown by their numbers."""
    return text.encode(errors="backslashreplace").decode()


def markup(text: str) -> str:
    """The text for HTML and XML, between tags or in a quoted attribute."""
    return html.escape(visible(text))


def attributes(values: Mapping[str, str]) -> str:
    """Attributes of a tag, each with a blank before it."""
    return "".join(f' {name}="{markup(value)}"' for name, value in values.items())


def markdown(text: str) -> str:
    """The text for Markdown: no markup, no links, and no mention of a person or an issue."""
    return _unmentioned(_MARKDOWN.sub(lambda match: "&lt;" if match[0] == "<" else f"\\{match[0]}", visible(text)))


def unmentioned(text: str) -> str:
    """The text for HTML that stands in Markdown."""
    return _unmentioned(markup(text))


def _unmentioned(text: str) -> str:
    # Forges look for mentions after rendering: an empty comment parts the sign from the name.
    return _MENTION.sub("\\g<0><!-- -->", text)


def code(text: str) -> str:
    """The text as Markdown code, also within a table."""
    shown = visible(text).replace("|", "\\|")
    if not shown:
        return ""
    longest = max((len(run) for run in _BACKTICKS.findall(shown)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def cell(text: str) -> str:
    """The text for a spreadsheet: what would be read as a formula begins with an apostrophe."""
    shown = visible(text)
    return f"'{shown}" if _FORMULA.match(shown) else shown
