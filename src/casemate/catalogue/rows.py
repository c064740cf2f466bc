"""What the tables' rows are made of. A row is a fact: it has an id, a source, a date, and how sure we are of it.

Certainty: `measured` by our own tests; `source`: read in the program's code or configuration; `documented`: its makers
say so; `thread`: said by maintainers or users in an issue; `paper`; `reported` at second hand; `known` among
practitioners, not read again; `inferred` by us from how it is built; `proposed`: a weight that is our judgement.
"""

from __future__ import annotations

import datetime
from typing import Literal, TypeAlias

import msgspec

from casemate.catalogue.conditions import When
from casemate.model.assessment import Cost, Outcome, Relevance
from casemate.model.boundary import Boundary
from casemate.model.quantity import milli, whole

Certainty: TypeAlias = Literal[
    "measured", "source", "documented", "thread", "paper", "reported", "known", "inferred", "proposed"
]
Family: TypeAlias = Literal[
    "runc",
    "userns",
    "sysbox",
    "gvisor",
    "kata",
    "no-vfio",
    "firecracker",
    "confidential",
    "nitro",
    "runv",
    "wasm",
    "runwasi",
]
Defence: TypeAlias = Literal[
    "default", "seccomp", "userns", "lsm", "unprivileged", "gvisor", "kata", "wasm", "confidential"
]
Component: TypeAlias = Literal[
    "runc", "crun", "youki", "containerd", "cri-o", "kubelet", "kernel", "docker", "buildkit", "nvidia-toolkit",
    "gvisor", "kata", "firecracker", "cloud-hypervisor", "guest-components", "wasmtime", "wasmer", "sysbox",
]  # fmt: skip
Feature: TypeAlias = Literal[
    "native-programs", "wasm-modules", "guest-kernel", "user-space-kernel", "user-namespaces", "seccomp", "apparmor",
    "selinux", "gpu", "block-devices", "checkpoint", "exec", "port-forward", "host-namespaces", "nested-containers",
    "memory-encryption", "attestation",
]  # fmt: skip
Requirement: TypeAlias = Literal[
    "kvm", "bare-metal", "devmapper", "s390x", "sev-snp", "tdx", "secure-execution", "vfio", "remote-hypervisor"
]


