from __future__ import annotations

import io

import pytest

from casemate.errors import InputError
from casemate.model.policy import Permit
from casemate.sources import policies

SIX_LINES = """\
apiVersion: casemate.dev/v1alpha1
kind: IsolationPolicy
metadata: {name: tenants}
spec:
  match: {namespaces: {labels: {tenancy: shared}}}
  default: gvisor
  permitted: [gvisor, {boundary: ">=vm"}]
  mode: enforce
"""
EXCEPTION = """\
apiVersion: casemate.dev/v1alpha1
kind: IsolationException
metadata: {name: gpu}
spec:
  reason: needs the GPU
  owner: ml
  expires: 2026-12-31
  policies: [tenants]
  rules: [class-not-permitted]
  scope: {namespaces: {names: [ml]}}
"""


def load(text: str) -> policies.PolicyInput:
    return policies.load(["-"], io.BytesIO(text.encode()))


def test_a_policy_is_read_with_its_place_and_what_stands_beside_it():
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: a, labels: {tenancy: shared}}\n"
    found = load(f"{SIX_LINES}---\n{EXCEPTION}---\n{namespace}")
    (policy,), (exception,) = found.policies, found.exceptions
    assert policy.spec.permitted == ("gvisor", Permit(boundary=">=vm"))
    assert exception.spec.expires == "2026-12-31"
    assert found.surroundings.namespaces == {"a": {"tenancy": "shared"}}
    (_, written) = found.documents
    assert (written.title, written.where("spec", "expires")) == ("gpu", "<stdin>:16:3")


@pytest.mark.parametrize(
    ("before", "after", "place", "words"),
    [
        ("default: gvisor", "defualt: gvisor", "6:3", 'did you mean "default"'),
        ("default: gvisor", "default: gVisor", "6:3", "RuntimeClass"),
        ("default: gvisor", "default:", "6:3", "has no value"),
        ("mode: enforce", "mode: enfroce", "8:3", 'did you mean "enforce"'),
        ("mode: enforce", "minimum: strong", "8:3", "no boundary"),
        ("mode: enforce", "fit: maybe", "8:3", "deny, warn"),
        ("mode: enforce", "hardening: {below: vm, require: [secomp]}", "8:36", 'did you mean "seccomp"'),
        ('[gvisor, {boundary: ">=vm"}]', "", "7:3", "has no value"),
        ('{boundary: ">=vm"}', '">=vm"', "7:23", "boundary"),
        ('{boundary: ">=vm"}', "{boundary: vm, name: kata}", "7:23", "name and boundary in one entry"),
        ('{boundary: ">=vm"}', "{boundary: '>vm'}", "7:24", "no boundary"),
        ('{boundary: ">=vm"}', "{}", "7:23", "nothing in one entry"),
        ('{boundary: ">=vm"}', "{name: kata, annotations: [other/x]}", "7:50", "reconfigures no sandbox"),
        ("{namespaces: {labels: {tenancy: shared}}}", "{namespaces: {}}", "5:11", "asks for nothing"),
        ("{namespaces: {labels: {tenancy: shared}}}", "{kinds: []}", "5:11", "would hold for all"),
        ("{namespaces: {labels: {tenancy: shared}}}", "{kinds: [pods]}", "5:19", 'did you mean "Pod"'),
        ("{namespaces: {labels: {tenancy: shared}}}", "{namespaces: {names: ['a-*']}}", "5:32", "whole names"),
        ("{namespaces: {labels: {tenancy: shared}}}", "{images: ['*/web']}", "5:20", "no image"),
        ("{namespaces: {labels: {tenancy: shared}}}", "{users: ['*']}", "5:19", "no whole name"),
        ("{namespaces: {labels: {tenancy: shared}}}", "{serviceAccounts: ['a:b']}", "5:29", "no service account"),
        ("kind: IsolationPolicy", "kind: IsolationPolcy", "2:1", 'did you mean "IsolationPolicy"'),
        ("casemate.dev/v1alpha1", "casemate.dev/v1", "1:1", "no version"),
        ("{name: tenants}", "{name: tenants, namespace: a}", "3:27", "has no namespace"),
    ],
)
def test_whatever_would_mean_something_else_is_a_mistake_with_its_place(before, after, place, words):
    with pytest.raises(InputError) as caught:
        load(SIX_LINES.replace(before, after))
    assert f"<stdin>:{place}" in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("owner: ml", "owner: ''", "owner"),
        ("reason: needs the GPU", "reason: ' '", "reason"),
        ("2026-12-31", "31.12.2026", "no date"),
        ("2026-12-31", "'2026-12-31T10:00:00'", "no date"),
        ("2026-12-31", "2026-13-01", "no date"),
        ("[tenants]", "[]", "policies"),
        ("[class-not-permitted]", "[anchor]", "cannot be accepted"),
        ("[class-not-permitted]", "[class-unste]", "class-unset"),
        ("{namespaces: {names: [ml]}}", "{}", "wide open"),
        ("  owner: ml\n", "", "owner is missing"),
    ],
)
def test_an_exception_says_who_answers_for_what_and_until_when(before, after, words):
    with pytest.raises(InputError) as caught:
        load(EXCEPTION.replace(before, after))
    assert words in str(caught.value)


def test_two_policies_of_one_name_are_a_mistake():
    with pytest.raises(InputError, match="is also in"):
        load(f"{SIX_LINES}---\n{SIX_LINES}")


def test_a_namespaced_policy_does_not_choose_among_namespaces():
    text = SIX_LINES.replace("IsolationPolicy", "NamespacedIsolationPolicy").replace("tenants", "t, namespace: a")
    with pytest.raises(InputError, match="about its own namespace"):
        load(text)
