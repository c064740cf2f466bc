"""Read a table's YAML into plain values, with the line of each.

1. Scalars are those of YAML 1.2: `yes` and `no` are texts, as escapes answer with them.
2. A catalogue is data that a person writes: no aliases, no tags, at most 4 MiB and 20 levels deep. So nothing that a
   file says can cost more than its length.
3. A key that stands twice is an error.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import yaml

from casemate.errors import InputError

Value: TypeAlias = "bool | int | float | str | datetime.date | list[Value] | dict[str, Value] | None"
Step: TypeAlias = str | int

MAX_BYTES: Final = 4 << 20
MAX_DEPTH: Final = 20
_PLAIN: Final = (
    (re.compile(r"[-+]?[0-9]+"), int),
    (re.compile(r"[-+]?[0-9]+\.[0-9]+"), float),
    (re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"), datetime.date.fromisoformat),
)
_WORDS: Final = {"true": True, "false": False, "null": None, "~": None, "": None}


@dataclass(frozen=True)
class Lined:
    """A document's value and where its parts stand."""

    file: str
    value: Value
    node: yaml.Node | None

    def where(self, path: Sequence[Step] = ()) -> str:
        """`file:line` of the value at a path, or of the nearest around it."""
        return f"{self.file}:{_line(self.node, path)}"


def read(data: bytes, file: str) -> Lined:
    """The one document of a file. Raises InputError with `file:line`."""
    if len(data) > MAX_BYTES:
        raise InputError(f"larger than {MAX_BYTES >> 20} MiB", where=file, fix="split the file")
    try:
        text = data.decode()
        _check(text, file)
        node = yaml.compose(text, yaml.CSafeLoader)
        return Lined(file, None if node is None else _value(node, file), node)
    except UnicodeDecodeError:
        raise InputError("not UTF-8", where=file, fix="save it as UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else file
        what = getattr(error, "problem", None) or str(error).partition("\n")[0]
        fix = "look at this line and the one before it; YAML indents with spaces"
        raise InputError(f"not YAML: {what}", where=where, fix=fix) from None


def _check(text: str, file: str) -> None:
    """Refuse what could make composing expensive, from the flat stream of events."""
    depth = documents = 0
    for event in yaml.parse(text, yaml.CSafeLoader):
        where = f"{file}:{event.start_mark.line + 1 if event.start_mark else 1}"
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        if isinstance(event, yaml.AliasEvent):
            raise InputError("aliases are not for catalogues", where=where, fix="write the value out")
        tag = getattr(event, "tag", None)
        if tag not in (None, "!"):
            raise InputError(f"tag {tag} is not for catalogues", where=where, fix="remove it")
        if depth > MAX_DEPTH:
            raise InputError(f"nested more than {MAX_DEPTH} levels deep", where=where)
        if documents > 1:
            raise InputError("more than one document", where=where, fix="make it one, or two files")


def _value(node: yaml.Node, file: str) -> Value:
    match node:
        case yaml.ScalarNode():
            return _scalar(node, file)
        case yaml.SequenceNode():
            return [_value(each, file) for each in node.value]
        case yaml.MappingNode():
            return _mapping(node, file)
    raise AssertionError(node)


def _mapping(node: yaml.MappingNode, file: str) -> Value:
    result: dict[str, Value] = {}
    for key, value in node.value:
        where = f"{file}:{key.start_mark.line + 1}"
        if not isinstance(key, yaml.ScalarNode):
            raise InputError("a key is a list or a mapping", where=where, fix="keys are plain text")
        if key.value in result:
            raise InputError(f"`{key.value}` stands twice", where=where, fix="keep one of them")
        result[key.value] = _value(value, file)
    return result


def _scalar(node: yaml.ScalarNode, file: str) -> Value:
    text: str = node.value
    if node.style:
        return text
    if text in _WORDS:
        return _WORDS[text]
    for pattern, read_as in _PLAIN:
        if pattern.fullmatch(text):
            try:
                return read_as(text)
            except ValueError:
                where = f"{file}:{node.start_mark.line + 1}"
                raise InputError(f"{text} is no date", where=where, fix="write it as year-month-day") from None
    return text


def _line(node: yaml.Node | None, path: Sequence[Step]) -> int:
    line = 1 if node is None else node.start_mark.line + 1
    for step in path:
        if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            line = node.start_mark.line + 1
        elif isinstance(node, yaml.MappingNode):
            found = next(((key, value) for key, value in node.value if key.value == str(step)), None)
            if found is None:
                break
            line, node = found[0].start_mark.line + 1, found[1]
        else:
            break
    return line
