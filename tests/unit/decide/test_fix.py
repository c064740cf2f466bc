"""Fixes follow the recommendation, ask where something differs, and give what was promised."""

from __future__ import annotations

import json
import random
from difflib import SequenceMatcher
from operator import or_
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from test_laws_of_deciding import specs
from workloads import HARDENED, PLAIN, workload

from casemate.catalogue import tables
from casemate.decide.assess import Assessor
from casemate.decide.fix import DROPPED, NON_ROOT, fix
from casemate.model.assessment import Assessed, Blocker, Finding, Outcome, Relevance, Suppression
from casemate.model.edit import Edit, Remove, Set
from casemate.model.kube.pod import PodSpec
from casemate.model.surroundings import Surroundings
from casemate.model.workload import Workload
from casemate.sources.edit import edited
from casemate.sources.fast import Written, read
from casemate.sources.workloads import workloads

CATALOGUE = tables.load()
FILES = Assessor(CATALOGUE, Surroundings())
ALL = frozenset({"all"})
ROOT = ("spec", "template", "spec")
APP = (*ROOT, "containers", 0, "securityContext")


def assessed(text: str = PLAIN, need: str = "hardened", **more: Any) -> Assessed:
    labels = {"casemate.dev/need": need}
    return Assessor(CATALOGUE, more.pop("surroundings", Surroundings())).assess(
        workload(text, object_labels=labels, **more)
    )


def changes(edits: tuple[Edit, ...]) -> dict[tuple[str | int, ...], object]:
    return {each.path: each.value if isinstance(each, Set) else "removed" for each in edits}


def test_hardening_sets_every_part_and_no_more() -> None:
    assert changes(fix(assessed(), ALL).edits) == {
        (*ROOT, "hostUsers"): False,
        (*ROOT, "securityContext", "runAsNonRoot"): True,
        (*ROOT, "securityContext", "seccompProfile"): {"type": "RuntimeDefault"},
        (*APP, "allowPrivilegeEscalation"): False,
        (*APP, "capabilities", "drop"): ["ALL"],
    }


SHORT: dict[str, tuple[str, dict[tuple[str | int, ...], object]]] = {
    "a user namespace": ("hostUsers: false", {(*ROOT, "hostUsers"): False}),
    "seccomp of the Pod": (
        ", seccompProfile: {type: RuntimeDefault}",
        {(*ROOT, "securityContext", "seccompProfile"): {"type": "RuntimeDefault"}},
    ),
    "new privileges": ("allowPrivilegeEscalation: false, ", {(*APP, "allowPrivilegeEscalation"): False}),
    "capabilities": (", capabilities: {drop: [ALL]}", {(*APP, "capabilities", "drop"): ["ALL"]}),
    "root": ("runAsNonRoot: true, ", {(*ROOT, "securityContext", "runAsNonRoot"): True}),
}


@pytest.mark.parametrize("part", SHORT)
def test_what_is_there_already_is_not_edited(part: str) -> None:
    missing, expected = SHORT[part]
    assert changes(fix(assessed(HARDENED.replace(missing, "")), ALL).edits) == expected


def test_what_a_container_sets_against_the_pod_is_changed_there() -> None:
    own = "{allowPrivilegeEscalation: false, runAsNonRoot: false, procMount: Unmasked, "
    own += "seccompProfile: {type: Unconfined}, appArmorProfile: {type: Unconfined}, "
    text = HARDENED.replace("{allowPrivilegeEscalation: false, ", own)
    assert changes(fix(assessed(text), ALL).edits) == {
        (*APP, "runAsNonRoot"): True,
        (*APP, "seccompProfile", "type"): "RuntimeDefault",
        (*APP, "appArmorProfile"): "removed",
        (*APP, "procMount"): "removed",
    }


def test_an_annotation_that_switches_apparmor_off_goes() -> None:
    key = "container.apparmor.security.beta.kubernetes.io/app"
    found = fix(assessed(HARDENED, annotations={key: "unconfined"}), ALL)
    assert found.edits == (Remove(("spec", "template", "metadata", "annotations", key), "apparmor"),)


