from __future__ import annotations

import pytest
from workloads import PLAIN, catalogue, workload

from casemate.decide.assess import assess
from casemate.model.assessment import Finding, Relevance
from casemate.model.surroundings import Surroundings

LAYERED = "{shared: matters, hardened: matters, sandbox: reduced, vm: not applicable, confidential: not applicable}"
ROWS = catalogue(f"""
hardening:
- {{id: CM001, when: below-need, message: below need, why: w, fix: f, relevance: {LAYERED}}}
- {{id: CM101, when: privileged, message: privileged, why: w, fix: f, relevance: {LAYERED}}}
- id: CM102
  when: {{not: {{seccomp: [RuntimeDefault]}}}}
  path: containers[*].securityContext.seccompProfile
  message: no profile
  why: w
  fix: f
  relevance: {LAYERED}
- {{id: CM103, when: helm-test, path: metadata.annotations, message: a test, why: w, fix: f, relevance: {LAYERED}}}
profiles:
- {{id: runner, title: CI runner, when: {{kind: [Runner]}}, accepts: [CM101], text: t}}
""")
PRIVILEGED = "containers: [{name: a, image: a}, {name: b, image: b, securityContext: {privileged: true}}]"


def findings(text: str, rule: str, **identity: object) -> list[Finding]:
    found = assess(workload(text, **identity), Surroundings(), ROWS).findings  # type: ignore[arg-type]
    return [finding for finding in found if finding.rule == rule]


def test_a_rule_is_a_finding_where_it_holds():
    (found,) = findings(PRIVILEGED, "CM101")
    assert found.path == "spec.template.spec.containers[1].securityContext.privileged"
    assert findings(PLAIN, "CM101") == []


def test_what_is_missing_is_a_finding_for_each_container():
    paths = [finding.path for finding in findings(PRIVILEGED, "CM102")]
    assert paths == [f"spec.template.spec.containers[{index}].securityContext.seccompProfile" for index in (0, 1)]


def test_metadata_stands_beside_the_specification():
    (found,) = findings(PLAIN, "CM103", annotations={"helm.sh/hook": "test"})
    assert found.path == "spec.template.metadata.annotations"


@pytest.mark.parametrize(
    ("name", "relevance"),
    [("''", "matters"), ("gvisor", "reduced"), ("kata", "not applicable"), ("our-own", "matters")],
)
def test_what_a_finding_means_depends_on_the_boundary(name, relevance):
    (found,) = findings(f"{PRIVILEGED}\nruntimeClassName: {name}", "CM101")
    assert found.relevance is Relevance(relevance)


def test_a_promised_boundary_that_something_opened_excuses_nothing():
    door = "volumes: [{name: d, hostPath: {path: /}}]"
    text = "{name: a, image: a, securityContext: {privileged: true}, volumeMounts: [{name: d, mountPath: /d}]}"
    (found,) = findings(f"runtimeClassName: kata\ncontainers: [{text}]\n{door}", "CM101")
    assert found.relevance is Relevance.MATTERS


def test_what_a_profiles_work_needs_is_still_a_finding():
    (found,) = findings(PRIVILEGED, "CM101", kind="Runner")
    assert (found.relevance, found.message) == (
        Relevance.REDUCED,
        "privileged; the work of this ci runner needs it",
    )


def test_a_boundary_below_need_is_the_gap():
    (found,) = findings(PLAIN, "CM001", labels={"casemate.dev/need": "vm"})
    assert found.gap
    assert findings(PLAIN, "CM001") == []
