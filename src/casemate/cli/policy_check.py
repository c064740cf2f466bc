"""`casemate policy check`."""

from __future__ import annotations

import datetime
import sys
from typing import Annotated

from cyclopts import Parameter

from casemate.catalogue import tables
from casemate.cli import policy_files
from casemate.cli.options import Output
from casemate.errors import InputError
from casemate.policy.check import check as find
from casemate.report.policy_findings import findings_json, findings_text


def check(*file: Annotated[str, Parameter(allow_leading_hyphen=True)], output: Output = "table") -> int:
    """Find what is wrong with policies and exceptions before they are in force.

    Conflicts, empty intersections, defaults that cannot be set, rules that never count, unknown classes, anchors that
    tenants can move, exceptions that have expired or are about nothing. Ends with 1 when something is found.

    Parameters
    ----------
    file
        Policies and exceptions, and RuntimeClasses, Nodes and Namespaces beside them: files, folders or -.
    """
    if not file and sys.stdin.isatty():
        raise InputError("no policies", fix="name files or folders, or - for standard input")
    written = policy_files.read(file or ("-",))
    known = policy_files.known(written)
    now = datetime.datetime.now(datetime.UTC)
    found = find(written, known.compiled, known.surroundings, tables.load(), now)
    show = findings_json if output == "json" else findings_text
    print(show(found, len(written.policies), len(written.exceptions)))
    return 1 if found else 0
