"""What compiling makes: how many objects, which limits, which gaps, for which back-end."""

from __future__ import annotations

import datetime
import re
from typing import Any

import cel
import pytest
from asked import CLUSTER, exception, pod, policy

from casemate.catalogue import tables
from casemate.errors import InputError, RefusedError
from casemate.model.policy import Policy, PolicyException, PolicySettings
from casemate.model.surroundings import Surroundings
from casemate.policy.compile import cost, gatekeeper, kyverno, native, static
from casemate.policy.compile.estimate import Size, estimate
from casemate.policy.compile.native import Compiled
from casemate.policy.compile.tables import tabulated

TENANTS = """
match: {namespaces: {labels: {tenancy: shared}}}
default: gvisor
permitted: [gvisor, {boundary: ">=vm"}]
"""
NEED = "{minimum: need, permitted: [gvisor]}"
ACCEPTED = """
policies: [p]
rules: [class-unset]
scope: {namespaces: {names: [a]}, images: ["ghcr.io/acme/**"], kinds: [Job]}
permitted: [""]
"""
TARGETS = {"native": native.compile, "kyverno": kyverno.compile, "gatekeeper": gatekeeper.compile}


def made(
    *policies: Policy,
    exceptions: tuple[PolicyException, ...] = (),
    to: str = "native",
    partial: bool = False,
    version: str = "1.36",
    around: Surroundings = CLUSTER,
) -> Compiled:
    written = tabulated(policies, exceptions, around, tables.load(), PolicySettings())
    return TARGETS[to](written, partial=partial, version=version)


def kinds(compiled: Compiled) -> list[str]:
    return [str(each["kind"]) for each in compiled.objects]


