"""From the arguments of a command to assessed workloads: what `assess` and `explain` share."""

from __future__ import annotations

import datetime
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, BinaryIO, Protocol

from cyclopts import Parameter
from msgspec.structs import replace

from casemate.catalogue.tables import Catalogue
from casemate.cli.inputs import Inputs
from casemate.decide import baseline, exceptions
from casemate.decide.assess import Assessor
from casemate.errors import InputError
from casemate.model.acceptance import AuditedException, ExceptionStatus
from casemate.model.assessment import Assessed, Finding
from casemate.model.boundary import Boundary
from casemate.model.judged import Judged
from casemate.model.kube.container import Container
from casemate.model.kube.pod import PodSpec
from casemate.model.policy import Decision
from casemate.model.proof import PROOF_SECONDS, shown_by_node
from casemate.model.surroundings import Surroundings
from casemate.model.workload import Workload
from casemate.report.assess_text import title
from casemate.sources.fast_layout import Position
from casemate.sources.workloads import Collected


@Parameter(name="*")
@dataclass(frozen=True)
class Basis(Inputs):
    """What an assessment rests on: where the workloads are, and what is known and accepted."""

    exceptions: Annotated[list[Path], Parameter(negative=())] = field(default_factory=list)
    """A file of exceptions, each with reason, owner and expiry; repeatable."""
    permitted: Annotated[list[str], Parameter(negative=())] = field(default_factory=list)
    """A class or runtime that may be recommended; repeatable. All when there is none."""
    policy: Annotated[list[str], Parameter(negative=())] = field(default_factory=list)
    """Isolation policies, files or folders: only what they permit is recommended, and their verdicts are told."""
    proofs: Annotated[list[Path], Parameter(negative=())] = field(default_factory=list)
    """A signed statement of `casemate prove` on a node of the cluster; repeatable. It counts for a day."""
    proofs_key: Path | None = None
    """The public key in PEM that must have signed the proofs; of a cluster, those that its nodes published."""
    catalogue: Annotated[list[Path], Parameter(negative=())] = field(default_factory=list)
    """A file of your own rows for the catalogue; repeatable."""


@dataclass(frozen=True)
class Found:
    """Assessed workloads, what became of the exceptions, what could not be looked at, what was nothing to assess."""

    items: tuple[Assessed, ...]
    audit: tuple[AuditedException, ...]
    missed: tuple[str, ...]
    skipped: tuple[str, ...]
    files: tuple[Collected, ...]

    @property
    def texts(self) -> dict[str, bytes]:
        """What cannot be read twice, by file."""
        return {file: text for part in self.files for file, text in part.texts.items()}

    def located(self, items: Iterable[Assessed]) -> tuple[Assessed, ...]:
        """The same with the line and column of each finding's field."""
        return tuple(self._located(item) for item in items)

    def _located(self, item: Assessed) -> Assessed:
        source = item.workload.source
        if not source.file:
            return item
        holder = next((each for each in self.files if source.file in each.texts), self.files[-1])
        places = holder.places(source, [each.path for each in item.findings])
        return replace(item, findings=tuple(map(_at, item.findings, places)))


def _at(finding: Finding, place: Position) -> Finding:
    return replace(finding, line=place[0], column=place[1]) if finding.path else finding


