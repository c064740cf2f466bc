"""The server's side of TLS: a context whose certificate is exchanged while it serves.

1. TLS 1.2 at least, as the API server's client speaks; ciphers are OpenSSL's defaults.
2. A new certificate takes the old one's place in the same context: handshakes from then on show it, connections that
   stand stay as they are. It is tried in a context of its own first, for a pair that does not match would break both.
3. With a CA for callers, nobody else gets through the handshake. A name is then looked for among the common name and
   the DNS names of the caller's certificate.
"""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from casemate.admission.published import Certificate
from casemate.admission.settings import Callers
from casemate.errors import InputError


def server_context(callers: Callers | None) -> ssl.SSLContext:
    """A context without a certificate yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if callers:
        try:
            context.load_verify_locations(callers.authority)
        except (OSError, ssl.SSLError) as error:
            raise InputError(f"cannot use the callers' CA: {error}", where=str(callers.authority)) from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def load(context: ssl.SSLContext, certificate: Certificate) -> None:
    """Show that certificate from now on. Raises `InputError` when certificate and key do not go together."""
    with tempfile.TemporaryDirectory(prefix="casemate-") as folder:
        file = Path(folder, "pair.pem")
        file.touch(mode=0o600)  # OpenSSL takes certificates from files only.
        file.write_bytes(certificate.chain + b"\n" + certificate.key)
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file)
            context.load_cert_chain(file)
        except (ssl.SSLError, OSError) as error:
            raise InputError(f"the certificate is unusable: {error}", fix="give the key that belongs to it") from None


def is_welcome(peer: Mapping[str, object] | None, names: tuple[str, ...]) -> bool:
    """Whether a caller with that certificate, as `ssl` describes it, may call."""
    return not names or (peer is not None and any(each in names for each in _names(peer)))


def _names(peer: Mapping[str, object]) -> Iterator[str]:
    subject, others = peer.get("subject"), peer.get("subjectAltName")
    for part in subject if isinstance(subject, tuple) else ():
        yield from (str(value) for key, value in part if key == "commonName")
    for key, value in others if isinstance(others, tuple) else ():
        if key == "DNS":
            yield str(value)
