"""`casemate policy compile`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Final, Literal, TypeAlias

from cyclopts import Parameter

from casemate.catalogue import tables
from casemate.cli import policy_files, written
from casemate.errors import InputError
from casemate.model.policy import PolicySettings
from casemate.policy.compile import gatekeeper, kyverno, native, static
from casemate.policy.compile.gaps import Gap
from casemate.policy.compile.native import Compiled
from casemate.policy.compile.tables import tabulated
from casemate.report.policy_compiled import compiled_json, compiled_yaml, document
from casemate.sources.policies import PolicyInput

Target: TypeAlias = Literal["native", "static", "kyverno", "gatekeeper"]

_NAMED: Final = 3
_CONFIGURATION: Final = "admission-configuration.yaml"


def compile_(
    *,
    policy: Annotated[list[str], Parameter(name=["--policy", "-p"], negative=(), allow_leading_hyphen=True)],
    to: Target,
    version: Annotated[str, Parameter(name="--kubernetes-version")] = "1.36",
    partial: Annotated[bool, Parameter(negative=())] = False,
    into: Path | None = None,
    output: Annotated[Literal["yaml", "json"], Parameter(name=["--output", "-o"])] = "yaml",
) -> int:
    """Write policies as objects that the API server, Kyverno or Gatekeeper enforces.

    Reads nothing but the files. What a target would leave open is an error, or with --partial a marked gap.

    Parameters
    ----------
    policy
        Policies and exceptions, and the RuntimeClasses of the cluster: which boundary a class has is decided now.
    to
        native: admission policies of Kubernetes. static: the same as files for the API server's disk. kyverno:
        policies.kyverno.io. gatekeeper: mutators, a constraint template and its constraint.
    version
        The cluster's version. Before 1.36 Kubernetes sets no defaults by itself.
    partial
        Leave out what the target cannot do, and mark it.
    into
        With static: the folder to write to. Its path has to be the same on the API servers.
    output
        yaml or json.
    """
    if into is not None and to != "static":
        raise InputError("is only for static", where="--into", fix="send the output to a file: … > FILE")
    compiled = _compiled(policy_files.read(policy), to, version, partial=partial)
    _tell(compiled.gaps)
    if into is not None:
        _write(compiled, to, into)
    else:
        print(compiled_json(compiled.objects) if output == "json" else _yaml(compiled, to), end="")
    return 0


def _tell(gaps: Sequence[Gap]) -> None:
    """What is left open with its place; what else there is to know once, however many policies it is about."""
    notes: dict[tuple[str, str], list[str]] = {}
    for gap in gaps:
        if gap.open:
            print(f"casemate: {f'{gap.where}: ' if gap.where else ''}left open: {gap}", file=sys.stderr)
        else:
            notes.setdefault((gap.part, gap.what), []).append(gap.policy)
    for (part, what), policies in notes.items():
        whose = f" ({', '.join(policies[:_NAMED])}{' …' if len(policies) > _NAMED else ''})" if any(policies) else ""
        print(f"casemate: note: {part}{whose}: {what}", file=sys.stderr)


def _compiled(read: PolicyInput, to: Target, version: str, *, partial: bool) -> Compiled:
    make = {"kyverno": kyverno.compile, "gatekeeper": gatekeeper.compile}.get(to, native.compile)
    made = tabulated(read.policies, read.exceptions, read.surroundings, tables.load(), PolicySettings())
    compiled = make(made, partial=partial, version=version)
    return static.static(compiled, version) if to == "static" else compiled


def _write(compiled: Compiled, to: Target, into: Path) -> None:
    """The files of rule 3 of `casemate.policy.compile.static`, and the configuration that names them."""
    root = into.absolute()
    folders = sorted({static.folder(each) for each in compiled.objects})
    files = {}
    for name in folders:
        objects = tuple(each for each in compiled.objects if static.folder(each) == name)
        files[root / name / "casemate.yaml"] = _yaml(Compiled(objects, compiled.gaps), to).encode()
    files[root / _CONFIGURATION] = document(static.configuration(PurePosixPath(root), folders)).encode()
    written.write(files, into)
    print(f"wrote {root}; start every kube-apiserver with", file=sys.stderr)
    print("  --feature-gates=ManifestBasedAdmissionControlConfig=true", file=sys.stderr)
    print(f"  --admission-control-config-file={root / _CONFIGURATION}", file=sys.stderr)


def _yaml(compiled: Compiled, to: Target) -> str:
    title = f"Made by: casemate policy compile --to {to}. Change the policies and compile again, not this."
    return compiled_yaml(compiled.objects, title, (f"left open: {each}" for each in compiled.gaps if each.open))