def assess(paths: Sequence[str], basis: Basis, known: Catalogue, stdin: BinaryIO | None = None) -> Found:
    """Assess every workload of the inputs, with what is accepted today. `stdin` stands in for standard input."""
    accepted = [each for path in basis.exceptions for each in exceptions.parse(_read(path), str(path))]
    items: list[Assessed] = []
    missed: list[str] = []
    skipped: list[str] = []
    files: list[Collected] = []
    proven = _proven(basis)
    nodes: set[str] = set()
    for part in basis.read(paths, stdin or sys.stdin.buffer):
        nodes |= {node.name for node in part.surroundings.nodes}
        assessor = _assessor(basis, known, _with_proofs(part.surroundings, proven))
        items += (_kept(assessor.assess(each), live=basis.live) for each in part.workloads)
        missed += map(str, part.unreached)
        skipped += map(str, part.skipped)
        files += [] if basis.live else [part]
    if elsewhere := sorted(proven.keys() - nodes):
        _say_of_proofs(f"of {', '.join(elsewhere)}: none of the nodes that were read")
    with_accepted, audit = exceptions.apply(items, accepted, datetime.datetime.now(tz=datetime.UTC).date())
    if basis.namespace or missed:
        # Of a part, nobody can say that an exception is about nothing.
        audit = tuple(each for each in audit if each.status is not ExceptionStatus.UNUSED)
    return Found(with_accepted, audit, tuple(missed), tuple(skipped), tuple(files))


def _proven(basis: Basis) -> dict[str, dict[str, Boundary]]:
    """Node → handler → boundary, by signed statements. Raises for one that the key did not sign."""
    if not basis.proofs and not (basis.live and basis.proofs_key):
        return {}
    if basis.proofs_key is None:
        raise InputError("--proofs without --proofs-key", fix="name the public key that signed them")
    if not basis.proofs:
        from casemate.prove import across
        from casemate.sources.cluster_access import access

        return across.shown(access(basis.kubeconfig, basis.context), basis.proofs_key)
    from casemate.prove import statement  # needs more than an assessment does

    found = [proof for file in basis.proofs for proof in statement.verify(file, basis.proofs_key)]
    now = time.time()
    if old := sorted({proof.node for proof in found if now - proof.time > PROOF_SECONDS}):
        _say_of_proofs(f"of {', '.join(old)}: more than a day old")
    return shown_by_node(found, now)


def _say_of_proofs(which: str) -> None:
    """What of --proofs counts for nothing: a boundary that is not called proven should not surprise."""
    print(f"casemate: proofs that count for nothing: {which}", file=sys.stderr)


def _with_proofs(surroundings: Surroundings, proven: Mapping[str, dict[str, Boundary]]) -> Surroundings:
    nodes = tuple(replace(node, proven=proven.get(node.name, {})) for node in surroundings.nodes)
    return replace(surroundings, nodes=nodes) if proven else surroundings


class _Assesses(Protocol):
    def assess(self, workload: Workload) -> Assessed: ...


def _assessor(basis: Basis, known: Catalogue, surroundings: Surroundings) -> _Assesses:
    permitted = basis.permitted or None
    if not basis.policy:
        return Assessor(known, surroundings, permitted)
    from casemate.cli import policy_files  # needs more than an assessment does
    from casemate.cli.policy_assess import PolicedAssessor

    return PolicedAssessor(policy_files.read(basis.policy), known, surroundings, permitted)


def _kept(item: Assessed, *, live: bool) -> Assessed:
    """What reports need of an assessment: a cluster's specifications would fill the memory."""
    return replace(item, workload=_slim(item.workload)) if live else item


def _slim(workload: Workload) -> Workload:
    spec = workload.spec
    names = PodSpec(
        containers=_named(spec.containers),
        initContainers=_named(spec.initContainers),
        ephemeralContainers=spec.ephemeralContainers,
    )
    return replace(workload, spec=names)


def _named(containers: Iterable[Container]) -> tuple[Container, ...]:
    return tuple(Container(name=each.name, image=each.image) for each in containers)


def judged(items: Iterable[Assessed]) -> tuple[Judged, ...]:
    """The verdicts of policies on those workloads that they do not let be as they are."""
    return tuple(
        Judged(title=title(each.workload), verdict=each.verdict, where=str(each.workload.source))
        for each in items
        if each.verdict and each.verdict.decision is not Decision.ALLOW
    )


def before(path: Path) -> frozenset[str]:
    """The fingerprints of an earlier assessment."""
    return baseline.parse(_read(path), str(path))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path), fix="check the path") from None
