from __future__ import annotations

import pytest
from workloads import PLAIN, catalogue, workload

from casemate.catalogue import tables
from casemate.decide.assess import assess
from casemate.decide.need import of_score
from casemate.model.assessment import Need
from casemate.model.boundary import Boundary
from casemate.model.surroundings import Surroundings

ROWS = catalogue("""
criteria:
- {id: N1, when: host-network, points: 30, text: on the node's network, path: hostNetwork}
- {id: N2, when: host-pid, points: 20, text: sees the node's processes}
- {id: N3, when: host-ipc, points: 90, text: shares the node's memory}
- {id: F1, when: privileged, force: sandbox, text: may do anything}
- {id: F2, when: {label: [data=secret]}, force: confidential, text: keeps secrets from the node}
- {id: M1, when: shared-processes, points: -50, text: is small}
- {id: T1, when: {label: [casemate.dev/trust=untrusted]}, points: 45, force: sandbox, text: not trusted}
profiles:
- {id: job, title: Job, when: {kind: [Job]}, points: -5, text: is short}
- {id: any-job, title: Job, when: {kind: [Job, CronJob]}, points: 50, text: is a job}
""")
PRIVILEGED = "containers: [{name: a, image: a, securityContext: {privileged: true}}]"


def need(text: str = PLAIN, namespace: dict[str, str] | None = None, **identity: object) -> Need:
    surroundings = Surroundings(namespaces={"shop": namespace or {}})
    return assess(workload(text, **identity), surroundings, ROWS).need  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("score", "boundary"),
    [(0, "shared"), (24, "shared"), (25, "hardened"), (44, "hardened"), (45, "sandbox"), (69, "sandbox"), (70, "vm")],
)
def test_a_sum_of_points_asks_for_a_boundary_and_never_for_a_confidential_one(score, boundary):
    assert str(of_score(score)) == boundary
    assert of_score(100) is Boundary.VM


def test_need_is_the_sum_of_its_reasons():
    found = need(f"{PLAIN}\nhostNetwork: true\nhostPID: true")
    assert (found.score, found.boundary, found.forced) == (50, Boundary.SANDBOX, None)
    assert [(reason.id, reason.points) for reason in found.reasons] == [("N1", 30), ("N2", 20)]
    assert found.reasons[0].path == "spec.template.spec.hostNetwork"


def test_the_sum_stays_between_0_and_100():
    assert need(f"{PLAIN}\nhostIPC: true\nhostNetwork: true").score == 100
    assert need(f"{PLAIN}\nshareProcessNamespace: true").score == 0


def test_a_forced_minimum_holds_whatever_the_sum():
    found = need(PRIVILEGED)
    assert (found.score, found.boundary, found.forced) == (0, Boundary.SANDBOX, Boundary.SANDBOX)


def test_confidential_is_forced_by_data_alone():
    assert need(labels={"data": "secret"}).boundary is Boundary.CONFIDENTIAL


def test_the_first_profile_that_fits_counts_alone():
    assert [reason.id for reason in need(kind="Job").reasons] == ["job"]
    assert need(kind="CronJob").score == 50


@pytest.mark.parametrize("said", ["shared", "hardened", "sandbox", "vm", "confidential"])
@pytest.mark.parametrize("where", ["labels", "object_labels", "namespace"])
def test_the_owners_label_outranks_our_guess_up_and_down(said, where):
    found = need(PRIVILEGED, **{where: {"casemate.dev/need": said}})
    assert str(found.boundary) == said
    assert found.reasons[0].id == "owner-need"


def test_a_pod_cannot_talk_itself_out_of_what_its_namespace_says():
    found = need(namespace={"casemate.dev/need": "vm"}, labels={"casemate.dev/need": "shared"})
    assert found.boundary is Boundary.VM


@pytest.mark.parametrize(
    "forcing",
    [{"casemate.dev/trust": "untrusted"}, {"casemate.dev/need": "sandbox"}],
)
def test_no_label_of_a_pod_takes_back_what_a_label_of_its_namespace_forces(forcing):
    found = need(namespace=forcing, labels={"casemate.dev/need": "shared", "casemate.dev/trust": "system"})
    assert found.boundary is Boundary.SANDBOX
    assert found.forced is Boundary.SANDBOX


def test_no_pod_takes_back_that_its_namespace_is_shared_by_tenants():
    surroundings = Surroundings(namespaces={"shop": {"casemate.dev/tenancy": "shared"}})
    pod = workload(labels={"casemate.dev/need": "shared"})
    assert assess(pod, surroundings, tables.load()).need.boundary is Boundary.SANDBOX


def test_a_word_that_is_no_boundary_says_nothing():
    assert need(PRIVILEGED, labels={"casemate.dev/need": "strong"}).boundary is Boundary.SANDBOX


@pytest.mark.parametrize("word", ["internal", "system"])
def test_an_owners_trust_takes_force_from_guesses_but_not_their_points(word):
    found = need(f"{PRIVILEGED}\nhostNetwork: true", labels={"casemate.dev/trust": word})
    assert (found.boundary, found.forced, found.score) == (Boundary.HARDENED, None, 30)


def test_an_owners_trust_takes_no_force_from_the_owners_other_labels():
    found = need(labels={"casemate.dev/trust": "internal", "data": "secret"})
    assert found.boundary is Boundary.CONFIDENTIAL


def test_of_two_words_about_trust_the_stricter_counts():
    found = need(PRIVILEGED, namespace={"casemate.dev/trust": "untrusted"}, labels={"casemate.dev/trust": "internal"})
    assert found.forced is Boundary.SANDBOX
