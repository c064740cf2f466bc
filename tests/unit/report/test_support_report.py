"""`casemate run --explain`: what is refused comes first, in words and shape, and the JSON has it all."""

import io

import msgspec

from casemate.model.support import FieldNote, PodNotes, Verdict
from casemate.report.screen import Screen
from casemate.report.support import notes_json, print_notes

NOTES = (
    FieldNote(path="containers[0].image", value="busybox", verdict=Verdict.HONOURED),
    FieldNote(path="nodeSelector", value="disk", verdict=Verdict.IGNORED, note="there is one node"),
    FieldNote(path="hostUsers", value="[bold]false", verdict=Verdict.REFUSED, note="no", security=True),
)
PODS = [PodNotes(pod="Pod default/p", handler="runc", notes=NOTES, where="p.yaml:1:1")]


def printed() -> list[str]:
    console = Screen(io.StringIO())
    print_notes(PODS, console)
    return console.file.getvalue().splitlines()


def test_the_refused_come_first_and_the_honoured_last():
    lines = printed()
    assert lines[0] == "Pod default/p under runc  p.yaml:1:1"
    assert [line.split()[:2] for line in lines[2:5]] == [["✗", "refused"], ["·", "ignored"], ["✓", "honoured"]]
    assert "1 refused, 1 ignored, 1 honoured" in lines


def test_a_value_is_no_markup():
    assert any("[bold]false" in line for line in printed())


def test_a_loss_of_security_is_marked():
    assert any("refused (security)" in line for line in printed())


def test_the_json_has_every_field_with_its_verdict():
    document = msgspec.json.decode(notes_json(PODS))
    assert (document["apiVersion"], document["kind"]) == ("casemate.dev/v1alpha1", "Explanation")
    (item,) = document["items"]
    assert item["pod"] == "Pod default/p"
    assert [each["verdict"] for each in item["fields"]] == ["honoured", "ignored", "refused"]
    assert item["fields"][2]["security"] is True
