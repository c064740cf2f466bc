"""Edits keep every byte that they are not about."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from casemate.errors import InputError
from casemate.model.edit import Edit, Fix, Remove, Set
from casemate.model.workload import Workload
from casemate.sources.edit import edited, write
from casemate.sources.fast import Written, read
from casemate.sources.problems import Problem
from casemate.sources.workloads import workloads

SPEC = ("spec",)
CONTEXT = (*SPEC, "containers", 0, "securityContext")


def found(text: str) -> list[Workload]:
    written = [each for each in read(text.encode(), "f.yaml") if isinstance(each, Written)]
    return [workload for each in written for workload in workloads(each) if not isinstance(workload, Problem)]


def edit(text: str, *edits: Edit, index: int = 0) -> str:
    return edited(text.encode(), "f.yaml", [Fix(found(text)[index], edits)]).decode()


HEAD = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n"

CASES: dict[str, tuple[str, tuple[Edit, ...], str]] = {
    "a class comes first in the specification, above comments on what follows": (
        "spec:  # what runs\n    # the one container\n    containers:\n    - name: a\n      image: i  # pinned\n",
        (Set((*SPEC, "runtimeClassName"), "gvisor"),),
        "spec:  # what runs\n    runtimeClassName: gvisor\n    # the one container\n    containers:\n"
        "    - name: a\n      image: i  # pinned\n",
    ),
    "a class is changed where it stands, quotes or not": (
        'spec:\n  runtimeClassName: "runc" # for now\n  containers: [{name: a, image: i}]\n',
        (Set((*SPEC, "runtimeClassName"), "gvisor"),),
        "spec:\n  runtimeClassName: gvisor # for now\n  containers: [{name: a, image: i}]\n",
    ),
    "what a container gets comes last in it, behind a block of text": (
        "spec:\n  containers:\n  - name: a\n    image: i\n    args:\n    - |\n      echo\n\n"
        "  - name: b\n    image: j\n",
        (Set((*CONTEXT, "allowPrivilegeEscalation"), False),),
        "spec:\n  containers:\n  - name: a\n    image: i\n    args:\n    - |\n      echo\n\n"
        "    securityContext:\n      allowPrivilegeEscalation: false\n  - name: b\n    image: j\n",
    ),
    "the indentation is the document's": (
        "spec:\n    containers:\n        - name: a\n          image: i\n",
        (Set((*CONTEXT, "capabilities", "drop"), ["ALL"]),),
        "spec:\n    containers:\n        - name: a\n          image: i\n          securityContext:\n"
        "              capabilities:\n                  drop: [ALL]\n",
    ),
    "brackets stay brackets": (
        "spec:\n  containers:\n  - {name: a, image: i, securityContext: {privileged: true}}\n",
        (Remove((*CONTEXT, "privileged")), Set((*CONTEXT, "allowPrivilegeEscalation"), False)),
        "spec:\n  containers:\n  - {name: a, image: i, securityContext: {allowPrivilegeEscalation: false}}\n",
    ),
    "an empty mapping gets lines of its own": (
        "spec:\n  securityContext: {}  # none\n  containers:\n  - name: a\n    securityContext:\n      {}\n"
        "    image: i\n",
        (Set((*SPEC, "securityContext", "runAsNonRoot"), True), Set((*CONTEXT, "allowPrivilegeEscalation"), False)),
        "spec:\n  securityContext:  # none\n    runAsNonRoot: true\n  containers:\n  - name: a\n    securityContext:\n"
        "      allowPrivilegeEscalation: false\n    image: i\n",
    ),
    "a field without a value gets one": (
        "spec:\n  securityContext:\n  runtimeClassName:\n  containers: [{name: a, image: i}]",
        (Set((*SPEC, "securityContext", "runAsNonRoot"), True), Set((*SPEC, "runtimeClassName"), "x: y")),
        'spec:\n  securityContext:\n    runAsNonRoot: true\n  runtimeClassName: "x: y"\n'
        "  containers: [{name: a, image: i}]",
    ),
    "a list of one word keeps its form": (
        "spec:\n  containers:\n  - name: a\n    image: i\n    securityContext:\n      capabilities:\n"
        "        add: [CHOWN]\n        drop:\n        - NET_RAW  # of all\n",
        (Set((*CONTEXT, "capabilities", "drop"), ["ALL"]),),
        "spec:\n  containers:\n  - name: a\n    image: i\n    securityContext:\n      capabilities:\n"
        "        add: [CHOWN]\n        drop:\n        - ALL  # of all\n",
    ),
    "a longer list is replaced": (
        "spec:\n  containers:\n  - name: a\n    image: i\n    securityContext:\n      capabilities:\n"
        "        drop:\n        - NET_RAW\n        - CHOWN\n        add: [KILL]\n",
        (Set((*CONTEXT, "capabilities", "drop"), ["ALL"]),),
        "spec:\n  containers:\n  - name: a\n    image: i\n    securityContext:\n      capabilities:\n"
        "        drop: [ALL]\n        add: [KILL]\n",
    ),
    "a removed field takes its line with it": (
        "spec:\n  overhead:  # of kata\n    memory: 1Gi\n    cpu: 1\n  # kept\n  containers: [{name: a, image: i}]\n",
        (Remove((*SPEC, "overhead")),),
        "spec:\n  # kept\n  containers: [{name: a, image: i}]\n",
    ),
    "the first field beside a dash goes without its dash": (
        "spec:\n  containers:\n  - securityContext: {privileged: true}\n    name: a\n    image: i\n",
        (Remove(CONTEXT),),
        "spec:\n  containers:\n  - name: a\n    image: i\n",
    ),
    "what was the last line without an end stays so": (
        "spec:\n  containers:\n  - name: a\n    image: i",
        (Set((*CONTEXT, "privileged"), False),),
        "spec:\n  containers:\n  - name: a\n    image: i\n    securityContext:\n      privileged: false",
    ),
    "an alias that has to differ merges its anchor": (
        "spec:\n  containers:\n  - name: a\n    image: i\n    securityContext: &sc\n      runAsUser: 1\n"
        "  - name: b\n    image: j\n    securityContext: *sc\n",
        (Set((*SPEC, "containers", 1, "securityContext", "privileged"), False),),
        "spec:\n  containers:\n  - name: a\n    image: i\n    securityContext: &sc\n      runAsUser: 1\n"
        "  - name: b\n    image: j\n    securityContext:\n      <<: *sc\n      privileged: false\n",
    ),
    "an alias that changes as its anchor does stays": (
        "spec:\n  containers:\n  - name: a\n    image: i\n    securityContext: &sc\n      runAsUser: 1\n"
        "  - name: b\n    image: j\n    securityContext: *sc\n",
        (Set((*CONTEXT, "privileged"), False), Set((*SPEC, "containers", 1, "securityContext", "privileged"), False)),
        "spec:\n  containers:\n  - name: a\n    image: i\n    securityContext: &sc\n      privileged: false\n"
        "      runAsUser: 1\n  - name: b\n    image: j\n    securityContext: *sc\n",
    ),
    "a merged field is overridden behind the merge": (
        "spec:\n  containers:\n  - &base\n    name: a\n    image: i\n    securityContext: {runAsUser: 1}\n"
        "  - <<: *base\n    name: b\n",
        (Set((*SPEC, "containers", 1, "securityContext", "privileged"), False),),
        "spec:\n  containers:\n  - &base\n    name: a\n    image: i\n    securityContext: {runAsUser: 1}\n"
        "  - <<: *base\n    name: b\n    securityContext:\n      runAsUser: 1\n      privileged: false\n",
    ),
}


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_an_edit_changes_what_it_is_about(name: str, newline: str) -> None:
    before, edits, after = (HEAD + part if isinstance(part, str) else part for part in CASES[name])
    assert edit(before.replace("\n", newline), *edits) == after.replace("\n", newline)


@pytest.mark.parametrize("name", CASES)
def test_the_same_edit_again_changes_nothing(name: str) -> None:
    _, edits, after = CASES[name]
    assert edit(HEAD + after, *edits) == HEAD + after


def test_only_the_workloads_own_document_is_touched() -> None:
    other = "# first\nkind: ConfigMap\napiVersion: v1\nmetadata:   {name: a}\ndata: {a: 'x'}\n"
    pod = HEAD + "spec:\n  containers: [{name: a, image: i}]\n"
    text = f"{other}---\n{pod}--- # last\n{other}...\n"
    expected = text.replace("spec:\n", "spec:\n  runtimeClassName: gvisor\n")
    assert edit(text, Set((*SPEC, "runtimeClassName"), "gvisor")) == expected


def test_a_document_that_cannot_be_read_elsewhere_in_the_file_is_left_alone() -> None:
    pod = HEAD + "spec:\n  containers: [{name: a, image: i}]\n"
    text = f"{pod}---\nkind: [\n"
    assert edit(text, Set((*SPEC, "hostUsers"), False)) == text.replace("spec:\n", "spec:\n  hostUsers: false\n")


def test_items_of_a_list_are_told_apart() -> None:
    item = "- apiVersion: v1\n  kind: Pod\n  metadata: {name: %s}\n  spec:\n    containers: [{name: a, image: i}]\n"
    text = "apiVersion: v1\nkind: List\nitems:\n" + item % "a" + item % "b"
    new = edit(text, Set((*SPEC, "hostUsers"), False), index=1)
    assert new == text[:-38] + "    hostUsers: false\n" + text[-38:]


def test_json_stays_json() -> None:
    text = (
        '{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"},\n'
        '  "spec": {\n    "containers": [{"name": "\\ud83d\\ude00", "image": "i", "securityContext": {}}]\n  }\n}\n'
    )
    edits = (Set((*SPEC, "runtimeClassName"), "gvisor"), Set((*CONTEXT, "capabilities", "drop"), ["ALL"]))
    new = edit(text, *edits)
    assert new == text.replace('{\n    "c', '{\n    "runtimeClassName": "gvisor",\n    "c').replace(
        '"securityContext": {}', '"securityContext": {"capabilities": {"drop": ["ALL"]}}'
    )
    assert msgspec.json.decode(new)["spec"]["runtimeClassName"] == "gvisor"


def test_a_byte_order_mark_stays() -> None:
    text = "\ufeff" + HEAD + "spec:\n  containers: [{name: a, image: i}]\n"
    new = edit(text, Set((*SPEC, "hostUsers"), False))
    assert new == text.replace("spec:\n", "spec:\n  hostUsers: false\n")


def test_a_value_that_another_part_shares_keeps_meaning_there_what_it_meant() -> None:
    text = (
        HEAD + "spec:\n  containers:\n  - name: a\n    image: i\n    securityContext: &c {privileged: true}\n"
        "  - name: b\n    image: j\n    securityContext: *c\n"
    )
    new = found(edit(text, Set((*CONTEXT, "privileged"), False)))[0].spec.containers
    assert [each.securityContext and each.securityContext.privileged for each in new] == [False, True]


def test_an_object_that_changed_since_is_refused() -> None:
    text = HEAD + "spec:\n  containers: [{name: a, image: i}]\n"
    fix = Fix(found(text)[0], (Set((*SPEC, "hostUsers"), False),))
    with pytest.raises(InputError, match="changed since it was assessed"):
        edited(text.replace("image: i", "image: j").encode(), "f.yaml", [fix])


def test_a_field_that_a_merge_brings_cannot_be_removed() -> None:
    text = (
        HEAD + "spec:\n  containers:\n  - &c\n    name: a\n    image: i\n    securityContext: {privileged: true}\n"
        "  - <<: *c\n    name: b\n"
    )
    with pytest.raises(InputError, match="shares values in a way that cannot be edited"):
        edit(text, Remove((*SPEC, "containers", 1, "securityContext")))


def test_a_file_is_written_whole_with_its_mode_through_links(tmp_path: Path) -> None:
    file, link = tmp_path / "f.yaml", tmp_path / "link.yaml"
    file.write_bytes(b"before")
    file.chmod(0o640)
    link.symlink_to(file)
    write(str(link), b"before", b"after")
    assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"after", 0o640)
    assert link.is_symlink()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["f.yaml", "link.yaml"]


def test_a_file_that_changed_meanwhile_is_not_written(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes(b"somebody else's")
    with pytest.raises(InputError, match="nothing was written"):
        write(str(file), b"before", b"after")
    assert file.read_bytes() == b"somebody else's"
    assert len(list(tmp_path.iterdir())) == 1


def test_lists_in_lists_are_searched() -> None:
    inner = "{apiVersion: v1, kind: PodList, items: [{metadata: {name: a}, spec: {containers: [{name: a, image: i}]}}]}"
    text = f"apiVersion: v1\nkind: List\nitems:\n- {inner}\n"
    assert edit(text, Set((*SPEC, "hostUsers"), False)) == text.replace("spec: {", "spec: {hostUsers: false, ")
