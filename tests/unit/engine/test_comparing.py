"""Where trials differ, and what is no runtime's doing."""

from __future__ import annotations

import pytest

from casemate.engine.compare import compare, differs_in_output
from casemate.engine.refused_calls import killed, of_gvisor
from casemate.model.boundary import Boundary
from casemate.model.comparison import Ending, Trial


def trial(runtime: str = "runc", ending: Ending = Ending.ENDED, code: int = 0, **output: str) -> Trial:
    return Trial(
        runtime=runtime,
        handler=runtime,
        version="1",
        boundary=Boundary.SHARED,
        ending=ending,
        exit_codes={"web/main": code},
        output={f"web/main/{stream}": tuple(text.splitlines()) for stream, text in output.items()},
    )


DIFFERENCES = [
    (trial("gvisor", stdout="a\nb"), ()),
    (trial("gvisor", code=1, stdout="a\nb"), ("exit code",)),
    (trial("gvisor", Ending.TIMED_OUT, stdout="a\nb"), ("outcome",)),
    (trial("gvisor", stdout="a\nc"), ("output",)),
    (trial("gvisor", stdout="a"), ("output",)),
    (trial("gvisor", stdout="a\nb", stderr="oops"), ("output",)),
    (trial("gvisor", Ending.NOT_STARTED, code=128), ("outcome", "exit code")),
    (trial("gvisor", Ending.REFUSED), ("outcome",)),
]


@pytest.mark.parametrize(("other", "expected"), DIFFERENCES)
def test_what_differs_is_named(other: Trial, expected: tuple[str, ...]) -> None:
    comparison = compare([trial(stdout="a\nb"), other])
    assert comparison.items[1].differs == expected
    assert comparison.differ is bool(expected)


def test_the_first_line_that_differs_is_shown_with_its_number() -> None:
    comparison = compare([trial(stdout="a\nb\nc"), trial("gvisor", stdout="a\nx\ny")])
    (line,) = comparison.items[1].lines
    assert (line.container, line.stream, line.line, line.reference, line.found) == ("web/main", "stdout", 2, "b", "x")


def test_a_line_that_changes_under_the_reference_itself_does_not_count() -> None:
    first, again = trial(stdout="at 10:01\nok"), trial(stdout="at 10:02\nok")
    comparison = compare([first, trial("gvisor", stdout="at 10:03\nok")], again)
    assert not comparison.differ
    assert comparison.unsteady == ("web/main/stdout",)


def test_a_steady_line_beside_one_that_changes_counts() -> None:
    first, again = trial(stdout="at 10:01\nok"), trial(stdout="at 10:02\nok")
    comparison = compare([first, trial("gvisor", stdout="at 10:03\nfailed")], again)
    assert [each.line for each in comparison.items[1].lines] == [2]


def test_a_stream_of_another_length_each_time_is_not_compared() -> None:
    comparison = compare([trial(stdout="a\nb"), trial("gvisor", stdout="x")], trial(stdout="a"))
    assert not comparison.differ


def test_a_second_run_is_made_only_when_output_differs() -> None:
    assert differs_in_output([trial(stdout="a"), trial("gvisor", stdout="b")])
    assert not differs_in_output([trial(stdout="a"), trial("gvisor", code=1, stdout="a")])


def test_times_and_memory_make_no_difference() -> None:
    import msgspec

    slow = msgspec.structs.replace(trial("gvisor"), start_seconds=9.0, run_seconds=9.0, memory=1 << 30)
    assert not compare([trial(), slow]).differ


def test_gvisors_log_names_the_calls_that_its_kernel_lacks(tmp_path) -> None:
    line = '{"log":"compat.go:120] Unsupported syscall userfaultfd(0x0). It is likely that …","level":"info"}\n'
    (tmp_path / "gvisor.log").write_text(line * 2 + "garbage\xff\n")
    assert of_gvisor([tmp_path, tmp_path / "none"]) == ("userfaultfd",)


def test_sigsys_is_a_kill_by_seccomp() -> None:
    assert killed([0, 159])
    assert not killed([0, 137])
