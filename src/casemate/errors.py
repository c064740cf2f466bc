"""Everything that casemate raises on purpose, each with its exit code (DESIGN.md section 4).

CasemateError
├── InputError       2  the user's input or usage is wrong
│   └── RefusedError 2  input is right, but cannot be honoured as written; nothing was started
├── MissingError     3  something needed is not on this machine
├── IncompleteError  4  a time limit passed or a part could not be reached
└── RuntimeFault     1  a runtime, an image or a workload failed
"""

from __future__ import annotations

from typing import ClassVar

from casemate import exit_codes


class CasemateError(Exception):
    """What went wrong, where, and what to do about it.

    `where` is `file:line:column` or the name of an object; `fix` is an instruction to the user. Either may be empty.
    """

    exit_code: ClassVar[int] = exit_codes.FOUND

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        remedy = f"\n  → {self.fix}" if self.fix else ""
        return f"{place}{self.what}{remedy}"


class InputError(CasemateError):
    """The user's input or usage is wrong."""

    exit_code = exit_codes.WRONG


class RefusedError(InputError):
    """The input is well formed, but a field cannot be honoured here; nothing was started."""


class MissingError(CasemateError):
    """Something needed is missing on this machine; `fix` names the command that installs it."""

    exit_code = exit_codes.MISSING


class IncompleteError(CasemateError):
    """A time limit passed or a part was unreachable; says what was not done."""

    exit_code = exit_codes.INCOMPLETE


class RuntimeFault(CasemateError):
    """A runtime, an image or a workload failed."""
