"""Read lists from a Kubernetes API page by page, within a time limit.

1. A list is read in pages of 500, each decoded only as far as its items' bytes: memory holds one page.
2. A server that is busy (429) or failing (5xx) is asked again, twice, after the time that it names.
3. A continue token that ran out (410) is replaced by the one that the server offers for the rest, which may then be
   newer than what was read before. What it cannot offer is missing, and said to be.
4. One time limit holds for all requests together.
5. A certificate is checked for the kubeconfig's `tls-server-name` where it gives one, else for the server's address.
"""

from __future__ import annotations

import ssl
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self, TypedDict
from urllib.parse import urlencode

import msgspec

from casemate.errors import IncompleteError, InputError, MissingError
from casemate.sources.cluster_access import Access
from casemate.sources.problems import printable

try:
    import httpx
except ImportError:
    raise MissingError("reading a cluster needs httpx", fix="python -m pip install 'casemate[cluster]'") from None

if TYPE_CHECKING:
    import socket

PAGE: Final = 500
_TRIES: Final = 3
_LONGEST_WAIT: Final = 10.0
_LONGEST_REQUEST: Final = 60.0
_UNDECODABLE: Final = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


class _ListMeta(msgspec.Struct):
    more: str = msgspec.field(default="", name="continue")


class _Page(msgspec.Struct):
    items: list[msgspec.Raw] | None = None
    metadata: _ListMeta = msgspec.field(default_factory=_ListMeta)


class _Status(msgspec.Struct):
    message: str = ""
    metadata: _ListMeta = msgspec.field(default_factory=_ListMeta)


