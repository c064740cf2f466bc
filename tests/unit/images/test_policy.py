import pytest

from casemate.images.policy import PullPolicy, Step, effective, next_step
from casemate.images.reference import parse


@pytest.mark.parametrize(
    ("written", "image", "policy"),
    [
        (None, "app", "Always"),
        (None, "app:latest", "Always"),
        ("", "app", "Always"),
        (None, "app:1", "IfNotPresent"),
        (None, "app@sha256:" + "a" * 64, "IfNotPresent"),
        (None, "app:latest@sha256:" + "a" * 64, "IfNotPresent"),
        ("Never", "app", "Never"),
        ("Always", "app:1", "Always"),
    ],
)
def test_an_unset_policy_follows_the_tag(written: str | None, image: str, policy: str) -> None:
    assert effective(written, parse(image)) == policy


@pytest.mark.parametrize(
    ("policy", "present", "given", "step"),
    [
        ("Always", True, False, "pull"),
        ("Always", False, False, "pull"),
        ("Always", True, True, "use"),
        ("IfNotPresent", True, False, "use"),
        ("IfNotPresent", False, False, "pull"),
        ("Never", True, False, "use"),
        ("Never", False, False, "fail"),
    ],
)
def test_the_policy_decides_whether_a_registry_is_asked(policy: str, present: bool, given: bool, step: str) -> None:
    assert next_step(PullPolicy(policy), present=present, given=given) == Step(step)
