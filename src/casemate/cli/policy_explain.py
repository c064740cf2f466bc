"""`casemate policy explain`."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from cyclopts import Parameter
from msgspec.structs import replace

from casemate.cli import policy_files
from casemate.cli.options import Output, read_once
from casemate.cli.policy_files import Known
from casemate.errors import InputError
from casemate.model.judged import Judged
from casemate.model.policy import Decision, Operation
from casemate.policy.asking import Asked, namespace_of, verdict
from casemate.report.policy_verdict import decision, verdicts_json, verdicts_text
from casemate.sources import objects
from casemate.sources.objects import FileObject


@Parameter(name="*")
@dataclass(frozen=True)
class Asking:
    """Who sends the objects, and how."""

    namespace_labels: str | None = None
    """Labels of the objects' namespaces (key=value,…); else those of their Namespace objects in the files."""
    user: str = ""
    """Who asks. Without it, policies about users and groups are not applied."""
    groups: str = ""
    """The groups of who asks, with commas between."""
    operation: Literal["CREATE", "UPDATE"] = "CREATE"
    """CREATE, or UPDATE of what --old holds."""
    old: Annotated[list[str], Parameter(negative=())] = field(default_factory=list)
    """The objects before the update."""

    def asked(self) -> Asked:
        """The same for the evaluator. Raises `InputError` for labels that are none."""
        return Asked(
            operation=Operation(self.operation),
            user=self.user,
            groups=_listed(self.groups),
            labels=None if self.namespace_labels is None else labels(self.namespace_labels),
        )

    def before(self) -> dict[str, dict[str, object]]:
        """The objects before the update, by their titles. Raises `InputError` where there is no update."""
        found = {each.title: each.value for each in objects.load(self.old, sys.stdin.buffer)} if self.old else {}
        if found and self.operation != "UPDATE":
            raise InputError("only an update has an object before it", where="--old", fix="add --operation UPDATE")
        return found


def explain(
    *,
    policy: Annotated[list[str], Parameter(name=["--policy", "-p"], negative=(), allow_leading_hyphen=True)],
    object_: Annotated[list[str], Parameter(name=["--object", "-f"], negative=(), allow_leading_hyphen=True)],
    asking: Asking | None = None,
    output: Output = "table",
) -> int:
    """Say what becomes of an object that somebody sends to the API server, and why.

    Ends with 0 when it is allowed or changed, with 1 when it is denied.

    Parameters
    ----------
    policy
        Policies and exceptions, and the RuntimeClasses, Nodes and Namespaces beside them; files, folders or -.
    object_
        What is sent: any objects that embed Pod templates. Namespaces and RuntimeClasses among them are known, too.
    """
    asking = asking or Asking()
    read_once(policy, object_, asking.old)
    sent = objects.load(object_, sys.stdin.buffer)
    known = policy_files.known(policy_files.read(policy), sent)
    before, asked = asking.before(), asking.asked()
    _tell(known, sent, asked)
    items = list(_judged(known, sent, asked, before))
    if not items:
        raise InputError("no object that embeds a Pod template", where=", ".join(object_), fix="name one that does")
    print(verdicts_json(items) if output == "json" else verdicts_text(items))
    return 1 if decision(items) is Decision.DENY else 0


def _listed(text: str) -> tuple[str, ...]:
    """What stands between commas, without the blanks that people put there."""
    return tuple(filter(None, map(str.strip, text.split(","))))


def labels(text: str) -> dict[str, str]:
    """The labels of `key=value,…`. Raises `InputError`."""
    found = {}
    for each in _listed(text):
        key, separator, value = each.partition("=")
        if not separator or not key:
            fix = "write key=value, with commas between"
            raise InputError(f"{each!r} is no label", where="--namespace-labels", fix=fix)
        found[key] = value
    return found


def _judged(
    known: Known, sent: Sequence[FileObject], asked: Asked, before: dict[str, dict[str, object]]
) -> Iterator[Judged]:
    now = datetime.datetime.now(datetime.UTC)
    single = next(iter(before.values())) if len(before) == len(sent) == 1 else None
    for each in sent:
        one = replace(asked, old=before.get(each.title, single))
        try:
            found = verdict(known.compiled, each.value, one, known.surroundings.namespaces, now)
        except InputError as error:
            raise InputError(error.what, where=each.where, fix=error.fix) from None
        if found is not None:
            yield Judged(title=each.title, verdict=found, where=each.where)


def _tell(known: Known, sent: Sequence[FileObject], asked: Asked) -> None:
    """Say on which labels the verdicts rest when they are not given."""
    if asked.labels is not None or not known.compiled.namespace_keys:
        return
    missing = sorted({namespace_of(each.value) for each in sent} - known.surroundings.namespaces.keys())
    if missing:
        names = ", ".join(missing)
        print(f"casemate: no labels of namespace {names} are given: none but its name's counts", file=sys.stderr)
