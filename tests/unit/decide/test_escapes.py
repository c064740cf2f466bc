from __future__ import annotations

import pytest
from workloads import HARDENED, PLAIN, catalogue, node, workload

from casemate.decide.assess import assess
from casemate.model.assessment import EscapeRow, Escapes
from casemate.model.surroundings import Surroundings

ROWS = catalogue("""
escapes:
- id: CVE-1
  component: runc
  when: may-be-root
  stopped: {default: no, seccomp: partly, userns: yes, gvisor: yes, kata: {answer: yes, because: runc is in the guest}}
  fixed: {runc: ["1.2.8"]}
- id: CVE-2
  component: kernel
  when: always
  stopped: {default: no, seccomp: yes, gvisor: unknown, kata: partly}
  fixed: {kernel: ["6.12.1"]}
- {id: CVE-3, component: gvisor, when: always, stopped: {default: n-a, gvisor: no, kata: n-a}}
- {id: CVE-4, component: kata, when: always, stopped: {default: n-a, gvisor: n-a, kata: no}}
- {id: CVE-5, component: kata, when: never, stopped: {default: no}}
""")


def escapes(text: str, surroundings: Surroundings | None = None, **identity: object) -> Escapes:
    return assess(workload(text, **identity), surroundings or Surroundings(), ROWS).escapes  # type: ignore[arg-type]


def now(found: Escapes) -> dict[str, str]:
    return {row.id: row.now for row in found.rows}


def row(found: Escapes, name: str) -> EscapeRow:
    return next(each for each in found.rows if each.id == name)


SECCOMP = f"{PLAIN}\nsecurityContext: {{seccompProfile: {{type: RuntimeDefault}}}}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PLAIN, {"CVE-1": "not stopped", "CVE-2": "not stopped"}),
        (SECCOMP, {"CVE-1": "partly", "CVE-2": "stopped"}),
        (f"{SECCOMP}\nhostUsers: false", {"CVE-1": "stopped", "CVE-2": "stopped"}),
        (HARDENED, {"CVE-1": "stopped", "CVE-2": "stopped"}),
        (f"{SECCOMP}\nruntimeClassName: gvisor", {"CVE-1": "stopped", "CVE-2": "unknown", "CVE-3": "not stopped"}),
        (f"{PLAIN}\nruntimeClassName: kata", {"CVE-1": "stopped", "CVE-2": "partly", "CVE-4": "not stopped"}),
        (f"{PLAIN}\nruntimeClassName: our-own", dict.fromkeys(("CVE-1", "CVE-2", "CVE-3", "CVE-4"), "unknown")),
    ],
)
def test_an_escape_is_stopped_by_the_defences_that_are_up(text, expected):
    assert now(escapes(text)) == expected


def test_only_what_is_stopped_is_counted():
    found = escapes(f"{SECCOMP}\nruntimeClassName: gvisor")
    assert (found.now, found.total) == (1, 3)


def test_an_escape_that_needs_what_is_not_there_is_stopped_because_of_that():
    assert row(escapes(HARDENED), "CVE-1").because == "it needs may-be-root"


def test_one_container_without_seccomp_leaves_the_workload_without_it():
    confined = "{name: a, image: a, securityContext: {seccompProfile: {type: RuntimeDefault}}}"
    assert now(escapes(f"containers: [{confined}, {{name: b, image: b}}]"))["CVE-2"] == "not stopped"


def test_a_new_boundary_brings_escapes_of_its_own():
    found = escapes(PLAIN, labels={"casemate.dev/need": "vm"})
    assert (row(found, "CVE-4").now, row(found, "CVE-4").after) == ("n-a", "not stopped")
    assert row(found, "CVE-1").because == "runc is in the guest"


@pytest.mark.parametrize(
    ("kernels", "expected"),
    [(("6.12.5",), "stopped"), (("6.12.5", "5.10.0"), "not stopped"), (("",), "not stopped"), (("?",), "not stopped")],
)
def test_a_fix_counts_when_every_node_is_known_to_have_it(kernels, expected):
    nodes = tuple(node(f"n{index}", kernel=kernel) for index, kernel in enumerate(kernels))
    assert now(escapes(PLAIN, Surroundings(nodes=nodes)))["CVE-2"] == expected


def test_a_boundary_that_something_opened_stops_nothing_more():
    text = "containers: [{name: a, image: a, volumeMounts: [{name: d, mountPath: /d}]}]\nruntimeClassName: kata"
    assert now(escapes(f"{text}\nvolumes: [{{name: d, hostPath: {{path: /}}}}]"))["CVE-1"] == "not stopped"