def test_a_class_takes_the_old_overhead_along() -> None:
    found = fix(assessed(f"{PLAIN}\noverhead: {{memory: 1Mi}}", need="sandbox"), ALL)
    assert changes(found.edits) == {(*ROOT, "runtimeClassName"): "gvisor", (*ROOT, "overhead"): "removed"}


def test_a_class_that_the_cluster_lacks_is_left_out_where_hardening_suffices() -> None:
    text = HARDENED + "runtimeClassName: own\n"
    found = fix(assessed(text, surroundings=Surroundings(complete=True)), ALL)
    assert changes(found.edits) == {(*ROOT, "runtimeClassName"): "removed"}


def test_without_a_gap_there_is_nothing_to_do() -> None:
    assert fix(assessed(HARDENED), ALL) == fix(assessed(PLAIN, need="shared"), ALL).__class__(
        assessed(HARDENED).workload
    )


def test_an_accepted_gap_is_left_alone() -> None:
    item = assessed()
    gap = Finding(rule="CM001", message="m", relevance=Relevance.MATTERS, gap=True)
    accepted = Suppression(rule="CM001", reason="r", owner="o", expires="2027-01-01")
    assert fix(replace(item, findings=(gap,), suppressions=(accepted,)), ALL).edits == ()


def test_nothing_is_edited_where_something_fails() -> None:
    item = assessed(need="sandbox")
    broken = Blocker(id="R1", runtime="gvisor", outcome=Outcome.FAILS, text="hostNetwork: no")
    found = fix(replace(item, blockers=(broken,)), ALL)
    assert (found.edits, found.refusal) == ((), "it would fail under gvisor: hostNetwork: no")


def test_what_fails_elsewhere_does_not_matter() -> None:
    broken = Blocker(id="R1", runtime="kata-qemu", outcome=Outcome.FAILS, text="no")
    assert fix(replace(assessed(need="sandbox"), blockers=(broken,)), ALL).edits


@pytest.mark.parametrize("consent", [(), ("R2",), ("r1",)])
def test_what_behaves_differently_wants_consent(consent: tuple[str, ...]) -> None:
    found = fix(differing(), frozenset(consent))
    assert found.edits == ()
    assert found.refusal.endswith("which wants consent: R1 (slower files)")


@pytest.mark.parametrize("consent", [("R1",), ("all",)])
def test_with_consent_it_is_edited(consent: tuple[str, ...]) -> None:
    found = fix(differing(), frozenset(consent))
    assert found.edits
    assert [each.id for each in found.differs] == ["R1"]


def differing() -> Assessed:
    item = assessed(need="sandbox")
    slower = Blocker(id="R1", runtime="gvisor", outcome=Outcome.DIFFERS, text="slower files")
    return replace(item, blockers=(slower,), recommendation=replace(item.recommendation, differs=("R1",)))


def test_hardening_that_an_image_may_not_bear_wants_consent() -> None:
    assert fix(assessed()).differs == (NON_ROOT, DROPPED)
    user = HARDENED.replace("runAsNonRoot: true", "runAsUser: 1000").replace("hostUsers: false", "")
    assert fix(assessed(user)).edits


def test_what_a_person_has_to_do_first_is_the_refusal() -> None:
    text = PLAIN.replace(
        "}]", ", volumeMounts: [{name: v, mountPath: /v}]}]\nvolumes: [{name: v, hostPath: {path: /etc}}]"
    )
    item = assessed(text, need="sandbox")
    assert fix(item, ALL).refusal == item.recommendation.sentence


# --- Laws, over workloads at random, from text to text ---

FOLDED = ("spec", "spec.template.spec", "spec.jobTemplate.spec.template.spec")
KINDS = {"Pod": ("v1", 0), "Deployment": ("apps/v1", 1), "CronJob": ("batch/v1", 2)}
needs = st.sampled_from(["hardened", "sandbox", "vm"])
styles = st.sampled_from(["block", "wide", "brackets", "mixed", "json"])