def named(compiled: Compiled, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(each for each in compiled.objects if each["metadata"]["name"] == name)  # type: ignore[index]
    return found


def many(count: int) -> list[Policy]:
    return [
        policy(
            {"match": {"namespaces": {"names": [f"n{number}-{each}" for each in range(40)]}}, "permitted": ["gvisor"]},
            f"p{number}",
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("count", [1, 100])
def test_the_number_of_objects_does_not_grow_with_policies_and_namespaces(count: int) -> None:
    assert len(made(*many(count)).objects) == 4


def test_each_mode_in_use_has_one_policy_with_its_action() -> None:
    modes = ("enforce", "warn", "audit")
    compiled = made(*(policy({"permitted": ["gvisor"], "mode": mode}, mode) for mode in modes))
    actions = [each["spec"].get("validationActions") for each in compiled.objects if "Binding" in str(each["kind"])]  # type: ignore[index, attr-defined]
    assert actions == [["Deny"], ["Warn"], ["Audit"], ["Deny"]]


def test_all_policies_fail_closed() -> None:
    for each in made(policy(TENANTS)).objects:
        assert each["spec"].get("failurePolicy", "Fail") == "Fail"  # type: ignore[index, attr-defined]


def test_the_own_namespace_is_left_out_and_others_by_the_label_that_all_policies_ask_for() -> None:
    constraints = named(made(policy(TENANTS)), "casemate-isolation-enforce")["spec"]["matchConstraints"]
    assert constraints["namespaceSelector"]["matchExpressions"] == [
        {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["casemate-system"]},
        {"key": "tenancy", "operator": "In", "values": ["shared"]},
    ]


def test_policies_that_choose_in_different_ways_leave_no_other_namespace_out() -> None:
    compiled = made(policy(TENANTS), policy("{match: {namespaces: {names: [a]}}, permitted: [gvisor]}", "q"))
    constraints = named(compiled, "casemate-isolation-enforce")["spec"]["matchConstraints"]
    assert len(constraints["namespaceSelector"]["matchExpressions"]) == 1


def test_every_kind_and_subresource_that_carries_a_pod_is_matched() -> None:
    rules = named(made(policy(TENANTS)), "casemate-isolation-enforce")["spec"]["matchConstraints"]["resourceRules"]
    assert {each for rule in rules for each in rule["resources"]} == {
        *("pods", "pods/ephemeralcontainers", "pods/resize", "jobs", "cronjobs", "replicationcontrollers"),
        *("podtemplates", "deployments", "statefulsets", "daemonsets", "replicasets"),
    }


def test_pods_and_jobs_are_changed_only_when_they_are_created() -> None:
    rules = named(made(policy(TENANTS)), "casemate-isolation")["spec"]["matchConstraints"]["resourceRules"]
    assert {each for rule in rules if rule["operations"] == ["CREATE"] for each in rule["resources"]} == {
        "pods",
        "jobs",
    }


@pytest.mark.parametrize("to", TARGETS)
def test_what_cel_cannot_tell_is_refused_with_the_place_of_the_policy(to: str) -> None:
    with pytest.raises(RefusedError, match="needy: minimum: need") as raised:
        made(policy(NEED, "needy"), to=to)
    assert "needy" in str(raised.value)
    assert "--partial" in str(raised.value)


@pytest.mark.parametrize("to", TARGETS)
def test_a_gap_that_is_accepted_is_written_on_what_leaves_it(to: str) -> None:
    compiled = made(policy(NEED, "needy"), to=to, partial=True)
    marks = [each["metadata"].get("annotations", {}).get("casemate.dev/gaps", "") for each in compiled.objects]  # type: ignore[index, attr-defined]
    assert any("needy: minimum: need" in each for each in marks)
    assert any(each.open for each in compiled.gaps)


def test_an_unwritable_fit_is_a_note_and_no_error() -> None:
    assert any(each.part == "fit" and not each.open for each in made(policy(TENANTS)).gaps)


def test_before_mutating_policies_a_default_is_refused() -> None:
    with pytest.raises(RefusedError, match="p: default"):
        made(policy(TENANTS), version="1.35")
    assert "MutatingAdmissionPolicy" not in kinds(made(policy(TENANTS), version="v1.35.2", partial=True))


@pytest.mark.parametrize("version", ["1.29", "0.9", "new", "1", ""])
def test_a_version_without_admission_policies_is_refused(version: str) -> None:
    with pytest.raises(InputError):
        made(policy("{permitted: [gvisor]}"), version=version)


def test_without_classes_boundaries_permit_nothing_and_that_is_said() -> None:
    compiled = made(policy(TENANTS), around=Surroundings())
    variables = {
        each["name"]: each["expression"] for each in named(compiled, "casemate-isolation-enforce")["spec"]["variables"]
    }
    assert variables["permitted"] == "[['gvisor']]"
    assert any("no RuntimeClasses were given" in each.what for each in compiled.gaps)


def test_a_class_of_a_strong_name_and_a_weak_handler_is_in_no_boundary() -> None:
    compiled = made(policy('{permitted: [{boundary: ">=vm"}]}'))
    variables = {
        each["name"]: each["expression"] for each in named(compiled, "casemate-isolation-enforce")["spec"]["variables"]
    }
    assert variables["permitted"] == "[['kata', 'confidential']]"


def test_exceptions_hold_within_their_window_only() -> None:
    compiled = made(policy("{permitted: [gvisor]}"), exceptions=(exception(ACCEPTED),))
    variables = {
        each["name"]: each["expression"] for each in named(compiled, "casemate-isolation-enforce")["spec"]["variables"]
    }
    start, end = re.findall(r"timestamp\('([^']+)'\)", variables["times"])
    assert end == "2027-01-01T00:00:00.000000Z"
    assert start == (datetime.date(2026, 12, 31) - datetime.timedelta(days=90)).strftime("%Y-%m-%dT00:00:00.000000Z")
    assert "request.operation == 'CREATE'" in variables["inForce"]


def test_no_variable_is_written_that_nothing_takes() -> None:
    for each in made(policy(TENANTS), exceptions=(exception(ACCEPTED),)).objects:
        spec = str(each["spec"])
        for variable in each["spec"].get("variables", ()):  # type: ignore[index, attr-defined]
            assert f"variables.{variable['name']}" in spec


def test_policies_that_would_cost_too_much_are_refused_when_they_are_compiled() -> None:
    parts = ["seccomp", "non-root", "user-namespace"]
    rule = {
        "hardening": {"below": "vm", "require": parts},
        "permitted": [{"name": "kata", "annotations": ["io.katacontainers.x*"]}],
    }
    with pytest.raises(InputError, match="units"):
        made(*(policy(rule, f"p{number}") for number in range(1000)))


def test_a_table_that_is_too_long_for_one_expression_is_spread_over_several() -> None:
    for each in made(*many(200)).objects:
        for _, expression in cost.expressions(each):
            assert len(expression) < 100_000


@pytest.mark.parametrize(
    ("expression", "least"),
    [
        ("variables.a.filter(i, i in variables.b)", 100 * 50),
        ("variables.a.exists(x, variables.a.exists(y, x == y))", 100 * 100),
        ("'x' in ['a', 'b', 'c']", 3),
        ("has(x.spec.containers) ? x.spec.containers : []", 2),
        ("variables.a.map(i, i.matches('^[a-z]+$'))", 100 * 26),
    ],
)
def test_an_estimate_counts_every_turn_of_a_loop(expression: str, least: int) -> None:
    assert estimate(expression, {"a": Size(100), "b": Size(50)}).cost >= least


def test_static_names_have_the_reserved_suffix_and_bindings_follow() -> None:
    for each in static.static(made(policy(TENANTS)), "1.36").objects:
        assert each["metadata"]["name"].endswith(".static.k8s.io")  # type: ignore[index]
        spec: Any = each["spec"]
        assert spec.get("policyName", ".static.k8s.io").endswith(".static.k8s.io")
        assert "paramKind" not in spec


def test_kyverno_has_the_native_expressions_with_the_action_in_the_policy() -> None:
    compiled = made(policy(TENANTS), to="kyverno")
    assert kinds(compiled) == ["MutatingPolicy", "ValidatingPolicy", "ValidatingPolicy"]
    found = named(compiled, "casemate-isolation-enforce")["spec"]
    assert found["variables"] == named(made(policy(TENANTS)), "casemate-isolation-enforce")["spec"]["variables"]
    assert found["validationActions"] == ["Deny"]
    assert found["evaluation"]["background"]["enabled"] is False


def test_gatekeeper_sets_the_strongest_default_first() -> None:
    weak = policy("{default: gvisor, permitted: [gvisor, kata]}", "a-weak")
    strong = policy("{default: kata, permitted: [gvisor, kata]}", "b-strong")
    compiled = made(weak, strong, to="gatekeeper")
    pods = sorted(
        (each["metadata"]["name"], each["spec"]["parameters"]["assign"]["value"])  # type: ignore[index]
        for each in compiled.objects
        if each["kind"] == "Assign" and each["metadata"]["name"].endswith("-pod")  # type: ignore[index]
    )
    assert [value for _, value in pods] == ["kata", "gvisor"]


def test_gatekeeper_cannot_match_by_image_when_it_sets_a_default() -> None:
    spec = "{match: {images: [nginx]}, default: gvisor, permitted: [gvisor]}"
    with pytest.raises(RefusedError, match="mutators do not match by images"):
        made(policy(spec), to="gatekeeper")
    assert "Assign" not in kinds(made(policy(spec), to="gatekeeper", partial=True))


def test_gatekeepers_constraint_is_of_its_templates_kind() -> None:
    compiled = made(policy(TENANTS), to="gatekeeper")
    template = named(compiled, "casemateisolationenforce")
    kind = template["spec"]["crd"]["spec"]["names"]["kind"]
    assert named(compiled, "casemate-isolation-enforce")["kind"] == kind
    assert template["metadata"]["name"] == kind.lower()
    assert template["spec"]["targets"][0]["code"][0]["engine"] == "K8sNativeValidation"


def test_gatekeeper_leaves_out_the_own_namespace_of_workloads_alone() -> None:
    compiled = made(policy(TENANTS), to="gatekeeper")
    workloads, anchors = named(compiled, "casemate-isolation-enforce"), named(compiled, "casemate-anchors")
    assert workloads["spec"]["match"]["excludedNamespaces"] == ["casemate-system"]
    assert "excludedNamespaces" not in anchors["spec"]["match"]


@pytest.mark.parametrize(
    ("namespace", "labels", "found"),
    [
        ("a", {}, ["by-name"]),
        ("b", {"tenancy": "shared"}, ["by-label"]),
        ("a", {"tenancy": "shared"}, ["by-label", "by-name"]),
        ("b", {"tenancy": "private"}, []),
        ("b", {"tenancy": "trusted", "x": ""}, ["by-key"]),
    ],
)
def test_the_index_finds_the_policies_of_a_namespace(namespace: str, labels: dict[str, str], found: list[str]) -> None:
    compiled = made(
        policy("{match: {namespaces: {names: [a]}}, permitted: []}", "by-name"),
        policy("{match: {namespaces: {labels: {tenancy: shared}}}, permitted: []}", "by-label"),
        policy("{match: {namespaces: {expressions: [{key: x, operator: Exists}]}}, permitted: []}", "by-key"),
    )
    spec = named(compiled, "casemate-isolation-enforce")["spec"]
    request = {"namespace": namespace, "kind": {"kind": "Pod"}, "operation": "CREATE", "userInfo": {"username": "u"}}
    around = {"metadata": {"labels": labels} if labels else {}}
    known = _evaluated(spec["variables"], {"request": request, "object": pod(), "namespaceObject": around}, "matching")
    titles = cel.evaluate(next(each["expression"] for each in spec["variables"] if each["name"] == "titles"), {})
    assert sorted(titles[number] for number in known["matching"]) == found


def _evaluated(variables: list[dict[str, str]], context: dict[str, Any], last: str) -> dict[str, Any]:
    """The variables up to one, in their order, without those of an old object."""
    known: dict[str, Any] = {}
    for each in variables:
        if not each["name"].startswith("old"):
            known[each["name"]] = cel.evaluate(each["expression"], {**context, "variables": known})
        if each["name"] == last:
            break
    return known
