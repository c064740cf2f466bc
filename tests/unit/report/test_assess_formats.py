"""What each format of an assessment says, and that nothing which a stranger wrote gets out of its place in it."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from assessed import ACCEPTED, GAP, NO_SECCOMP, PRIVILEGED, UNUSED, assessed, assessment, fine, workload
from msgspec.structs import replace
from sarif_rules import problems

from casemate.model.assessment import Assessed, Relevance
from casemate.model.boundary import Boundary
from casemate.model.fingerprint import fingerprints
from casemate.report import assess_html, assess_json, assess_sarif
from casemate.report.assess_document import Assessment, FailOn
from casemate.report.assess_flat import assessment_csv, assessment_markdown
from casemate.report.assess_junit import junit
from casemate.report.assess_policyreport import open_reports, policy_reports
from casemate.report.assess_table import table, wide

TEXTS = {
    "escape-sequence": "web\x1b]0;owned\x07\x1b[2J",
    "right-to-left": "web\u202egnp.exe",
    "new-lines": "web\n✓ ok  all is well\r\n## heading",
    "markup": '"><script>alert(1)</script><img src=x onerror=alert(1)>',
    "formula": '=cmd|"/c calc"!A0',
    "markdown": "`x` | [link](http://evil) @octocat #1 ![](http://evil/p.png) www.evil.example ]]>",
    "no character": "a\x00b\ufffe\ud800c",
    "tags": "a\U000e0041\U000e0042",
}


def assessment_html(shown: Assessment) -> str:
    return "".join(assess_html.assessment_html(shown))


def assessment_json(shown: Assessment) -> str:
    return "".join(assess_json.assessment_json(shown))


def sarif(shown: Assessment) -> str:
    return "".join(assess_sarif.sarif(shown))


RENDERERS: dict[str, Callable[[Assessment], str]] = {
    "table": table,
    "wide": wide,
    "json": assessment_json,
    "sarif": sarif,
    "junit": junit,
    "html": assessment_html,
    "markdown": assessment_markdown,
    "csv": assessment_csv,
    "policyreport": policy_reports,
    "openreports": open_reports,
}


def hostile(text: str) -> Assessment:
    """The text wherever a manifest's author can put one."""
    subject = workload(text, namespace=text, file=f"{text}.yaml".replace("\x00", ""))
    accepted = replace(ACCEPTED, rule="CM101", reason=text, owner=text)
    finding = replace(PRIVILEGED, message=text, path=text, fix=text)
    item = assessed(subject=subject, findings=(finding,), sentence=text, suppressions=(accepted,))
    item = replace(item, has=replace(item.has, class_name=text, handler=text))
    return assessment(item, missed=(text,), exceptions=(replace(UNUSED, scope=text, where=text),))


