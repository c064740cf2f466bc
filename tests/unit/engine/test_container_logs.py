import asyncio
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casemate.engine import logs
from casemate.errors import InputError

T = "2026-11-21T08:00:00.123456789Z"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (f"{T} stdout F hello\n", b"hello\n"),
        (f"{T} stderr F two words\n", b"two words\n"),
        (f"{T} stdout F \n", b"\n"),
        (f"{T} stdout F   indented\n", b"  indented\n"),
        (f"{T} stdout P part\n", b"part"),
        (f"{T} stdout P:tag part\n", b"part"),
        ("not in the format\n", b"not in the format\n"),
        ("\n", b"\n"),
    ],
)
def test_an_entry_is_shown_as_it_was_written(line: str, shown: bytes) -> None:
    assert logs.parse(line.encode()).render(timestamp=False) == shown


def test_a_timestamp_comes_first() -> None:
    assert logs.parse(f"{T} stdout F x\n".encode()).render(timestamp=True) == f"{T} x\n".encode()


@given(st.lists(st.binary(max_size=300).map(lambda raw: raw.replace(b"\n", b"")), max_size=300), st.integers(0, 400))
def test_tail_begins_that_many_entries_before_the_end(lines: list[bytes], count: int) -> None:
    raw = b"".join(line + b"\n" for line in lines)
    start = logs.tail_start(io.BytesIO(raw), count)
    assert raw[start:] == b"".join(line + b"\n" for line in lines[max(0, len(lines) - count) :])


def test_tail_reads_backwards_over_many_blocks() -> None:
    raw = b"".join(b"%d %s\n" % (number, b"x" * 1000) for number in range(1000))
    assert raw[logs.tail_start(io.BytesIO(raw), 500) :].startswith(b"500 ")


async def collect(path: Path, **options: object) -> bytes:
    return b"".join([entry.render(timestamp=False) async for entry in logs.read(path, **options)])  # type: ignore[arg-type]


def test_following_reads_what_comes_until_the_container_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_text(f"{T} stdout F one\n{T} stdout F tw")
    more = iter(["o\n", f"{T} stdout F three\n"])

    async def running() -> bool:
        text = next(more, "")
        with path.open("a") as log:
            log.write(text or f"{T} stdout F last words\n")
        return bool(text)

    assert asyncio.run(collect(path, running=running)) == b"one\ntwo\nthree\nlast words\n"


def test_a_log_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the container's log"):
        asyncio.run(collect(tmp_path / "none.log"))
