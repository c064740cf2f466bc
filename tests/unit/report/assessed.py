"""Assessments made by hand, for the tests of reports."""

from __future__ import annotations

from casemate.model.acceptance import AuditedException, ExceptionStatus
from casemate.model.assessment import (
    Assessed,
    Blocker,
    Cost,
    EscapeRow,
    Escapes,
    Finding,
    Has,
    Need,
    Outcome,
    Reason,
    Recommendation,
    Relevance,
    State,
    Suppression,
)
from casemate.model.boundary import Boundary
from casemate.model.kube.container import Container
from casemate.model.kube.meta import ObjectMeta
from casemate.model.kube.pod import PodSpec
from casemate.model.workload import Source, Workload
from casemate.report.assess_document import Assessment, EscapeText, FailOn, RuleText, judge

PRIVILEGED = Finding(
    rule="CM101",
    message="the container is privileged",
    relevance=Relevance.MATTERS,
    path="spec.template.spec.containers[0].securityContext.privileged",
    fix="Remove `privileged`.",
    line=17,
    column=13,
)
NO_SECCOMP = Finding(rule="CM110", message="no seccomp profile", relevance=Relevance.NOT_APPLICABLE)
GAP = Finding(rule="CM001", message="the boundary is below need", relevance=Relevance.MATTERS, gap=True)
RULES = {
    "CM001": RuleText("CM001", "Boundary below need", "A published escape reaches the node.", "Set the class."),
    "CM101": RuleText("CM101", "Privileged container", "It has every device.", "Remove `privileged`."),
}
ACCEPTED = Suppression(rule="CM001", reason="moves to Kata in Q1", owner="team-media", expires="2027-03-31")


def workload(
    name: str = "resizer", namespace: str = "shop", file: str = "manifests/shop.yaml", kind: str = "Deployment"
) -> Workload:
    return Workload(
        api_version="apps/v1",
        kind=kind,
        namespace=namespace,
        name=name,
        path="spec.template.spec",
        metadata=ObjectMeta(),
        spec=PodSpec(containers=(Container(name="main", image="shop/resizer:1"),)),
        source=Source(file, 12, 1) if file else Source(uid="0b9c1f5e-57a2-4d0a-9a7f-3a0e4c0f2a11"),
    )


def assessed(
    name: str = "resizer",
    *,
    need: Boundary = Boundary.SANDBOX,
    has: Boundary = Boundary.SHARED,
    findings: tuple[Finding, ...] | None = None,
    suppressions: tuple[Suppression, ...] = (),
    subject: Workload | None = None,
    sentence: str = "Set runtimeClassName: gvisor; it parses images that strangers send.",
) -> Assessed:
    gap = (GAP,) if has < need else ()
    return Assessed(
        workload=subject or workload(name),
        need=Need(
            boundary=need,
            score=45,
            forced=Boundary.SANDBOX,
            reasons=(
                Reason(id="N4", text="parses untrusted media", points=20, path="spec.containers[0].image"),
                Reason(id="N6", text="the internet reaches it", points=25),
            ),
        ),
        has=Has(class_name="", handler="runc", runtime="runc", boundary=has, state=State.DECLARED),
        recommendation=Recommendation(
            runtime_class="gvisor",
            runtime="gvisor",
            boundary=Boundary.SANDBOX,
            closes=True,
            sentence=sentence,
            cost=Cost(memory=20 * 1024 * 1024, start_seconds=0.2, source="measured"),
            differs=("R7",),
        ),
        blockers=(Blocker(id="R1", runtime="kata", outcome=Outcome.FAILS, text="host network", path="hostNetwork"),),
        findings=gap + ((PRIVILEGED, NO_SECCOMP) if findings is None else findings),
        escapes=Escapes(
            now=1,
            after=2,
            total=3,
            rows=(
                EscapeRow(id="CVE-2019-5736", now="stopped", after="stopped"),
                EscapeRow(
                    id="CVE-2022-0847", now="not stopped", after="stopped", because="its own kernel in user space"
                ),
                EscapeRow(id="CVE-2021-25741", now="not stopped", after="not stopped"),
            ),
        ),
        suppressions=suppressions,
    )


def fine(name: str = "web", **changes: object) -> Assessed:
    return assessed(
        name, need=Boundary.SHARED, has=Boundary.HARDENED, findings=(), sentence="Nothing to do.", **changes  # type: ignore[arg-type]
    )  # fmt: skip


UNUSED = AuditedException(
    rules=("CM104",),
    scope="Deployment shop/old",
    reason="was needed",
    owner="team-old",
    expires="2027-01-01",
    status=ExceptionStatus.UNUSED,
    where="exceptions.yaml:9",
)


def assessment(
    *items: Assessed,
    fail_on: FailOn = FailOn.GAP,
    baseline: frozenset[str] | None = None,
    exceptions: tuple[AuditedException, ...] = (),
    missed: tuple[str, ...] = (),
) -> Assessment:
    return Assessment(
        judge(items, fail_on, baseline or frozenset()),
        fail_on=fail_on,
        rules=RULES,
        escapes={
            "CVE-2022-0847": EscapeText("CVE-2022-0847", "Dirty Pipe", "https://nvd.nist.gov/vuln/detail/CVE-2022-0847")
        },
        exceptions=exceptions,
        missed=missed,
        fixed=None if baseline is None else 0,
        inputs=("manifests",),
        version="0.1.0",
    )
