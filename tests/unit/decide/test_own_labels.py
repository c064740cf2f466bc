from __future__ import annotations

import pytest
from workloads import workload

from casemate.catalogue import tables
from casemate.decide.assess import Assessor
from casemate.model.assessment import Finding
from casemate.model.surroundings import Surroundings

CATALOGUE = tables.load()


def mistyped(namespace: dict[str, str] | None = None, **identity: dict[str, str]) -> list[Finding]:
    around = Surroundings(namespaces={"shop": namespace or {}})
    found = Assessor(CATALOGUE, around).assess(workload(**identity)).findings  # type: ignore[arg-type]
    return [each for each in found if each.rule == "CM015"]


@pytest.mark.parametrize(
    ("key", "value", "meant"),
    [
        ("casemate.dev/need", "sandbx", "casemate.dev/need=sandbox"),
        ("casemate.dev/need", "VM", "casemate.dev/need=vm"),
        ("casemate.dev/trust", "untrust", "casemate.dev/trust=untrusted"),
        ("casemate.dev/trust", "3rd-party", "casemate.dev/trust=third-party"),
        ("casemate.dev/profile", "nodeagent", "casemate.dev/profile=node-agent"),
        ("casemate.dev/data", "confidental", "casemate.dev/data=confidential"),
        ("casemate.dev/tenancy", "share", "casemate.dev/tenancy=shared"),
        ("casemate.dev/trsut", "untrusted", "casemate.dev/trust=untrusted"),
        ("casemate.dev/needs", "vm", "casemate.dev/need=vm"),
        ("casemate.io/trust", "untrusted", "casemate.dev/trust=untrusted"),
        ("casemat.dev/need", "vm", "casemate.dev/need=vm"),
    ],
)
@pytest.mark.parametrize("where", ["labels", "object_labels", "namespace"])
def test_a_mistyped_label_is_a_finding_that_says_what_was_meant(where, key, value, meant):
    (found,) = mistyped(**{where: {key: value}})
    assert found.message.startswith(f"it has a label that says nothing to casemate: {key}={value}")
    assert found.message.endswith(f"did you mean {meant}?")


def test_a_word_that_is_like_no_other_is_told_which_there_are():
    (found,) = mistyped(labels={"casemate.dev/trust": "xyz"})
    assert found.message.endswith("it takes internal, system, third-party, untrusted")


def test_the_finding_is_where_the_label_stands():
    (found,) = mistyped(labels={"casemate.dev/need": "sandbx"})
    assert found.path == "spec.template.metadata.labels[casemate.dev/need]"


def test_a_label_among_the_annotations_is_found_too():
    (found,) = mistyped(annotations={"casemate.dev/need": "vm"})
    assert found.message.endswith("casemate.dev/need=vm: it is a label, not an annotation")


@pytest.mark.parametrize(
    "labels",
    [
        {"casemate.dev/need": "vm", "casemate.dev/trust": "internal", "casemate.dev/data": "customers"},
        {"casemate.dev/engine": "default", "casemate.dev/run": "shop", "casemate.dev/check": "1"},
        {"example.com/trust": "everybody", "app": "casemate"},
    ],
)
def test_labels_that_mean_something_or_are_somebody_elses_are_left_alone(labels):
    assert mistyped(labels=labels) == []


@pytest.mark.parametrize("value", ["shard", "shred", "share", "sharedd"])
def test_a_mistyped_word_lowers_no_need(value):
    assessor = Assessor(CATALOGUE, Surroundings())
    subject = workload("containers: [{name: a, image: 'docker:dind'}]")
    without = assessor.assess(subject).need
    mistaken = workload("containers: [{name: a, image: 'docker:dind'}]", labels={"casemate.dev/need": value})
    assert assessor.assess(mistaken).need == without


def test_two_mistakes_in_one_place_are_two_decisions():
    """Decisions are kept by what was asked: the text of a mistake belongs to it."""
    assessor = Assessor(CATALOGUE, Surroundings())
    said = [
        next(
            each.message
            for each in assessor.assess(workload(labels={"casemate.dev/need": word})).findings
            if "says nothing" in each.message
        )
        for word in ("sandbx", "confidental")
    ]
    assert [each.rpartition("=")[2] for each in said] == ["sandbox?", "confidential?"]
