from __future__ import annotations

import pytest
from workloads import HARDENED, PLAIN, catalogue, node, runtime_class, workload

from casemate.decide.assess import assess
from casemate.model.assessment import Assessed
from casemate.model.boundary import Boundary
from casemate.model.surroundings import Surroundings

RELEVANT = "{shared: matters, hardened: matters, sandbox: reduced, vm: reduced, confidential: reduced}"
ROWS = catalogue(
    f"""
fits:
- {{id: R1, title: Host network, when: host-network, under: {{userns: fails, gvisor: fails, kata: fails}}}}
- {{id: R2, title: GPU, when: {{resource: [nvidia.com/*]}}, under: {{gvisor: fails, kata: fails, firecracker: fails}}}}
- {{id: R3, title: Sub-path, when: sub-path, under: {{kata: {{outcome: fails, text: never appears}}}}}}
- {{id: R4, title: Port-forward, when: host-port, under: {{gvisor: differs, kata: differs}}}}
- {{id: R5, title: Raw block, when: volume-devices, under: {{gvisor: fails, userns: fails, kata: works}}}}
hardening:
- {{id: CM1, when: {{not: user-namespace}}, message: m, why: w, fix: f, relevance: {RELEVANT}}}
- {{id: CM2, when: writable-root, message: m, why: w, fix: f, relevance: {RELEVANT}}}
- {{id: CM3, when: host-path, message: m, why: w, fix: f, relevance: {RELEVANT}}}
profiles:
- {{id: agent, title: Node agent, when: {{kind: [DaemonSet]}}, accepts: [CM3], text: it manages the node}}
""".replace(": differs", ": behaves differently")
)


def recommended(
    text: str, needs: str, surroundings: Surroundings | None = None, permitted: tuple[str, ...] | None = None
) -> Assessed:
    subject = workload(text, labels={"casemate.dev/need": needs})
    return assess(subject, surroundings or Surroundings(), ROWS, permitted)


def container(text: str) -> str:
    return f"containers: [{{name: a, image: a, {text}}}]"


GPU = container("resources: {limits: {nvidia.com/gpu: 1}}")
SUB_PATH = container("volumeMounts: [{name: v, mountPath: /v, subPath: x}]") + "\nvolumes: [{name: v, emptyDir: {}}]"


def test_without_a_gap_nothing_changes():
    found = recommended(PLAIN, "shared")
    assert (found.recommendation.runtime_class, found.recommendation.closes, found.gap) == ("", True, False)
    assert found.recommendation.sentence == "Leave the runtime as it is: it needs shared and has shared."


def test_hardening_comes_before_another_runtime():
    found = recommended(PLAIN, "hardened").recommendation
    assert (found.runtime_class, found.runtime, found.boundary, found.closes) == ("", "runc", Boundary.HARDENED, True)
    assert found.sentence.startswith("Stay on runc and set hostUsers: false, use seccomp RuntimeDefault")


def test_the_rules_that_the_hardening_fixes_are_part_of_it():
    assert recommended(PLAIN, "hardened").recommendation.hardening == ("CM1",)


def test_what_the_work_needs_is_not_taken_away_for_hardening():
    found = recommended(container("securityContext: {privileged: true}"), "hardened").recommendation
    assert (found.runtime_class, found.boundary) == ("gvisor", Boundary.SANDBOX)


@pytest.mark.parametrize(("needs", "boundary"), [("sandbox", Boundary.SANDBOX), ("vm", Boundary.VM)])
def test_the_cheapest_runtime_at_need_is_recommended(needs, boundary):
    found = recommended(PLAIN, needs).recommendation
    assert (found.boundary, found.closes) == (boundary, True)
    assert found.cost.memory is not None
    assert found.cost.source


def test_a_runtime_under_which_something_fails_is_passed_over_with_the_reason():
    found = recommended(container("volumeDevices: [{name: d, devicePath: /d}]"), "sandbox")
    assert found.recommendation.boundary is Boundary.VM
    assert ("R5", "gvisor") in {(blocker.id, blocker.runtime) for blocker in found.blockers}
    assert any(reason.text == "not gVisor: Raw block" for reason in found.recommendation.reasons)


def test_what_behaves_differently_is_said():
    found = recommended(container("ports: [{containerPort: 1, hostPort: 1}]"), "sandbox").recommendation
    assert (found.runtime, found.differs) == ("gvisor", ("R4",))
    expected = "Set runtimeClassName: gvisor, after a test of what may behave differently there (Port-forward)."
    assert found.sentence == expected


