"""Reading lists page by page: what a busy, failing, slow or forgetful server does to it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from casemate.errors import IncompleteError, InputError

pytest.importorskip("httpx")

from casemate.sources.cluster_access import Access
from casemate.sources.cluster_client import Client, UnreadError


class Server(ThreadingHTTPServer):
    """Gives its answers in order: (status, body, seconds to wait, headers)."""

    answers: list[tuple[int, object, float, dict[str, str]]]
    asked: list[str]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.server.asked.append(self.path)
        status, body, seconds, headers = self.server.answers.pop(0)
        time.sleep(seconds)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), _Handler) as found:
        found.answers, found.asked = [], []
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def answer(
    server: Server, status: int, body: object, seconds: float = 0, headers: dict[str, str] | None = None
) -> None:
    server.answers.append((status, body, seconds, headers or {}))


def page(*items: str, more: str = "") -> dict[str, object]:
    return {"metadata": {"continue": more}, "items": list(items)}


def read(server: Server, seconds: float = 20) -> list[str]:
    found: list[str] = []
    with Client(Access(f"http://127.0.0.1:{server.server_address[1]}"), seconds) as client:
        for each in client.pages("/api/v1/pods", "status.phase!=Failed"):
            found += [json.loads(bytes(raw)) for raw in each]
    return found


def test_pages_follow_their_continue_tokens(server: Server) -> None:
    answer(server, 200, page("a", "b", more="x/+="))
    answer(server, 200, page("c"))
    assert read(server) == ["a", "b", "c"]
    assert server.asked == [
        "/api/v1/pods?limit=500&fieldSelector=status.phase%21%3DFailed",
        "/api/v1/pods?limit=500&fieldSelector=status.phase%21%3DFailed&continue=x%2F%2B%3D",
    ]


def test_a_list_may_have_null_for_items(server: Server) -> None:
    answer(server, 200, {"items": None})
    assert read(server) == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(server: Server, status: int) -> None:
    answer(server, status, {}, headers={"Retry-After": "0"})
    answer(server, 200, page("a"))
    assert read(server) == ["a"]


def test_a_server_that_goes_on_failing_is_not_asked_for_ever(server: Server) -> None:
    for _ in range(3):
        answer(server, 503, {"message": "no leader"}, headers={"Retry-After": "0"})
    with pytest.raises(UnreadError, match="no leader"):
        read(server)
    assert len(server.asked) == 3


def test_a_token_that_ran_out_is_replaced_by_the_servers_offer(server: Server) -> None:
    answer(server, 200, page("a", more="old"))
    answer(server, 410, {"message": "expired", "metadata": {"continue": "new"}})
    answer(server, 200, page("b"))
    assert read(server) == ["a", "b"]
    assert server.asked[-1].endswith("continue=new")


def test_a_token_that_ran_out_without_an_offer_is_said(server: Server) -> None:
    answer(server, 200, page("a", more="old"))
    answer(server, 410, {"message": "the continue parameter is too old"})
    with pytest.raises(UnreadError, match="too old"):
        read(server)


def test_what_is_done_with_an_answer_does_not_count_against_the_limit(server: Server) -> None:
    answer(server, 200, page("a", more="x"))
    answer(server, 200, page("b"))
    with Client(Access(f"http://127.0.0.1:{server.server_address[1]}"), 2) as client:
        pages = client.pages("/api/v1/pods")
        next(pages)
        time.sleep(2.1)
        assert [bytes(raw) for raw in next(pages)] == [b'"b"']


def test_one_time_limit_holds_for_all_requests(server: Server) -> None:
    for _ in range(9):
        answer(server, 200, page("a", more="x"), seconds=0.2)
    began = time.monotonic()
    with pytest.raises(UnreadError, match=r"time limit|no answer"):
        read(server, seconds=0.5)
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"<html>", b"[]", b'{"items": 7}', b"\xff", b'{"items": ["\xff"', b'{"metadata": {"continue": "\xca"}}'),
        pytest.param(b'{"items": ' + b"[" * 100_000, id="deep"),
    ],
)
def test_an_answer_that_is_no_list_is_said(server: Server, body: bytes) -> None:
    answer(server, 200, body)
    with pytest.raises(UnreadError, match="no list"):
        read(server)


@pytest.mark.parametrize("body", [b'{"message": "\xff"}', pytest.param(b'{"message": ' + b"[" * 100_000, id="deep")])
def test_a_refusal_that_cannot_be_read_is_still_one(server: Server, body: bytes) -> None:
    answer(server, 403, body)
    with pytest.raises(UnreadError, match="the server answered 403"):
        read(server)


def test_what_the_server_does_not_know_is_missing(server: Server) -> None:
    answer(server, 404, {"message": "not found"})
    with pytest.raises(UnreadError) as caught:
        read(server)
    assert caught.value.missing


def test_refused_credentials_end_it(server: Server) -> None:
    answer(server, 401, {"message": "Unauthorized"})
    with pytest.raises(InputError, match="credentials"):
        read(server)


def test_terminal_codes_from_a_server_are_shown_not_obeyed(server: Server) -> None:
    answer(server, 403, {"message": "\x1b[2Jforbidden"})
    with pytest.raises(UnreadError) as caught:
        read(server)
    assert "\x1b" not in caught.value.reason


def test_a_server_that_is_not_there_is_incomplete() -> None:
    with Client(Access("http://127.0.0.1:1"), 5) as client, pytest.raises(IncompleteError, match="cannot reach"):
        client.check()


@pytest.mark.parametrize("address", ["nonsense", "ftp://a", "https://a:b:c", ""])
def test_an_address_that_is_none_is_said(address: str) -> None:
    with pytest.raises((InputError, IncompleteError)), Client(Access(address), 5) as client:
        client.check()


def test_a_certificate_that_is_none_is_said() -> None:
    with pytest.raises(InputError, match="certificate"):
        Client(Access("https://127.0.0.1:1", certificate=b"no PEM", key=b""), 5)
