import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from casemate.engine.cri import spdy


def test_a_stream_opens_as_spdy_3_says() -> None:
    frame = spdy.open_stream(5, b"headers")
    assert frame.hex(" ", -4) == "80030001 00000011 00000005 00000000 00006865 61646572 73"


def test_headers_of_one_connection_are_one_zlib_stream() -> None:
    block = spdy.HeaderBlock()
    first, second = block.encode({"streamtype": "stdin"}), block.encode({"streamtype": "stdout"})
    inflate = zlib.decompressobj()
    assert inflate.decompress(first) == b"\0\0\0\1\0\0\0\nstreamtype\0\0\0\5stdin"
    assert inflate.decompress(second).endswith(b"\0\0\0\6stdout")


@given(st.integers(1, 2**31 - 1), st.binary(max_size=5000), st.booleans())
def test_data_frames_read_back(stream: int, payload: bytes, last: bool) -> None:
    frame = spdy.data(stream, payload, last=last)
    assert spdy.parse(frame[:8], frame[8:]) == spdy.Data(stream, payload, last)


@pytest.mark.parametrize(
    ("frame", "meaning"),
    [
        ("80030003 00000008 00000003 00000005", spdy.End(3)),
        ("80030002 01000004 00000007", spdy.End(7)),
        ("80030002 00000004 00000007", spdy.Other(2)),
        ("80030006 00000004 00000002", spdy.Ping(2)),
        ("80030007 00000008 00000000 00000000", spdy.GoAway()),
        ("80030004 00000004 00000000", spdy.Other(4)),
        ("80030063 00000000", spdy.Other(99)),
    ],
)
def test_control_frames_are_told_apart(frame: str, meaning: spdy.Frame) -> None:
    raw = bytes.fromhex(frame)
    assert spdy.parse(raw[:8], raw[8:]) == meaning


@given(st.binary(min_size=8, max_size=8), st.binary(max_size=64))
def test_no_bytes_from_a_server_make_the_parser_fail(head: bytes, payload: bytes) -> None:
    spdy.parse(head, payload)


def test_a_ping_is_answered_with_its_number() -> None:
    assert spdy.pong(spdy.Ping(6)) == bytes.fromhex("80030006 00000004 00000006")
