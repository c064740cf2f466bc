"""What is shown of a sandbox, by the facts: the honest ones are proven, and one thing amiss is enough."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sandboxes as of
from hypothesis import given
from hypothesis import strategies as some

from casemate.model.boundary import Boundary
from casemate.model.proof import Observation, Result, Side
from casemate.prove.facts import Challenge, Control, Facts, Found
from casemate.prove.rules import conclude, observe

SHARED, HARDENED, SANDBOX, VM = Boundary.SHARED, Boundary.HARDENED, Boundary.SANDBOX, Boundary.VM
CONTAINER, GVISOR, WASM, MACHINE = of.container(), of.gvisor(), of.wasm(), of.machine()

HONEST = [("runc", CONTAINER, SHARED), ("gvisor", GVISOR, SANDBOX), ("wasm", WASM, SANDBOX), ("vm", MACHINE, VM)]

WEAKER = [
    # what is amiss, the facts, what is shown of a handler that names `sandbox`
    ("the container under gVisor's name", CONTAINER, SHARED),
    ("a challenge on the node", replace(GVISOR, challenge=of.ON_NODE), SHARED),
    ("an exec on the node", replace(GVISOR, command=of.ON_NODE), SHARED),
    ("a process outside", replace(GVISOR, command=Challenge("", (Found(7, inside=False),))), Boundary.UNKNOWN),
    ("a workload beside the Sentry", of.with_tasks(GVISOR, of.sentry(), of.task(103)), SHARED),
    ("a Sentry of another file", of.with_tasks(GVISOR, of.sentry(file=(8, 8))), SHARED),
    ("a Sentry of other bytes", of.with_tasks(GVISOR, of.sentry(digest="sha256:x")), SHARED),
    ("another program's build", of.with_tasks(GVISOR, of.sentry(), of.sentry(103, module="example.com/runsc")), SHARED),
    ("the host's network", of.with_tasks(GVISOR, of.sentry(of.PAUSE, "--network=host")), HARDENED),
    ("the host's sockets", of.with_tasks(GVISOR, of.sentry(of.PAUSE, "--host-uds=all")), HARDENED),
    ("no seccomp", of.with_tasks(GVISOR, of.sentry(), of.sentry(103, seccomp=0, filters=0)), HARDENED),
    ("privileges to gain", of.with_tasks(GVISOR, of.sentry(no_new_privileges=False)), HARDENED),
    ("CAP_SYS_ADMIN", of.with_tasks(GVISOR, of.sentry(effective=1 << 21)), HARDENED),
    ("the node's network namespace", of.with_tasks(GVISOR, of.sentry(namespaces={**of.OWN, "net": 3})), HARDENED),
    ("the node's users", of.with_tasks(GVISOR, of.sentry(namespaces={**of.OWN, "user": 1})), HARDENED),
    ("the node's boot", replace(GVISOR, report=of.report("node-boot", calls="ENOSYS")), SHARED),
    ("a Linux that answers", replace(GVISOR, report=of.report("another")), SHARED),
    ("a lie about the version", of.with_program(GVISOR, lie="older than it says"), Boundary.UNKNOWN),
    ("a native program in Wasm", replace(WASM, challenge=of.ON_NODE), SHARED),
    ("a native program that hides", replace(WASM, challenge=of.ANSWERED), SHARED),
    ("exec in Wasm", replace(WASM, command=of.ANSWERED), SHARED),
    ("another engine", of.with_tasks(WASM, of.task(of.PAUSE), of.engine(digest="sha256:x")), SHARED),
    ("one filter", of.with_tasks(WASM, of.task(of.PAUSE), of.engine(filters=1)), SHARED),
    ("a capability", of.with_tasks(WASM, of.task(of.PAUSE), of.engine(effective=1 << 21)), SHARED),
    ("a machine that is a container", replace(MACHINE, challenge=of.ON_NODE), SHARED),
    ("a monitor of other bytes", of.with_tasks(MACHINE, of.monitor(file=(8, 8), digest="sha256:x")), SHARED),
    ("a workload beside the monitor", of.with_tasks(MACHINE, of.monitor(), of.task(103)), SHARED),
    ("a machine of the node's boot", replace(MACHINE, report=of.report("node-boot")), SHARED),
    ("a workload beside the engine", of.with_tasks(WASM, of.task(of.PAUSE), of.engine(), of.task(103)), SHARED),
]

LESS_THAN_SHARED = [
    ("seccomp ignored", of.with_tasks(CONTAINER, of.task(of.PAUSE), of.task(seccomp=0, filters=0))),
    ("the node's processes", of.with_tasks(CONTAINER, of.task(namespaces={**of.OWN, "pid": 2}))),
    ("a mount", replace(CONTAINER, report=of.report(escapes=("mount",)))),
    ("a lie about the version", of.with_program(CONTAINER, lie="older than it says")),
]

UNSEEN = [
    # what could not be observed, the facts, what is named
    ("not all of the node", replace(GVISOR, whole_node=False), SANDBOX),
    ("a prober that ended", replace(CONTAINER, challenge=Challenge("", (Found(7, inside=None),))), SHARED),
    ("a prober that ended", replace(GVISOR, command=Challenge("", (Found(7, inside=None),))), SANDBOX),
    ("a broken control", replace(GVISOR, control=Control(seen=False, value="not found")), SANDBOX),
    ("a broken control", replace(CONTAINER, control=Control(seen=False, value="not found")), SHARED),
    ("no answer", replace(GVISOR, challenge=of.REFUSED), SANDBOX),
    ("no answer to exec", replace(GVISOR, command=of.REFUSED), SANDBOX),
    ("a prober that ended", replace(GVISOR, still_there=False), SANDBOX),
    ("no process", of.with_tasks(GVISOR), SANDBOX),
    ("processes unread", replace(GVISOR, processes=replace(GVISOR.processes, unread=1)), SANDBOX),
    ("no program named", replace(GVISOR, processes=replace(GVISOR.processes, program=None)), SANDBOX),
    ("a program of nobody", of.with_program(GVISOR, origin=""), SANDBOX),
    ("another prober", replace(GVISOR, prober_found="sha256:x"), SANDBOX),
    ("another prober", replace(CONTAINER, prober_found="sha256:x"), SHARED),
    ("no prober", replace(GVISOR, prober_found=""), SANDBOX),
    ("a monitor of nobody", of.with_program(MACHINE, origin=""), VM),
    ("a monitor that is not named", replace(MACHINE, processes=replace(MACHINE.processes, program=None)), VM),
    ("no module", replace(WASM, module=of.REFUSED), SANDBOX),
    ("a challenge that hides", replace(CONTAINER, challenge=of.ANSWERED), SHARED),
    ("an unknown kind", replace(CONTAINER, challenge=of.ANSWERED, command=of.ANSWERED), VM),
]


def shown(facts: Facts, named: Boundary) -> tuple[Boundary, Result]:
    return conclude(named, observe(facts))


@pytest.mark.parametrize(("name", "facts", "boundary"), HONEST, ids=[each[0] for each in HONEST])
def test_an_honest_handler_is_proven(name: str, facts: Facts, boundary: Boundary) -> None:
    assert shown(facts, boundary) == (boundary, Result.PROVEN)


@pytest.mark.parametrize(("amiss", "facts", "boundary"), WEAKER, ids=[each[0] for each in WEAKER])
def test_one_thing_amiss_shows_a_weaker_boundary(amiss: str, facts: Facts, boundary: Boundary) -> None:
    assert shown(facts, SANDBOX) == (boundary, Result.WEAKER)


@pytest.mark.parametrize(("amiss", "facts"), LESS_THAN_SHARED, ids=[each[0] for each in LESS_THAN_SHARED])
def test_a_container_that_enforces_less_than_asked_has_no_boundary(amiss: str, facts: Facts) -> None:
    assert shown(facts, SHARED) == (Boundary.UNKNOWN, Result.WEAKER)


@pytest.mark.parametrize(("what", "facts", "named"), UNSEEN, ids=[each[0] for each in UNSEEN])
def test_what_could_not_be_observed_proves_nothing(what: str, facts: Facts, named: Boundary) -> None:
    assert shown(facts, named) == (Boundary.UNKNOWN, Result.UNPROVABLE)


def test_a_broken_control_does_not_save_a_liar() -> None:
    facts = replace(CONTAINER, control=Control(seen=False, value="not found"))
    assert shown(facts, SANDBOX) == (SHARED, Result.WEAKER)


@pytest.mark.parametrize("facts", [CONTAINER, GVISOR, WASM, MACHINE])
def test_confidential_is_never_shown_by_a_node(facts: Facts) -> None:
    assert shown(facts, Boundary.CONFIDENTIAL)[1] is Result.WEAKER


@pytest.mark.parametrize("facts", [CONTAINER, GVISOR, WASM])
def test_a_name_that_nobody_knows_proves_nothing(facts: Facts) -> None:
    assert shown(facts, Boundary.UNKNOWN) == (Boundary.UNKNOWN, Result.UNPROVABLE)


def test_what_is_said_inside_never_raises_a_boundary() -> None:
    disguised = replace(CONTAINER, report=of.report("another", calls="ENOSYS"))
    assert shown(disguised, SANDBOX) == (SHARED, Result.WEAKER)


def test_a_handler_that_draws_more_than_it_names_is_proven() -> None:
    assert shown(GVISOR, SHARED) == (SANDBOX, Result.PROVEN)


@given(
    some.lists(some.sampled_from([None, *Boundary]), min_size=1),
    some.sampled_from([each for each in Boundary if each is not Boundary.UNKNOWN]),
    some.sampled_from([None, *Boundary]),
)
def test_another_observation_never_makes_a_boundary_stronger(
    supports: list[Boundary | None], named: Boundary, more: Boundary | None
) -> None:
    def seen(of_these: list[Boundary | None]) -> list[Observation]:
        return [Observation(id="x", side=Side.NODE, value="", supports=each) for each in of_these]

    before, after = conclude(named, seen(supports)), conclude(named, seen([*supports, more]))
    assert after[1] is not Result.PROVEN or before[1] is Result.PROVEN
    assert after[1] is not Result.PROVEN or after[0] <= before[0]
