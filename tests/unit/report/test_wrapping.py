from __future__ import annotations

import pytest
from rich.cells import cell_len

from casemate.report.wrapping import wrapped

PATH = "spec.template.spec.containers[0].securityContext.allowPrivilegeEscalation"


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("", 20, []),
        ("one two three", 8, ["one two", "three"]),
        ("may-be-root, non-root", 12, ["may-be-root,", "non-root"]),
        (PATH, 30, ["spec.template.spec.", "containers[0].securityContext.", "allowPrivilegeEscalation"]),
        ("at /var/lib/kubelet/pods", 12, ["at", "/var/lib/", "kubelet/pods"]),
        ("a=b,c=d", 4, ["a=b,", "c=d"]),
        ("x" * 25, 10, ["x" * 10, "x" * 10, "x" * 5]),
    ],
)
def test_lines_break_where_a_reader_would(text, width, lines):
    assert wrapped(text, width) == lines


@pytest.mark.parametrize("width", [24, 40, 60])
def test_no_line_is_wider_and_nothing_is_lost(width):
    text = f"it is 容器 at {PATH} → see https://example.com/a/very/long/path?query=1 and {'y' * 90}"
    lines = wrapped(text, width)
    assert max(map(cell_len, lines)) <= width
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
