"""What strangers named is shown on a terminal, and not obeyed by it."""

from __future__ import annotations

import io

import pytest

from casemate.report.screen import Screen, columns


def printed(text: str, *, in_table: bool) -> str:
    out = io.StringIO()
    table = columns("NAME")
    table.add_row(text)
    Screen(out).print(table if in_table else text)
    return out.getvalue().removeprefix("NAME").strip()


@pytest.mark.parametrize("in_table", [True, False])
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/bin/\x1b[2J\x1b]0;safe\x07sh", r"/bin/\x1b[2J\x1b]0;safe\x07sh"),
        ("\u202eneverp", r"\u202eneverp"),
        ("[bold]red[/]", "[bold]red[/]"),
        ("[/nothing]", "[/nothing]"),
        ("sha256:bug:ab", "sha256:bug:ab"),
        ("two\nlines", "two\nlines"),
    ],
)
def test_a_name_is_shown_as_it_is_written(text: str, shown: str, in_table: bool) -> None:
    assert [line.strip() for line in printed(text, in_table=in_table).splitlines()] == shown.splitlines()


def test_elsewhere_than_on_a_terminal_a_long_line_stays_one() -> None:
    assert printed("x" * 200, in_table=True) == "x" * 200
