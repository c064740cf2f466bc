"""Laws that hold for all policies, exceptions and Pods."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from asked import CLASSES, ask, changed, exception, made, pod, policy
from hypothesis import given, settings
from hypothesis import strategies as st

from casemate.model.policy import EXCEPTABLE, Part, Policy, PolicyException

NAMES = ["", *(each.metadata.name for each in CLASSES if each.metadata), "missing"]
LABELS = {"tenancy": "shared"}
BOUNDARIES = ["shared", "hardened", "sandbox", "vm", "confidential"]
IMAGES = ["nginx", "ghcr.io/acme/web:1", "ghcr.io/acme/web@sha256:" + "0" * 64, "Not Readable"]
ANNOTATION = "io.katacontainers.config.hypervisor.default_memory"


def mapping(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of these fields."""
    return st.fixed_dictionaries({}, optional=fields)


namespaces = st.sampled_from([{"names": ["team"]}, {"names": ["other"]}, {"labels": LABELS}, {"labels": {"x": "y"}}])
conditions = {
    "namespaces": namespaces,
    "podLabels": st.just({"app": "web"}),
    "serviceAccounts": st.sampled_from([["builder"], ["team/builder"]]),
    "images": st.sampled_from([["nginx"], ["ghcr.io/acme/**"], ["ghcr.io/acme/web:1"]]),
    "kinds": st.sampled_from([["Pod"], ["Deployment", "Job"]]),
    "users": st.just(["alice"]),
}
entries = st.one_of(
    st.sampled_from([{"name": name} for name in NAMES]),
    st.sampled_from([{"boundary": f"{least}{word}"} for word in BOUNDARIES for least in ("", ">=")]),
    st.just({"labels": {"tier": "strong"}}),
    st.just({"name": "kata", "annotations": [ANNOTATION]}),
)
specs = mapping(
    match=mapping(**conditions),
    default=st.sampled_from(NAMES[1:]),
    permitted=st.lists(entries, max_size=3),
    minimum=st.sampled_from(BOUNDARIES),
    hardening=st.fixed_dictionaries(
        {
            "below": st.sampled_from(BOUNDARIES[1:]),
            "require": st.lists(st.sampled_from([str(part) for part in Part]), min_size=1, max_size=3),
        }
    ),
    upgrade=st.booleans(),
    fit=st.sampled_from(["deny", "warn"]),
    mode=st.sampled_from(["enforce", "enforce", "enforce", "warn", "audit"]),
)
context = mapping(
    privileged=st.booleans(),
    allowPrivilegeEscalation=st.booleans(),
    runAsNonRoot=st.booleans(),
    runAsUser=st.sampled_from([0, 1000]),
    capabilities=st.just({"drop": ["ALL"]}),
    seccompProfile=st.just({"type": "RuntimeDefault"}),
    procMount=st.sampled_from(["Default", "Unmasked"]),
)
bodies = mapping(
    runtimeClassName=st.sampled_from(NAMES),
    hostNetwork=st.booleans(),
    hostUsers=st.booleans(),
    serviceAccountName=st.just("builder"),
    overhead=st.just({"cpu": "1"}),
    nodeSelector=st.sampled_from([{"pool": "gvisor"}, {"a": "b"}]),
    volumes=st.just([{"name": "v", "hostPath": {"path": "/data"}}]),
)


@st.composite
def policies(draw: st.DrawFn, name: str = "p", namespace: str = "") -> Policy:
    spec = draw(specs)
    if namespace:
        spec.get("match", {}).pop("namespaces", None)
    return policy(spec, name, namespace)


@st.composite
def sets(draw: st.DrawFn) -> tuple[Policy, ...]:
    return tuple(draw(policies(name=f"p{index}")) for index in range(draw(st.integers(0, 3))))


@st.composite
def exceptions(draw: st.DrawFn, name: str = "e") -> PolicyException:
    scope = draw(mapping(**conditions).filter(bool))
    rules = draw(st.lists(st.sampled_from(sorted(EXCEPTABLE)), min_size=1, max_size=3, unique=True))
    permitted = draw(st.lists(st.sampled_from(NAMES), max_size=2, unique=True))
    titles = [f"p{index}" for index in range(draw(st.integers(1, 3)))]
    return exception(
        {"scope": scope, "rules": [str(each) for each in rules], "permitted": permitted, "policies": titles}, name
    )


@st.composite
def pods(draw: st.DrawFn) -> dict[str, Any]:
    container = {"name": "c", "image": draw(st.sampled_from(IMAGES)), "securityContext": draw(context)}
    metadata = draw(mapping(labels=st.just({"app": "web"}), annotations=st.just({ANNOTATION: "1"})))
    return pod({"containers": [container], **draw(bodies)}, metadata)


askers = st.sampled_from(["", "alice", "bob", "system:serviceaccount:kube-system:replicaset-controller"])


def final(value: dict[str, Any], verdict: Any) -> dict[str, Any]:
    return changed(copy.deepcopy(value), verdict) if verdict.patch else value