class UnreadError(Exception):
    """A list could not be read to its end. `missing` tells that the server does not know such objects at all."""

    def __init__(self, reason: str, *, missing: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.missing = missing


class Credentials(TypedDict):
    """How httpx's clients, the waiting one and the asynchronous one, reach a server as somebody."""

    base_url: str
    headers: list[tuple[str, str]]
    auth: tuple[str, str] | None
    verify: ssl.SSLContext
    proxy: str | None
    trust_env: bool


def credentials(access: Access) -> Credentials:
    """What a client takes to be those credentials' owner. Raises `InputError` for a certificate that is unusable."""
    headers = [("Accept", "application/json"), ("User-Agent", "casemate"), *access.headers.items()]
    return Credentials(
        base_url=access.server,
        headers=headers + [("Impersonate-Group", each) for each in access.groups],
        auth=access.password,
        verify=_tls_context(access),
        proxy=access.proxy or None,
        trust_env=not access.proxy,
    )


def connection(access: Access) -> httpx.Client:
    """A connection as those credentials' owner, to be closed. Raises `InputError` for what cannot be used."""
    try:
        return httpx.Client(**credentials(access))
    except (httpx.InvalidURL, ValueError) as error:
        raise unusable(access, error) from None


def unusable(access: Access, error: Exception) -> InputError:
    """An address that no client takes."""
    return InputError(f"cannot use the cluster's address: {error}", where=access.server)


class Client:
    """A connection to one API server, to be closed. It waits so many seconds for all its answers together."""

    def __init__(self, access: Access, seconds: float) -> None:
        self._limit = seconds
        self._left = seconds
        self._server = access.server
        self._http = connection(access)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def check(self) -> None:
        """Raise `IncompleteError` when the server is out of reach, `InputError` when it does not know us."""
        try:
            self._get("/version")
        except UnreadError as error:
            fix = "check the server's address, and that it runs"
            raise IncompleteError(f"cannot reach the cluster: {error.reason}", where=self._server, fix=fix) from None

    def pages(self, path: str, selector: str = "") -> Iterator[list[msgspec.Raw]]:
        """The items of a list, page by page, each as JSON. Raises `UnreadError` where it ends too early."""
        query = {"limit": str(PAGE)} | ({"fieldSelector": selector} if selector else {})
        more = ""
        while True:
            answer = self._get(f"{path}?{urlencode(query | ({'continue': more} if more else {}))}")
            page = _decoded(answer)
            yield page.items or []
            more = page.metadata.more
            if not more:
                return

    def _get(self, path: str) -> bytes:
        for left in reversed(range(_TRIES)):
            answer = self._ask(path, last=not left)
            if answer is None:
                continue
            if answer.status_code == httpx.codes.GONE and (rest := _status(answer).metadata.more):
                return msgspec.json.encode({"items": [], "metadata": {"continue": rest}})
            if answer.is_success:
                return answer.content
            if not left or not _is_passing(answer.status_code):
                break
            self._wait(answer.headers.get("Retry-After", ""))
        assert answer is not None  # The last try raises rather than giving nothing.
        raise self._refused(answer)

    def _ask(self, path: str, *, last: bool) -> httpx.Response | None:
        """The answer to one request, or None when the connection broke and there is another try."""
        if self._left <= 0:
            raise UnreadError(f"the time limit of {self._limit:g} s passed")
        timeout = min(self._left, _LONGEST_REQUEST)
        try:
            with self._waiting():
                return self._http.get(path, timeout=timeout)
        except httpx.TimeoutException:
            raise UnreadError(f"no answer within {timeout:.0f} s") from None
        except httpx.HTTPError as error:
            if last or isinstance(error, httpx.ConnectError):
                raise UnreadError(printable(str(error)) or type(error).__name__) from None
            return None

    def _wait(self, asked: str) -> None:
        seconds = float(asked) if asked.isdecimal() else 1.0
        with self._waiting():
            time.sleep(max(0.0, min(seconds, _LONGEST_WAIT, self._left)))

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """Only this counts: what is done with the answers may take as long as it takes."""
        began = time.monotonic()
        try:
            yield
        finally:
            self._left -= time.monotonic() - began

    def _refused(self, answer: httpx.Response) -> Exception:
        message = printable(_status(answer).message) or f"the server answered {answer.status_code}"
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            return InputError(f"the cluster refuses the credentials: {message}", where=self._server, fix="log in again")
        return UnreadError(message, missing=answer.status_code == httpx.codes.NOT_FOUND)


def _is_passing(status: int) -> bool:
    return status == httpx.codes.TOO_MANY_REQUESTS or status >= httpx.codes.INTERNAL_SERVER_ERROR


def _decoded(answer: bytes) -> _Page:
    try:
        return msgspec.json.decode(answer, type=_Page)
    except _UNDECODABLE:
        raise UnreadError("the server's answer is no list of objects") from None


def _status(answer: httpx.Response) -> _Status:
    try:
        return msgspec.json.decode(answer.content, type=_Status)
    except _UNDECODABLE:
        return _Status()


class _NamedServer(ssl.SSLContext):
    """Asks for a certificate with this name, and checks it for that, whatever address is called.

    Here rather than in each request: httpx leaves out a request's `sni_hostname` behind an HTTP proxy.
    """

    server_name: str

    def wrap_socket(
        self,
        sock: socket.socket,
        server_side: bool = False,
        do_handshake_on_connect: bool = True,
        suppress_ragged_eofs: bool = True,
        server_hostname: str | bytes | None = None,  # noqa: ARG002 - the other name counts
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLSocket:
        return super().wrap_socket(
            sock, server_side, do_handshake_on_connect, suppress_ragged_eofs, self.server_name, session
        )

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,  # noqa: ARG002 - the other name counts
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        return super().wrap_bio(incoming, outgoing, server_side, self.server_name, session)


def _tls_context(access: Access) -> ssl.SSLContext:
    """How the cluster's certificate is checked, and ours is shown. Raises `InputError` for one that is unusable."""
    try:
        authority = access.authority.decode() if access.authority else None
        named = access.server_name
        context = _named_server(named, authority) if named else ssl.create_default_context(cadata=authority)
        if access.insecure:  # The kubeconfig's owner asked for it: insecure-skip-tls-verify.
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if access.certificate:
            _load(context, access)
    except (ssl.SSLError, ValueError, OSError) as error:
        raise InputError(f"a certificate of the kubeconfig is unusable: {error}", fix="write it again") from None
    return context


def _named_server(name: str, authority: str | None) -> ssl.SSLContext:
    """As `ssl.create_default_context` makes one, which makes no other kind."""
    context = _NamedServer(ssl.PROTOCOL_TLS_CLIENT)
    context.server_name = name
    if sys.version_info >= (3, 13):
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    if authority:
        context.load_verify_locations(cadata=authority)
    else:
        context.load_default_certs()
    return context


def _load(context: ssl.SSLContext, access: Access) -> None:
    """Give the context its certificate, which OpenSSL takes from a file only: one that nobody else can read."""
    with tempfile.TemporaryDirectory(prefix="casemate-") as folder:
        file = Path(folder, "certificate.pem")
        file.touch(mode=0o600)
        file.write_bytes(access.certificate + b"\n" + access.key)
        context.load_cert_chain(file)
