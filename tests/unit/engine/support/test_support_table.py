"""Every field of PodSpec v1.36 has its row, and the page of fields is what the rows say."""

import ast
from importlib import util
from pathlib import Path

import pytest

from casemate.engine.support.conditions import CONDITIONS
from casemate.engine.support.document import render
from casemate.engine.support.table import all_paths, load
from casemate.model.support import Verdict

PAGE = Path(__file__).parents[4] / "docs/reference/pod-fields.md"


def published_fields() -> set[str]:
    """Every path of PodSpec in lightkube-models 1.36, which is generated from Kubernetes' own OpenAPI."""
    classes = {}
    for module in ("core_v1", "meta_v1"):
        tree = ast.parse(Path(util.find_spec(f"lightkube.models.{module}").origin).read_text())
        classes |= {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    return set(paths_of(classes, "PodSpec", ""))


def paths_of(classes, name, start):
    for field in classes[name].body:
        if not isinstance(field, ast.AnnAssign):
            continue
        here = f"{start}.{json_name(field)}" if start else json_name(field)
        yield here
        text = ast.unparse(field.annotation).replace("'", "").replace("meta_v1.", "")
        inner = text.removeprefix("Optional[").removesuffix("]")
        is_list = inner.startswith(("List[", "list["))
        kind = inner[5:].removesuffix("]") if is_list else inner
        if kind in classes and kind not in ("Time", "MicroTime", "FieldsV1"):
            yield from paths_of(classes, kind, f"{here}[]" if is_list else here)


def json_name(field: ast.AnnAssign) -> str:
    """lightkube writes names that Python reserves with a suffix, and says the real one in the field's metadata."""
    if isinstance(field.value, ast.Call):
        for keyword in field.value.keywords:
            if keyword.arg == "metadata":
                return ast.literal_eval(keyword.value)["json"]
    return field.target.id


def test_the_table_knows_every_field_that_kubernetes_publishes():
    published = {path for path in published_fields() if ".managedFields" not in path}
    missing = published - set(all_paths())
    assert not missing
    assert len(published) > 1000


def test_every_field_has_a_row_or_fields_that_have():
    table = load()
    assert [path for path in all_paths() if table.row(path) is None and not table.has_rows_below(path)] == []


def test_every_row_is_a_field():
    assert set(load().rows) <= set(all_paths())


def test_conditions_and_rows_name_each_other():
    named = {case.when for row in load().rows.values() for case in row.cases if case.when}
    assert named == set(CONDITIONS)


def test_what_is_not_honoured_says_why():
    for row in load().rows.values():
        for each in (row, *row.cases):
            assert each.verdict is Verdict.HONOURED or each.note, row.path


def test_facts_about_runtimes_say_how_sure_they_are():
    for row in load().rows.values():
        for case in row.cases:
            if case.runtime and case.verdict is not Verdict.HONOURED:
                assert case.certainty, row.path
            if case.certainty in ("source", "documented") and case.runtime == "gvisor":
                assert case.source, row.path


@pytest.mark.parametrize(
    "path", ["containers[].image", "initContainers[].image", "securityContext.sysctls", "volumes[].nfs"]
)
def test_the_page_lists_a_field(path):
    assert f"| `{path}` |" in PAGE.read_text()


def test_the_page_is_current():
    assert PAGE.read_text() == render(load(), all_paths()), "python -m casemate.engine.support.document > " + str(PAGE)