def test_what_nobody_tested_is_recommended_only_where_somebody_names_it():
    assert recommended(GPU, "vm").recommendation.runtime != "krun"
    found = recommended(GPU, "vm", permitted=("krun",)).recommendation
    assert (found.runtime_class, found.closes) == ("krun", True)
    assert found.sentence == "Set runtimeClassName: krun, after a test of what may behave differently there (GPU)."


def test_when_nothing_closes_the_gap_the_nearest_is_recommended_with_the_reason():
    found = recommended(GPU, "sandbox").recommendation
    assert (found.closes, found.boundary, found.runtime) == (False, Boundary.HARDENED, "runc")
    assert found.sentence.startswith("gVisor would give the sandbox boundary but breaks it (GPU): set hostUsers: false")
    assert found.sentence.endswith("and keep it on nodes of its own.")


def test_when_nothing_can_be_done_nodes_of_its_own_remain():
    found = recommended(f"{PLAIN}\nhostNetwork: true", "sandbox", permitted=("gvisor", "runc", "")).recommendation
    assert (
        found.sentence
        == "gVisor would give the sandbox boundary but breaks it (Host network): keep it on nodes of its own."
    )
    assert not found.closes


def test_a_weaker_sandbox_is_nearer_than_none():
    found = recommended(SUB_PATH, "vm", permitted=("gvisor", "kata-fc")).recommendation
    assert (found.runtime_class, found.closes) == ("gvisor", False)


def test_only_what_is_permitted_is_recommended():
    assert recommended(PLAIN, "sandbox", permitted=("kata",)).recommendation.runtime_class == "kata"
    assert recommended(PLAIN, "hardened", permitted=("gvisor",)).recommendation.runtime_class == "gvisor"
    nothing = recommended(PLAIN, "vm", permitted=("gvisor",)).recommendation
    assert (nothing.closes, nothing.runtime_class) == (False, "gvisor")


def test_a_class_that_the_cluster_has_comes_before_one_to_install():
    have = Surroundings(complete=True, runtime_classes=(runtime_class("strong", "kata-qemu"),))
    assert recommended(PLAIN, "sandbox", have).recommendation.runtime_class == "strong"


def test_a_class_to_install_is_said_to_be_one():
    found = recommended(PLAIN, "sandbox", Surroundings(complete=True)).recommendation
    assert found.sentence.startswith("Install gVisor and its RuntimeClass, then set runtimeClassName: gvisor")


def test_a_class_that_no_node_can_start_is_not_recommended():
    have = Surroundings(runtime_classes=(runtime_class("sandboxed", "runsc"),), nodes=(node(handlers=("", "runc")),))
    assert recommended(PLAIN, "sandbox", have).recommendation.runtime_class != "sandboxed"


def test_a_class_that_is_called_gvisor_and_is_runc_is_not_recommended():
    have = Surroundings(runtime_classes=(runtime_class("gvisor", "runc"),))
    assert recommended(PLAIN, "sandbox", have).recommendation.runtime_class not in ("", "gvisor")


def test_a_managed_class_is_recommended_only_where_it_is():
    assert recommended(PLAIN, "vm").recommendation.runtime != "eks-isolated-sandbox"
    found = recommended(PLAIN, "vm", permitted=("isolated-sandbox",)).recommendation
    assert found.runtime == "eks-isolated-sandbox"


def test_the_overhead_of_the_class_is_what_its_pods_cost():
    own = runtime_class("gvisor", "runsc", "{overhead: {podFixed: {memory: 64Mi}}}")
    found = recommended(PLAIN, "sandbox", Surroundings(runtime_classes=(own,))).recommendation
    assert (found.cost.memory, found.cost.source) == (64 << 20, "overhead of RuntimeClass gvisor")


def test_an_overhead_that_is_no_quantity_costs_what_the_catalogue_says():
    bad = runtime_class("gvisor", "runsc", "{overhead: {podFixed: {memory: a lot}}}")
    assert recommended(PLAIN, "sandbox", Surroundings(runtime_classes=(bad,))).recommendation.cost.memory == 32 << 20


def test_a_door_has_to_be_closed_first():
    text = container("volumeMounts: [{name: d, mountPath: /d}]") + "\nvolumes: [{name: d, hostPath: {path: /}}]"
    found = recommended(text, "sandbox").recommendation
    path = "spec.template.spec.volumes[0].hostPath.path"
    assert found.sentence == (
        f"Remove the mount of the node's files ({path}), which opens every boundary, then set runtimeClassName: gvisor."
    )
    assert not found.closes


