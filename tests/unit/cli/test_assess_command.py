"""`casemate assess` and `casemate explain` from the outside: what is printed where, and which exit code ends it."""

from __future__ import annotations

import datetime
import io
import json
from pathlib import Path

import pytest

from casemate.cli.main import run_command

RUNNER = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: runner
  namespace: ci
  labels: {casemate.dev/need: vm}
spec:
  selector: {matchLabels: {app: runner}}
  template:
    metadata: {labels: {app: runner}}
    spec:
      containers:
      - name: runner
        image: example/runner:1
        securityContext:
          privileged: true
"""
QUIET = """\
apiVersion: v1
kind: Pod
metadata: {name: quiet, namespace: shop, labels: {casemate.dev/need: shared}}
spec:
  containers:
  - {name: main, image: example/quiet:1}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "runner.yaml").write_text(RUNNER)
    (tmp_path / "quiet.yaml").write_text(QUIET)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["runner.yaml"], 1),
        (["quiet.yaml"], 0),
        (["quiet.yaml", "--fail-on", "finding"], 1),
        (["runner.yaml", "--fail-on", "never"], 0),
        (["runner.yaml", "-n", "shop"], 0),
        (["nothing.yaml"], 2),
        (["runner.yaml", "-o", "yaml"], 2),
        (["runner.yaml", "--cluster"], 2),
        (["runner.yaml", "--fail-onn", "gap"], 2),
        (["runner.yaml", "-x"], 2),
        (["runner.yaml", "--catalogue", "nothing.yaml"], 2),
    ],
)
@pytest.mark.usefixtures("folder")
def test_the_exit_code_says_how_it_ended(arguments: list[str], code: int) -> None:
    assert run_command(["assess", *arguments]) == code


@pytest.mark.usefixtures("folder")
def test_without_a_path_the_current_folder_is_assessed(capsys: pytest.CaptureFixture[str]) -> None:
    run_command(["assess"])
    shown = capsys.readouterr().out
    assert "Deployment ci/runner" in shown
    assert shown.rstrip().endswith("Next: casemate explain Deployment/ci/runner .")


@pytest.mark.usefixtures("folder")
def test_the_command_that_the_table_ends_with_works(capsys: pytest.CaptureFixture[str]) -> None:
    run_command(["assess", "runner.yaml"])
    *_, last = capsys.readouterr().out.splitlines()
    assert run_command(last.removeprefix("Next: casemate ").split()) == 0


@pytest.mark.usefixtures("folder")
def test_json_names_the_lines_of_the_fields(capsys: pytest.CaptureFixture[str]) -> None:
    run_command(["assess", "runner.yaml", "-o", "json"])
    (item,) = json.loads(capsys.readouterr().out)["items"]
    (privileged,) = (each for each in item["findings"] if each["rule"] == "CM101")
    assert (privileged["line"], privileged["path"]) == (
        16,
        "spec.template.spec.containers[0].securityContext.privileged",
    )


@pytest.mark.usefixtures("folder")
def test_tables_are_plain_where_stdout_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    run_command(["assess", "runner.yaml"])
    shown = capsys.readouterr()
    assert "\x1b" not in shown.out
    assert shown.err == ""


def test_what_is_no_yaml_is_told_and_the_rest_assessed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "bad.yaml").write_text("kind: [")
    assert run_command(["assess", "quiet.yaml", "bad.yaml"]) == 4
    assert "Not looked at: bad.yaml:" in capsys.readouterr().out


def test_what_cannot_be_read_makes_it_incomplete(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "loop.yaml").symlink_to("loop.yaml")
    code = run_command(["assess", "quiet.yaml", "loop.yaml"])
    assert code in (2, 4)
    shown = capsys.readouterr()
    assert "loop.yaml" in shown.out + shown.err