def encodable(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("name", ["table", "wide", "csv", "markdown", "html", "junit"])
def test_no_character_acts_or_hides_in_what_a_person_reads(name: str, text: str) -> None:
    shown = RENDERERS[name](hostile(text))
    assert not re.search(
        "[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\ud800-\udfff\U000e0041]", shown
    )


@pytest.mark.parametrize("text", [TEXTS["escape-sequence"], TEXTS["right-to-left"], TEXTS["markup"], TEXTS["tags"]])
@pytest.mark.parametrize("name", ["json", "sarif", "policyreport", "openreports"])
def test_json_formats_stay_json(name: str, text: str) -> None:
    assert json.loads(RENDERERS[name](hostile(text)))


@pytest.mark.parametrize("name", RENDERERS)
def test_nothing_at_all_is_a_report_too(name: str) -> None:
    assert RENDERERS[name](assessment())


class TestTable:
    def test_what_failed_comes_first_with_the_sentence_that_says_what_to_do(self) -> None:
        lines = table(assessment(fine(), assessed())).splitlines()
        assert lines[1].split() == ["✗", "gap", "sandbox", "shared", "1", "Deployment", "shop/resizer"]
        assert lines[2].strip() == "Set runtimeClassName: gvisor; it parses images that strangers send."
        assert lines[4].split() == ["✓", "ok", "shared", "hardened", "-", "Deployment", "shop/web"]

    def test_it_fits_into_80_columns(self) -> None:
        shown = table(assessment(fine(), assessed(sentence="word " * 100), missed=("x " * 100,), exceptions=(UNUSED,)))
        assert max(len(line) for line in shown.splitlines()) <= 80

    def test_a_name_is_never_cut(self) -> None:
        name = "n" * 253
        assert name in table(assessment(assessed(name)))

    def test_the_last_line_is_the_command_that_explains_the_worst(self) -> None:
        last = table(assessment(assessed("it's"), fine())).splitlines()[-1]
        assert last == """Next: casemate explain 'Deployment/shop/it'"'"'s' manifests"""

    def test_an_accepted_gap_says_by_whom_and_until_when(self) -> None:
        shown = table(assessment(assessed(suppressions=(ACCEPTED,))))
        assert "! accepted" in shown
        assert "Accepted by team-media until 2027-03-31: moves to Kata in Q1" in shown

    def test_colour_only_repeats_words(self) -> None:
        plain, coloured = (table(assessment(assessed(), fine()), colour=colour) for colour in (False, True))
        assert "\x1b[" not in plain
        assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain

    def test_stale_exceptions_and_what_was_missed_are_told(self) -> None:
        shown = table(assessment(fine(), exceptions=(UNUSED,), missed=("broken.yaml:3: not YAML",)))
        assert "Exceptions to remove: unused: exceptions.yaml:9 (CM104)." in shown
        assert "Not looked at: broken.yaml:3: not YAML" in shown

    def test_wide_is_one_line_for_each_workload(self) -> None:
        lines = wide(assessment(assessed(), fine())).splitlines()
        assert len(lines) == 3
        assert "1→2/3" in lines[1]


class TestJson:
    def test_an_item_has_what_the_interface_promises(self) -> None:
        document = json.loads(assessment_json(assessment(assessed())))
        assert (document["apiVersion"], document["kind"]) == ("casemate.dev/v1alpha1", "Assessment")
        (item,) = document["items"]
        assert {"workload", "need", "has", "gap", "recommendation", "blockers", "findings", "escapes"} <= item.keys()
        assert item["workload"] == {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "namespace": "shop",
            "name": "resizer",
            "source": {"file": "manifests/shop.yaml", "line": 12, "column": 1},
        }
        assert item["need"]["boundary"] == "sandbox"
        assert [each["points"] for each in item["need"]["reasons"]] == [20, 25]
        assert (item["has"]["class"], item["has"]["state"]) == ("", "declared")
        assert item["gap"] is True
        assert item["recommendation"]["cost"]["memoryBytes"] == 20 * 1024 * 1024
        assert item["escapes"] == {"now": 1, "after": 2, "total": 3}

    def test_findings_carry_the_fingerprints_of_a_later_baseline(self) -> None:
        (item,) = json.loads(assessment_json(assessment(assessed())))["items"]
        assert tuple(each["fingerprint"] for each in item["findings"]) == fingerprints(assessed())

    def test_a_live_object_is_named_by_its_uid(self) -> None:
        (item,) = json.loads(assessment_json(assessment(assessed(subject=workload(file="")))))["items"]
        assert list(item["workload"]["source"]) == ["uid"]


class TestSarif:
    @pytest.mark.parametrize("text", [each for name, each in TEXTS.items() if name != "no character"])
    def test_it_keeps_the_standards_rules_whatever_the_manifests_say(self, text: str) -> None:
        assert problems(json.loads(sarif(hostile(text)))) == []

    def results(self, *items: Assessed, **changes: object) -> list[dict[str, object]]:
        document = json.loads(sarif(assessment(*items, **changes)))  # type: ignore[arg-type]
        assert problems(document) == []
        results: list[dict[str, object]] = document["runs"][0]["results"]
        return results

    def test_only_what_fails_or_weakens_is_a_result(self) -> None:
        reduced = replace(PRIVILEGED, relevance=Relevance.REDUCED)
        results = self.results(assessed(findings=(PRIVILEGED, reduced, NO_SECCOMP)), fine())
        assert [(each["ruleId"], each["level"]) for each in results] == [
            ("CM001", "error"),
            ("CM101", "warning"),
            ("CM101", "note"),
        ]

    def test_an_accepted_gap_is_suppressed_with_its_justification(self) -> None:
        (result,) = self.results(assessed(findings=(), suppressions=(ACCEPTED,)))
        assert result["suppressions"] == [
            {
                "kind": "external",
                "status": "accepted",
                "justification": "moves to Kata in Q1 (accepted by team-media until 2027-03-31)",
            }
        ]

    def test_fingerprints_stay_when_lines_move(self) -> None:
        moved = assessed(findings=(replace(PRIVILEGED, line=40),))
        prints = [
            [each["partialFingerprints"] for each in self.results(item)]
            for item in (assessed(findings=(PRIVILEGED,)), moved)
        ]
        assert prints[0] == prints[1]

    def test_the_place_is_the_fields_or_else_the_objects(self) -> None:
        gap, privileged = self.results(assessed(findings=(PRIVILEGED,)))
        places = [each["locations"][0]["physicalLocation"]["region"] for each in (gap, privileged)]  # type: ignore[index]
        assert places == [{"startLine": 12, "startColumn": 1}, {"startLine": 17, "startColumn": 13}]

    @pytest.mark.parametrize(
        ("file", "uri"),
        [
            ("./a b/c#.yaml", "a%20b/c%23.yaml"),
            ("/srv/é.yaml", "file:///srv/%C3%A9.yaml"),
            ("c:x.yaml", "c%3Ax.yaml"),
        ],
    )
    def test_files_are_uris(self, file: str, uri: str) -> None:
        (result,) = self.results(assessed(findings=(), subject=workload(file=file)))
        assert result["locations"][0]["physicalLocation"]["artifactLocation"] == {"uri": uri}  # type: ignore[index]

    @pytest.mark.parametrize("file", ["", "-", "<stdin>"])
    def test_what_is_in_no_file_has_a_logical_place_only(self, file: str) -> None:
        (result,) = self.results(assessed(findings=(), subject=workload(file=file)))
        assert list(result["locations"][0]) == ["logicalLocations"]  # type: ignore[index]

    def test_a_baseline_says_what_is_new(self) -> None:
        known = frozenset(fingerprints(assessed(findings=())))
        results = self.results(assessed(findings=(PRIVILEGED,)), baseline=known)
        assert [each["baselineState"] for each in results] == ["unchanged", "new"]

    def test_what_was_not_looked_at_makes_the_run_unsuccessful(self) -> None:
        (run,) = json.loads(sarif(assessment(missed=("namespace b: forbidden",))))["runs"]
        (invocation,) = run["invocations"]
        assert invocation["executionSuccessful"] is False
        assert "namespace b" in invocation["toolExecutionNotifications"][0]["message"]["text"]


class TestJunit:
    def test_cases_fail_when_the_assessment_does(self) -> None:
        shown = assessment(assessed(), fine(), assessed("old", suppressions=(ACCEPTED,)), missed=("x",))
        root = ET.fromstring(junit(shown))
        assert {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
            "tests": "4",
            "failures": "1",
            "errors": "1",
            "skipped": "1",
        }
        assert [each.get("name") for each in root.iter("testcase") if each.find("failure") is not None] == [
            "Deployment shop/resizer"
        ]

    def test_never_fails_no_case(self) -> None:
        assert ET.fromstring(junit(assessment(assessed(), fail_on=FailOn.NEVER))).get("failures") == "0"

    @pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
    def test_it_stays_well_formed(self, text: str) -> None:
        assert ET.fromstring(junit(hostile(text))).tag == "testsuites"


class _Page(HTMLParser):
    """Tags, ids and links of a page, and whether its tags close in order."""

    VOID = frozenset({"meta", "br", "wbr", "img", "link", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        assert not any(name.startswith("on") or name == "style" for name, _ in attrs)
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag


class TestHtml:
    PAGE = assessment(
        assessed(), fine(), assessed("old", suppressions=(ACCEPTED,)), exceptions=(UNUSED,), missed=("x",)
    )

    @pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
    def test_a_manifest_cannot_add_markup(self, text: str) -> None:
        tags, plain = (
            [tag for tag in _Page(assessment_html(hostile(each))).tags if tag != "wbr"] for each in (text, "plain")
        )
        assert tags == plain

    def test_it_needs_no_script_and_nothing_from_elsewhere(self) -> None:
        page = _Page(assessment_html(self.PAGE))
        assert not {"script", "link", "img", "iframe", "object", "form"} & set(page.tags)
        assert all(link.startswith(("#", "https://nvd.nist.gov/")) for link in page.links)

    def test_every_link_within_the_page_leads_somewhere_once(self) -> None:
        page = _Page(assessment_html(self.PAGE))
        assert len(page.ids) == len(set(page.ids))
        assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)

    def test_the_policy_allows_the_pages_own_style_alone(self) -> None:
        import base64
        import hashlib

        page = assessment_html(self.PAGE)
        (style,) = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert f"style-src &#x27;sha256-{digest}&#x27;" in page
        assert "default-src &#x27;none&#x27;" in page

    def test_the_matrix_counts_and_links_to_the_workloads_of_each_cell(self) -> None:
        page = assessment_html(assessment(assessed("a"), assessed("b"), fine()))
        assert re.search(
            r'<td class="gap"><a href="#needs-sandbox-has-shared">.*?2<span class="hidden"> below need', page
        )
        assert re.search(r'<td class="ok"><a href="#needs-shared-has-hardened">.*?1<span class="hidden"> enough', page)

    def test_every_table_has_a_caption_and_headers(self) -> None:
        page = assessment_html(self.PAGE)
        assert page.count("<table") == page.count("<caption>")
        assert all("scope=" in head for head in re.findall(r"<th[ >][^>]*", page))

    def test_a_catalogues_link_that_is_no_https_is_text(self) -> None:
        from casemate.report.assess_document import EscapeText

        bad = EscapeText("CVE-2022-0847", "x", "javascript:alert(1)")
        page = assessment(assessed())
        shown = Assessment(page.entries, escapes={"CVE-2022-0847": bad})
        assert "javascript:" not in assessment_html(shown)


class TestMarkdown:
    def test_what_is_as_it_should_be_is_a_number_only(self) -> None:
        shown = assessment_markdown(assessment(assessed(), fine("quiet")))
        assert "2 workloads: 1 below what they need, 1 ok." in shown
        assert "quiet" not in shown

    def test_nobody_is_mentioned_and_nothing_linked(self) -> None:
        shown = assessment_markdown(hostile(TEXTS["markdown"]))
        # Markdown is not read within a line of HTML.
        shown = re.sub(r"<summary>.*</summary>", "", shown)
        outside = re.sub(r"(`+)(?!`).*?(?<!`)\1(?!`)", "", shown)
        assert "@octocat" not in outside
        assert "www.evil" not in outside
        assert "](http" not in outside.replace("\\]", "").replace("\\(", "")

    def test_a_table_row_stays_one_row_of_five_cells(self) -> None:
        (row,) = (
            line for line in assessment_markdown(hostile(TEXTS["markdown"])).splitlines() if line.startswith("| ✗")
        )
        assert len(re.findall(r"(?<!\\)\|", row)) == 6

    def test_a_long_list_is_cut_with_its_number(self) -> None:
        shown = assessment_markdown(assessment(*(assessed(f"w{number}") for number in range(150))))
        assert "50 more are left out here." in shown


class TestCsv:
    @pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\uff1d1"])
    def test_no_cell_is_a_formula(self, text: str) -> None:
        header, row = csv.reader(io.StringIO(assessment_csv(hostile(text))))
        assert len(header) == len(row)
        assert not any(each.lstrip().startswith(("=", "+", "-", "@", "\uff1d")) for each in row)

    def test_numbers_stay_numbers(self) -> None:
        (row,) = csv.DictReader(io.StringIO(assessment_csv(assessment(assessed()))))
        assert (row["score"], row["memory_bytes"], row["escapes_after"]) == ("45", str(20 * 1024 * 1024), "2")


class TestPolicyReport:
    def reports(self, *items: Assessed) -> list[dict[str, object]]:
        document = json.loads(policy_reports(assessment(*items)))
        assert (document["apiVersion"], document["kind"]) == ("v1", "List")
        reports: list[dict[str, object]] = document["items"]
        return reports

    def test_its_size_does_not_grow_with_the_workloads(self) -> None:
        few, many = (self.reports(*(assessed(f"w{each:05}") for each in range(count))) for count in (20, 2000))
        assert len(json.dumps(many)) - len(json.dumps(few)) < 100

    def test_there_is_one_for_each_namespace_and_one_result_for_each_rule(self) -> None:
        other = assessed(subject=workload(namespace="media"))
        media, shop = self.reports(assessed(), assessed("b"), other)
        assert [each["metadata"]["namespace"] for each in (media, shop)] == ["media", "shop"]  # type: ignore[index]
        told = [(each["rule"], each["result"], each["properties"]["failed"]) for each in shop["results"]]  # type: ignore[attr-defined]
        assert told == [("CM001", "fail", "2"), ("CM101", "fail", "2")]
        assert shop["summary"] == {"pass": 0, "fail": 2, "warn": 0, "error": 0, "skip": 0}

    def test_an_accepted_gap_is_skipped_and_none_passes(self) -> None:
        (accepted,) = self.reports(assessed(findings=(), suppressions=(ACCEPTED,)))
        (passed,) = self.reports(fine())
        assert [each["results"][0]["result"] for each in (accepted, passed)] == ["skip", "pass"]  # type: ignore[index]

    def test_properties_are_texts_and_values_the_ones_of_the_resource(self) -> None:
        (report,) = self.reports(assessed())
        for result in report["results"]:  # type: ignore[attr-defined]
            assert all(isinstance(each, str) for each in result["properties"].values())
            assert result["result"] in ("pass", "fail", "warn", "error", "skip")
            assert result["severity"] in ("high", "medium", "low")


def test_an_unknown_boundary_is_a_gap_everywhere() -> None:
    item = assessed(has=Boundary.UNKNOWN, need=Boundary.SHARED, findings=())
    assert item.findings == (GAP,)
    assert assessment(item).failed


def test_open_reports_have_the_results_of_policy_reports_in_objects_of_their_own() -> None:
    shown = assessment(assessed(), fine())
    (old,), (new,) = (json.loads(each(shown))["items"] for each in (policy_reports, open_reports))
    assert (old["apiVersion"], old["kind"]) == ("wgpolicyk8s.io/v1alpha2", "PolicyReport")
    assert (new["apiVersion"], new["kind"], new["source"]) == ("openreports.io/v1alpha1", "Report", "casemate")
    assert (new["results"], new["summary"], new["scope"]) == (old["results"], old["summary"], old["scope"])