def test_an_agent_of_the_node_keeps_its_door_and_is_to_be_guarded():
    text = container("volumeMounts: [{name: d, mountPath: /d}]") + "\nvolumes: [{name: d, hostPath: {path: /}}]"
    found = assess(workload(text, labels={"casemate.dev/need": "sandbox"}, kind="DaemonSet"), Surroundings(), ROWS)
    assert found.recommendation.sentence == (
        "Leave it where it is, pin its image by digest and keep all others from changing it: it manages the node."
    )
    assert found.gap
    assert not found.recommendation.closes


def test_what_an_unknown_class_is_has_to_be_found_out_first():
    found = recommended(f"{PLAIN}\nruntimeClassName: our-own", "sandbox").recommendation
    assert found.sentence.startswith("Find out what RuntimeClass our-own is")
    assert (found.closes, found.boundary) == (False, Boundary.UNKNOWN)


def test_a_workload_that_fails_where_it_runs_is_told_so():
    found = recommended(f"{PLAIN}\nhostNetwork: true\nruntimeClassName: gvisor", "sandbox")
    assert (
        found.recommendation.sentence == "Leave the class as it is, and look at what fails under gVisor (Host network)."
    )
    assert [blocker.id for blocker in found.blockers] == ["R1"]


def test_escapes_are_counted_after_the_recommendation_too():
    found = recommended(HARDENED, "sandbox")
    assert found.escapes.total == len(found.escapes.rows)


def among(*classes: str) -> Surroundings:
    return Surroundings(complete=True, runtime_classes=tuple(runtime_class(name, name) for name in classes))


def test_who_has_to_install_a_virtual_machine_installs_the_most_general():
    assert recommended(PLAIN, "vm").recommendation.runtime_class == "kata-qemu"


@pytest.mark.parametrize(
    ("classes", "chosen"),
    [(("kata-fc",), "kata-fc"), (("kata-fc", "kata-qemu"), "kata-qemu"), (("kata-clh", "kata-fc"), "kata-clh")],
)
def test_what_needs_a_snapshotter_of_its_own_comes_after_what_does_not(classes, chosen):
    assert recommended(PLAIN, "vm", among(*classes)).recommendation.runtime_class == chosen


def test_no_class_of_a_vendor_or_of_unnamed_hardware_is_recommended_where_nobody_has_it():
    assert recommended(PLAIN, "confidential").recommendation.runtime_class == "kata-qemu-snp"
    offered = recommended(PLAIN, "confidential", among("kata-cc-isolation")).recommendation
    assert (offered.runtime_class, offered.runtime) == ("kata-cc-isolation", "aks-confidential")


def test_an_agent_of_the_node_is_told_to_stay_and_what_to_do_instead():
    text = container("volumeMounts: [{name: v, mountPath: /v}]") + "\nvolumes: [{name: v, hostPath: {path: /var/log}}]"
    found = assess(workload(text, kind="DaemonSet"), Surroundings(), ROWS).recommendation
    assert (found.runtime_class, found.closes) == ("", True)
    assert found.sentence.startswith("Keep it on runc: a boundary would stand against its work on the node.")
    assert "a service account of its own" in found.sentence


MODULES = catalogue(
    f"""
fits:
- {{id: R32b, title: A module, when: wasm-image, under: {{runc: fails, gvisor: fails, kata: fails, wasm: works}}}}
hardening:
- {{id: CM3, when: host-path, message: m, why: w, fix: f, relevance: {RELEVANT}}}
"""
)


def module(needs: str, **identity: object) -> Assessed:
    noted = {"module.wasm.image/variant": "compat"}
    subject = workload(PLAIN, labels={"casemate.dev/need": needs}, annotations=noted, **identity)  # type: ignore[arg-type]
    return assess(subject, among("wasm", "gvisor"), MODULES)


@pytest.mark.parametrize("needs", ["shared", "hardened", "sandbox"])
def test_what_the_default_handler_cannot_run_gets_the_class_that_can_gap_or_not(needs):
    found = module(needs).recommendation
    assert (found.runtime_class, found.boundary, found.closes) == ("wasm", Boundary.SANDBOX, True)
    assert found.sentence == "Set runtimeClassName: wasm: it does not run under runc (A module)."


def test_what_runs_nowhere_above_need_is_not_moved_below_it():
    assert not module("vm").recommendation.closes
