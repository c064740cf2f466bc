"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

EngineName = Annotated[
    str, Parameter(name="--engine", env_var="CASEMATE_ENGINE", help="Which engine, when there are several.")
]
Output = Annotated[Literal["table", "json"], Parameter(name=["--output", "-o"], help="How to print the result.")]