@settings(deadline=None)
@given(before=sets(), more=policies(name="z"), value=pods(), user=askers)
def test_what_one_more_policy_lets_in_the_others_let_in_as_it_ends_up(before, more, value, user):
    verdict = ask(made(*before, more), value, labels=LABELS, user=user)
    if verdict.decision != "deny":
        after = final(value, verdict)
        assert ask(made(*before), after, labels=LABELS, user=user).decision != "deny"


@settings(deadline=None)
@given(before=sets(), more=policies(name="z", namespace="team"), value=pods())
def test_a_namespaced_policy_only_narrows(before, more, value):
    verdict = ask(made(*before, more), value, labels=LABELS)
    if verdict.decision != "deny":
        assert ask(made(*before), final(value, verdict), labels=LABELS).decision != "deny"
    elsewhere = [ask(made(*each), value, labels=LABELS, namespace="other") for each in (before, (*before, more))]
    assert elsewhere[0] == elsewhere[1]


@settings(deadline=None)
@given(found=sets(), first=exceptions(name="e1"), second=exceptions(name="e2"), value=pods(), user=askers)
def test_what_two_exceptions_let_in_together_each_lets_in_alone(found, first, second, value, user):
    both = ask(made(*found, exceptions=(first, second)), value, labels=LABELS, user=user)
    if both.decision != "deny" and both.exception == "e1, e2":
        for each in (first, second):
            assert ask(made(*found, exceptions=(each,)), value, labels=LABELS, user=user).decision != "deny"


@settings(deadline=None)
@given(found=sets(), held=st.lists(exceptions(), max_size=1), value=pods(), user=askers)
def test_what_a_patch_made_is_allowed_when_it_is_judged_again(found, held, value, user):
    of = made(*found, exceptions=tuple(held))
    verdict = ask(of, value, labels=LABELS, user=user)
    if verdict.decision == "change":
        again = ask(of, changed(copy.deepcopy(value), verdict), labels=LABELS, user=user)
        assert again.decision == "allow"
        assert not again.patch


@settings(deadline=None)
@given(found=sets(), old=pods(), new=pods())
def test_an_update_never_patches_a_pod(found, old, new):
    assert not ask(made(*found), new, labels=LABELS, old=old).patch


@settings(deadline=None)
@given(found=sets(), value=pods())
def test_an_update_is_never_denied_for_what_a_creation_is_not(found, value):
    old = pod({"containers": [{"name": "other", "image": "x"}]})
    of = made(*found)
    created = ask(of, value, labels=LABELS)
    updated = ask(of, value, labels=LABELS, old=old)
    if created.decision == "allow":
        assert updated.decision == "allow"


@settings(deadline=None)
@given(found=sets(), value=pods(), user=askers)
def test_a_template_is_judged_as_the_pod_that_it_makes(found, value, user):
    of = made(*(each for each in found if not each.spec.match.kinds))
    holder = {"template": {"metadata": value["metadata"], "spec": value["spec"]}}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"}, "spec": holder}
    one, other = (ask(of, each, labels=LABELS, user=user) for each in (value, deployment))
    assert one.decision == other.decision
    assert {each.rule for each in one.reasons} == {each.rule for each in other.reasons}
    assert [each.value for each in one.patch] == [each.value for each in other.patch]


@settings(deadline=None)
@given(found=sets(), value=pods(), bad=context)
def test_all_lists_of_containers_count_alike(found, value, bad):
    of = made(*found)
    decided = set()
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        weak = {"name": "weak", "image": "nginx", "securityContext": bad}
        spec = {**value["spec"], kind: [*value["spec"].get(kind, []), weak]}
        verdict = ask(of, {**value, "spec": spec}, labels=LABELS)
        decided.add((verdict.decision, frozenset((each.rule, each.message) for each in verdict.reasons)))
    assert len(decided) == 1


@settings(deadline=None)
@given(
    found=sets(), held=st.lists(exceptions(), max_size=2), values=st.lists(pods(), min_size=2, max_size=4), user=askers
)
def test_a_verdict_depends_on_no_other_request(found, held, values, user):
    of = made(*found, exceptions=tuple(held))
    together = [ask(of, each, labels=LABELS, user=user) for each in (*values, *values)]
    alone = [ask(made(*found, exceptions=tuple(held)), each, labels=LABELS, user=user) for each in values]
    assert together == [*alone, *alone]


@pytest.mark.parametrize("names", [("kube-api-access-aaaaa", "kube-api-access-bbbbb")])
def test_token_volumes_of_other_names_share_a_verdict_and_two_in_one_pod_do_not(names):
    of = made(policy("{permitted: [gvisor], minimum: need}"))  # Of what is asked its need, nothing has a shape.

    def volumes(*each: str) -> dict[str, Any]:
        return pod({"volumes": [{"name": name, "emptyDir": {}} for name in each]})

    for each in ((names[0],), (names[1],), names):
        assert ask(of, volumes(*each)).decision == "deny"
    assert len(of._period.kept._verdicts) == 2