class Row(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all rows have."""

    id: str
    title: str
    source: str
    date: datetime.date
    certainty: Certainty


class Overhead(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a runtime adds to each Pod: quantities of memory and CPU, seconds until the first process runs."""

    source: str
    memory: str | None = None
    cpu: str | None = None
    start_seconds: float | None = None

    def cost(self) -> Cost:
        """The same in bytes and millicores."""
        memory = None if self.memory is None else whole(self.memory)
        cpu = None if self.cpu is None else milli(self.cpu)
        return Cost(memory=memory, cpu=cpu, start_seconds=self.start_seconds, source=self.source)


class Runtime(Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A runtime, the names that it goes by, the boundary that it draws, what it needs and costs.

    `families` are where it stands in the table of fits, most specific first; `defence` is its column in that of
    escapes; `component` the program whose fixed versions concern it. `selectors` are node selectors (`key=value`) by
    which the RuntimeClass of a managed variant is told from others of its name. `sounds` are patterns of class names
    that promise its boundary without being known: with a weaker handler such a class is called a liar.
    """

    boundary: Boundary
    classes: tuple[str, ...] = ()
    handlers: tuple[str, ...] = ()
    families: tuple[Family, ...] = ()
    defence: Defence = "default"
    component: Component | None = None
    managed: str = ""
    selectors: tuple[str, ...] = ()
    sounds: tuple[str, ...] = ()
    features: tuple[Feature, ...] = ()
    requires: tuple[Requirement, ...] = ()
    overhead: Overhead | None = None
    note: str = ""


class Criterion(Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What raises (or, below zero, lowers) need by `points`, or forces a minimum whatever the sum.

    `text` is the reason that a person reads.
    """

    when: When
    text: str
    points: int = 0
    force: Boundary | None = None
    path: str = ""


class Profile(Criterion, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A kind of workload and how it is recognised; the first that fits counts.

    `accepts` are rules whose findings the work of such workloads brings with it.
    """

    accepts: tuple[str, ...] = ()


class Cell(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one feature fares under one family.

    `weakens`: it works, and opens the boundary. `minor`: it differs, but hardly any workload notices. `tested`: the
    version with which a run of ours showed it. Unset source, certainty and date are the row's.
    """

    outcome: Outcome
    text: str = ""
    weakens: bool = False
    minor: bool = False
    tested: str = ""
    source: str = ""
    certainty: Certainty | None = None
    date: datetime.date | None = None


class Tested(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a real run showed of a feature (the id of its fit) under a family, with which version, when."""

    fit: str
    family: Family
    outcome: Outcome
    version: str
    date: datetime.date
    text: str = ""


class Fit(Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A feature of manifests, and how it fares under each family of runtimes. `path` is the field that has it.

    `untestable`: why no run of our tests can show it.
    """

    when: When
    under: dict[Family, Cell]
    path: str = ""
    untestable: str = ""

    def cell(self, families: tuple[Family, ...]) -> Cell:
        """The cell of the first of these families that has one.

        Kubernetes' features are made for shared kernels: there, no cell means that it works; elsewhere, untested.
        """
        found = next((self.under[family] for family in families if family in self.under), None)
        if found is not None:
            return found
        return Cell(outcome=Outcome.WORKS if "runc" in families else Outcome.UNTESTED)

    def with_test(self, test: Tested) -> Fit:
        """The row with what a run showed: it counts more than what documents say."""
        known = self.under.get(test.family, Cell(outcome=test.outcome))
        cell = msgspec.structs.replace(
            known,
            outcome=test.outcome,
            tested=test.version,
            date=test.date,
            certainty="measured",
            text=test.text or known.text,
        )
        return msgspec.structs.replace(self, under={**self.under, test.family: cell})


Answer: TypeAlias = Literal["yes", "partly", "no", "unknown", "n-a"]


class Answered(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether a defence stops an escape, `unless` something undoes it. `n-a`: it cannot happen there at all.

    Unset certainty: inferred from what the escape needs; the row's own is of the escape.
    """

    answer: Answer
    because: str = ""
    unless: When | None = None
    certainty: Certainty = "inferred"


class Escape(Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A published way out of containers, what it needs of the workload, and which defences stop it.

    `fixed` gives, by component, the first fixed version of each branch, `introduced` the first version that had it.
    """

    component: Component
    when: When
    stopped: dict[Defence, Answered]
    introduced: dict[Component, str] = {}
    fixed: dict[Component, tuple[str, ...]] = {}
    cvss: float | None = None
    text: str = ""

    def by(self, defence: Defence) -> Answered:
        """What is known of one defence; unknown when the row says nothing. Confidential VMs are Kata's."""
        found = self.stopped.get(defence)
        if found is None and defence == "confidential":
            found = self.stopped.get("kata")
        return found or Answered(answer="unknown")


class Relevances(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a weakness means behind each boundary.

    Unset `wasm` is as `sandbox`. `because` explains what is not plain.
    """

    shared: Relevance
    hardened: Relevance
    sandbox: Relevance
    vm: Relevance
    confidential: Relevance
    wasm: Relevance | None = None
    because: str = ""

    def behind(self, boundary: Boundary, family: Family | None = None) -> Relevance:
        """What it means there. Unknown boundaries are taken for none."""
        if family == "wasm" and self.wasm is not None:
            return self.wasm
        return {
            Boundary.UNKNOWN: self.shared,
            Boundary.SHARED: self.shared,
            Boundary.HARDENED: self.hardened,
            Boundary.SANDBOX: self.sandbox,
            Boundary.VM: self.vm,
            Boundary.CONFIDENTIAL: self.confidential,
        }[boundary]


class Rule(Row, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A weakness of manifests: how it is seen, what it means behind each boundary, and what to do about it.

    In `path`, `containers[*]` stands for the containers that `when` found.
    """

    when: When
    message: str
    why: str
    fix: str
    relevance: Relevances
    path: str = ""


class Leftover(Rule, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Something that needs the Docker runtime, which Kubernetes has no more, and the way off it."""