def written(spec: PodSpec, kind: str, need: str, style: str, seed: int) -> str:
    """A manifest as one of many people would write it."""
    version, depth = KINDS[kind]
    inner: object = {"spec": msgspec.to_builtins(spec)}
    for step in reversed(FOLDED[depth].split(".")[:-1]):
        inner = {step: inner}
    value = {"apiVersion": version, "kind": kind, "metadata": {"name": "a", "labels": {"casemate.dev/need": need}}}
    value |= inner if isinstance(inner, dict) else {}
    if style == "json":
        return json.dumps(value, indent=seed % 3 or None) + "\n"
    flow = {"block": False, "wide": False, "brackets": True, "mixed": None}[style]
    value = json.loads(json.dumps(value))
    text = yaml.dump(value, default_flow_style=flow, sort_keys=bool(seed % 2), indent=4 if style == "wide" else 2)
    return text if flow else commented(text, random.Random(seed))


def commented(text: str, chance: random.Random) -> str:
    lines = []
    for line in text.splitlines():
        if chance.random() < 0.2:
            lines.append(" " * chance.randrange(9) + f"# note {len(lines)}")
        if line.endswith(("'", '"', ":", "}", "]")) or chance.random() < 0.5:
            line += "   # why" if chance.random() < 0.3 else "  " * chance.randrange(2)
        lines.append(line)
        if chance.random() < 0.1:
            lines.append("")
    return "\n".join(lines) + "\n" * chance.randrange(2)


def only(text: str) -> Workload:
    (found,) = (found for each in read(text.encode(), "f") if isinstance(each, Written) for found in workloads(each))
    assert isinstance(found, Workload)
    return found


@settings(max_examples=150)
@given(specs, st.sampled_from(sorted(KINDS)), needs, styles, st.integers(0, 99))
def test_a_fix_gives_what_was_promised_and_touches_nothing_else(
    spec: PodSpec, kind: str, need: str, style: str, seed: int
) -> None:
    containers = tuple(replace(each, image=each.image or "i") for each in spec.containers)
    text = written(replace(spec, containers=containers), kind, need, style, seed)
    before = FILES.assess(only(text))
    wanted = fix(before, ALL)
    other = f"# other\nkind: X\n---\n{text}"
    new = edited(other.encode(), "f", [fix(FILES.assess(only(other)), ALL)]).decode().partition("---\n")[2]
    after = FILES.assess(only(new))

    assert after.has.boundary >= (before.recommendation.boundary if wanted.edits else before.has.boundary)
    assert not (wanted.closes and after.gap)
    assert fix(after, ALL).edits == ()
    assert edited(new.encode(), "f", [fix(after, ALL)]).decode() == new
    if style in ("block", "wide", "mixed"):
        for lines in lost(text, new):
            about = [is_about(line, wanted.edits) for line in lines]
            # Comments between the words of a list that is replaced go with it.
            notes = [not line.strip() or line.strip().startswith("#") for line in lines]
            assert all(map(or_, about, notes))
            assert any(about)


def lost(text: str, new: str) -> list[list[str]]:
    """The lines that are not there any more, in stretches."""
    old, now = text.splitlines(), new.splitlines()
    changed = SequenceMatcher(None, old, now, autojunk=False).get_opcodes()
    return [old[begin:end] for tag, begin, end, _, _ in changed if tag in ("replace", "delete")]


HOLDERS = {"spec", "template", "jobTemplate", "containers", "initContainers"}


def is_about(line: str, edits: tuple[Edit, ...]) -> bool:
    """Whether a line has a field that an edit names, or a word of a list that one replaces."""
    names = {step for each in edits for step in each.path if isinstance(step, str)} - HOLDERS
    return any(name in line for name in names) or line.strip().startswith(("- ", "type:"))
