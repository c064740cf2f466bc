"""Walk a folder for manifests as Git sees it: what `.gitignore` names is build output, not source.

As gitignore(5) has it:

1. The rules of a folder's `.gitignore` hold below that folder. Those of `.git/info/exclude` and of the folders above,
   up to the one that holds `.git`, hold too. Of several rules that match, the last one of the nearest file counts.
2. `!` takes a path back in, but nothing below an ignored folder. A `/` at the end names folders only.
3. A rule with a `/` before its end counts from its own folder, any other at every depth.
4. `*` and `?` do not cross a `/`; `**` does.

Symbolic links to folders are not followed, so that no loop can hold the walk up, and `.git` is not looked into.
What a person names is walked even if it is ignored itself.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from casemate.sources.problems import Problem

_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    takes_back: bool
    folders_only: bool


@dataclass(frozen=True, slots=True)
class Ignored:
    """The rules of one folder, `base`, on top of those around it (`above`)."""

    base: str
    rules: tuple[_Rule, ...]
    above: Ignored | None = None

    def covers(self, path: str, *, folder: bool) -> bool:
        """Whether the rules ignore this path, which lies below `base`."""
        here: Ignored | None = self
        while here:
            relative = path[len(here.base) :].lstrip("/")
            for rule in here.rules:
                if (folder or not rule.folders_only) and rule.pattern.fullmatch(relative):
                    return not rule.takes_back
            here = here.above
        return False


def walk(folder: str, suffixes: frozenset[str]) -> Iterator[str | Problem]:
    """All files below the folder whose names end so and that are not ignored, in order of name."""
    top = str(Path(folder).resolve())
    rules = {top: _with_rules_of(top, _above(top))}
    unreadable: list[OSError] = []
    for here, below, files in os.walk(top, onerror=unreadable.append):
        ignored = rules.pop(here)
        prefix = here.removesuffix("/") + "/"
        below[:] = sorted(each for each in below if _is_open(ignored, prefix + each, each))
        rules.update({path: _with_rules_of(path, ignored) for path in (prefix + each for each in below)})
        shown = str(Path(folder, here[len(top) :].lstrip("/"), "_")).removesuffix("_")
        for each in sorted(files):
            if _suffix(each) in suffixes and not (ignored and ignored.covers(prefix + each, folder=False)):
                yield shown + each
    for error in unreadable:
        reason = (error.strerror or str(error)).lower()
        yield Problem(str(error.filename), f"cannot read: {reason}", "check its permissions")


def _suffix(name: str) -> str:
    stem, dot, end = name.rpartition(".")
    return dot + end if stem else ""


def _is_open(ignored: Ignored | None, path: str, name: str) -> bool:
    return name != ".git" and not Path(path).is_symlink() and not (ignored and ignored.covers(path, folder=True))


def _above(top: str) -> Ignored | None:
    """The rules of the repository around the folder, without the folder's own."""
    folders = [Path(top), *Path(top).parents]
    root = next((index for index, each in enumerate(folders) if (each / ".git").exists()), None)
    if root is None:
        return None
    base = str(folders[root])
    rules = _read(folders[root] / ".git" / "info" / "exclude")
    ignored = Ignored(base, rules) if rules else None
    for each in reversed(folders[1 : root + 1]):
        ignored = _with_rules_of(str(each), ignored)
    return ignored


def _with_rules_of(folder: str, above: Ignored | None) -> Ignored | None:
    rules = _read(Path(folder, ".gitignore"))
    return Ignored(folder, rules, above) if rules else above


def _read(file: Path) -> tuple[_Rule, ...]:
    """The rules of a file, the last one first. A file that cannot be read has none, as for Git."""
    try:
        with file.open("rb") as stream:
            lines = stream.read(_LARGEST).decode("utf-8", "replace").splitlines()
    except OSError:
        return ()
    return tuple(parse(lines))[::-1]


def parse(lines: Iterable[str]) -> Iterator[_Rule]:
    """The rules of a `.gitignore` in their order."""
    for line in lines:
        text = re.sub(r"(?<!\\)[ \t]+$", "", line.rstrip("\r\n"))
        if not text or text.startswith("#"):
            continue
        takes_back = text.startswith("!")
        text = text[1:] if takes_back else text
        folders_only = text.endswith("/")
        text = text.rstrip("/")
        if text:
            anchored = "" if "/" in text else "(?:.*/)?"
            pattern = re.compile(anchored + _expression(text.lstrip("/")), re.DOTALL)
            yield _Rule(pattern, takes_back, folders_only)


_TOKEN = re.compile(r"^\*\*/|/\*\*/|/\*\*$|\*+|\?|\\.|\[[!^]?\]?[^\]]*\]|.", re.DOTALL)


def _expression(glob: str) -> str:
    return "".join(_translated(match[0]) for match in _TOKEN.finditer(glob))


def _translated(token: str) -> str:
    match token:
        case "**/":
            return "(?:.*/)?"
        case "/**/":
            return "/(?:.*/)?"
        case "/**":
            return "/.*"
        case "?":
            return "[^/]"
    if token.startswith("*"):
        return "[^/]*"
    if token.startswith("[") and len(token) > 1:
        return _class(token)
    return re.escape(token[1:] if token.startswith("\\") and len(token) > 1 else token)


def _class(token: str) -> str:
    inside = token[1:-1]
    negated = inside[:1] in ("!", "^")
    inside = inside[1:] if negated else inside
    expression = f"[{'^/' if negated else ''}{inside.replace(chr(92), chr(92) * 2).replace('[', chr(92) + '[')}]"
    try:
        re.compile(expression)
    except re.error:
        return re.escape(token)
    return f"(?!/){expression}"