def test_a_baseline_lets_only_what_is_new_fail(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_command(["assess", "runner.yaml", "-o", "json"])
    (folder / "before.json").write_text(capsys.readouterr().out)
    assert run_command(["assess", "runner.yaml", "--baseline", "before.json", "--fail-on", "finding"]) == 0
    assert "~ known" in capsys.readouterr().out
    (folder / "runner.yaml").write_text(RUNNER.replace("need: vm", "need: confidential"))
    assert run_command(["assess", "runner.yaml", "--baseline", "before.json"]) == 1


EXCEPTION = """\
apiVersion: casemate.dev/v1alpha1
kind: ExceptionList
items:
- scope: {{rules: [CM001], kind: Deployment, namespace: ci, name: {name}}}
  reason: moves to its own nodes
  owner: team-ci
  expires: {expires}
"""


@pytest.mark.parametrize(
    ("name", "days", "code", "said"),
    [
        ("runner", 30, 0, "Accepted by team-ci until"),
        ("runner", -1, 1, "expired: exceptions.yaml:4"),
        ("other", 30, 1, "unused: exceptions.yaml:4"),
    ],
)
def test_an_exception_accepts_a_gap_until_its_last_day(
    name: str, days: int, code: int, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expires = datetime.datetime.now(tz=datetime.UTC).date() + datetime.timedelta(days=days)
    (folder / "exceptions.yaml").write_text(EXCEPTION.format(name=name, expires=expires.isoformat()))
    assert run_command(["assess", "runner.yaml", "--exceptions", "exceptions.yaml"]) == code
    assert said in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--exceptions", "--baseline"])
@pytest.mark.usefixtures("folder")
def test_a_file_that_is_none_of_the_kind_is_an_error(option: str) -> None:
    assert run_command(["assess", "runner.yaml", option, "quiet.yaml"]) == 2
    assert run_command(["assess", "runner.yaml", option, "nothing.yaml"]) == 2


def test_standard_input_is_a_dash(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["assess", "-"], ["assess", "-", "-o", "sarif"], ["assess", "-o", "json", "-"]):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(RUNNER.encode())))
        assert run_command(arguments) == 1
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(RUNNER.encode())))
    assert run_command(["explain", "runner", "-"]) == 0


def test_a_fix_takes_the_place_of_the_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run_command(["assess", "runner.yaml", "--fix", "diff", "--consent", "all", "--permitted", "kata-qemu"])
    shown = capsys.readouterr()
    assert "NEEDS" not in shown.out
    assert "+      runtimeClassName: kata" in shown.out or "left alone" in shown.err


def test_helms_post_renderer_gives_back_all_that_it_got(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert run_command(["assess", "--fix", "render"]) == 0
    assert capfdbinary.readouterr().out == text


def test_a_static_pods_folder_is_read_as_a_kubelet_does(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    static = folder / "static"
    static.mkdir()
    (static / "pod").write_text(QUIET)
    assert run_command(["assess", "--static-pods", str(static)]) == 0
    assert "Pod shop/quiet" in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
class TestExplain:
    @pytest.mark.parametrize("name", ["runner", "ci/runner", "Deployment/runner", "deployment/ci/runner"])
    def test_a_workload_goes_by_several_names(self, name: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert run_command(["explain", name]) == 0
        assert capsys.readouterr().out.startswith("Deployment ci/runner\n")

    def test_a_workloads_numbers_are_opened_to_their_summands(self, capsys: pytest.CaptureFixture[str]) -> None:
        run_command(["explain", "runner", "-o", "json"])
        (item,) = json.loads(capsys.readouterr().out)["items"]
        points = sum(each["points"] for each in item["need"]["reasons"])
        assert item["need"]["score"] == min(100, max(0, points))
        stopped = [each for each in item["escapeRows"] if each["now"] in ("stopped", "n-a")]
        assert len(stopped) == item["escapes"]["now"]
        assert len(item["escapeRows"]) == item["escapes"]["total"]

    def test_a_feature_says_what_a_run_showed_and_what_is_only_known(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run_command(["explain", "R23", "-o", "json"]) == 0
        (table,) = json.loads(capsys.readouterr().out)["tables"]
        sure = {row["family"]: row["how_sure"] for row in table["rows"]}
        assert sure["gvisor"].startswith("tested 2026-")
        assert (sure["kata"], sure["nitro"]) == ("inferred", "")

    def test_a_feature_that_no_run_can_show_says_why(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run_command(["explain", "R11", "-o", "json"]) == 0
        assert json.loads(capsys.readouterr().out)["facts"]["No run of ours"] == "needs an NVIDIA card"

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("CM101", "rule CM101"),
            ("cve-2022-0847", "escape CVE-2022-0847"),
            ("gvisor", "runtime gvisor"),
            ("runsc", "runtime gvisor"),
            ("R1", "feature R1"),
        ],
    )
    def test_rows_of_the_catalogue_are_explained(
        self, name: str, said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run_command(["explain", name]) == 0
        shown = capsys.readouterr().out
        assert shown.startswith(f"{said}\n")
        assert "Certainty" in shown

    def test_a_rule_with_inputs_names_the_workloads(self, capsys: pytest.CaptureFixture[str]) -> None:
        run_command(["explain", "CM101", "."])
        assert "Deployment ci/runner" in capsys.readouterr().out

    def test_a_name_that_nothing_has_gets_a_near_one(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run_command(["explain", "runer"]) == 2
        assert "did you mean runner" in capsys.readouterr().err

    def test_a_name_of_two_workloads_lists_both(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (folder / "other.yaml").write_text(RUNNER.replace("namespace: ci", "namespace: other"))
        assert run_command(["explain", "runner"]) == 2
        told = capsys.readouterr().err
        assert "Deployment ci/runner" in told
        assert "Deployment other/runner" in told
