"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

from cyclopts import Parameter

from casemate.errors import InputError

EngineName = Annotated[
    str, Parameter(name="--engine", env_var="CASEMATE_ENGINE", help="Which engine, when there are several.")
]
GivenImages = Annotated[
    list[str],
    Parameter(
        name="--image",
        negative=(),
        help="NAME=PATH: take the image NAME from an OCI layout (folder or tar) or a docker-archive; repeatable.",
    ),
]


def read_once(*inputs: Sequence[str]) -> None:
    """Raise `InputError` when standard input is named twice: who reads it second finds nothing."""
    if sum(each == "-" for names in inputs for each in names) > 1:
        raise InputError("standard input is named twice", where="-", fix="put one of them into a file")


def _lasting(_: object, seconds: float | None) -> None:
    if seconds is not None and not seconds >= 0:
        raise ValueError("It is no length of time: give seconds from 0 on.")


Seconds: TypeAlias = Annotated[float, Parameter(validator=_lasting)]
Output = Annotated[Literal["table", "json"], Parameter(name=["--output", "-o"], help="How to print the result.")]


def by_name(images: Sequence[str]) -> dict[str, str]:
    """The paths of `GivenImages` by the images' names. Raises `InputError`."""
    given = {}
    for each in images:
        reference, separator, path = each.partition("=")
        if not separator or not reference or not path:
            raise InputError(f"{each!r} is not NAME=PATH", where="--image", fix="--image shop/web:1=build/web")
        given[reference] = path
    return given
