"""The files of containerd's configuration: which ones are read, in which order, and what they make together.

Rules (tried with containerd 1.6.20 and 2.4.2):

1. Nothing is imported that the root file does not name, whatever `config dump` prints as `imports`.
2. Patterns are sorted by name. Relative names resolve against the importing file; relative patterns do from 2.0 on,
   before they resolve against the folder that containerd runs in, which is / under systemd. What imported files import
   is read after all that the files before them name (breadth first).
3. containerd 1.x: an imported file replaces the whole table of each plugin that it names. 2.x: tables merge deeply.
4. A file that is named without a pattern and is not there is dangling: containerd 2 does not start with it.
"""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path

from casemate.errors import InputError, MissingError
from casemate.model.node import ImportFact, Toml
from casemate.node.document import at, merged, parse, texts


@dataclass(frozen=True)
class Source:
    """One file of the configuration. `text` is None when there is none; `pattern` names what imported it."""

    path: str
    text: str | None
    table: Toml
    pattern: str = ""

    @property
    def version(self) -> int:
        """The file's own schema version; 0 when it does not say."""
        found = self.table.get("version")
        return found if isinstance(found, int) else 0

    @property
    def fact(self) -> ImportFact:
        """The same for a report."""
        return ImportFact(path=self.path, pattern=self.pattern, version=self.version, exists=self.text is not None)


@dataclass(frozen=True)
class Tree:
    """A root file and all that it imports, in the order in which they are merged."""

    root: Source
    imports: tuple[Source, ...]
    patterns: tuple[str, ...]

    @property
    def dangling(self) -> tuple[Source, ...]:
        """Imports that are named and not there (rule 4)."""
        return tuple(each for each in self.imports if each.text is None)


def read(file: Path, major: int) -> Tree:
    """The configuration that begins with that file, for a containerd of that major version.

    Raises `InputError` for what is no TOML or cannot be read.
    """
    root = _source(file, "")
    patterns = _patterns(root, file, major)
    seen, found, pending = {str(file)}, list[Source](), list(patterns)
    while pending:
        pattern = pending.pop(0)
        for path in _matches(pattern):
            if path not in seen:
                seen.add(path)
                found.append(_source(Path(path), pattern))
                pending += _patterns(found[-1], Path(path), major)
    return Tree(root, tuple(found), patterns)


def merge(tree: Tree, major: int) -> Toml:
    """What the files make together, without the defaults that the runtime has built in (rule 3)."""
    result = dict(tree.root.table)
    for source in tree.imports:
        result = _replaced(result, source.table) if major < 2 else merged(result, source.table)
    return result


def _replaced(base: Toml, other: Toml) -> Toml:
    plugins = {**at(base, ("plugins",)), **at(other, ("plugins",))}
    return {**merged(base, other), "plugins": plugins} if plugins else merged(base, other)


def _matches(pattern: str) -> list[str]:
    return sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]  # noqa: PTH207 - absolute patterns


def _patterns(source: Source, file: Path, major: int) -> tuple[str, ...]:
    named = texts(source.table, "imports")
    return tuple(str((Path("/") if major < 2 and glob.has_magic(each) else file.parent) / each) for each in named)


def _source(file: Path, pattern: str) -> Source:
    try:
        text = file.read_bytes().decode()
    except FileNotFoundError:
        return Source(str(file), None, {}, pattern)
    except UnicodeDecodeError:
        raise InputError("this is no text in UTF-8", where=str(file), fix="correct the file") from None
    except PermissionError:
        raise MissingError("may not be read", where=str(file), fix="run as root") from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(file)) from None
    return Source(str(file), text, parse(text, str(file)), pattern)
