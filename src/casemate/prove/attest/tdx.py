"""TDX quotes, version 4 (Intel, "TDX DCAP Quoting Library API", appendix 3; "TDX Module ABI", TDREPORT).

1. A quote is a header (48 bytes), the TD's report (584 bytes) and a signature over both (ECDSA P-256 over SHA-256) by
   an attestation key that lives in Intel's quoting enclave.
2. The enclave vouches for that key: its own report carries the hash of the key and of its data, and is signed by the
   platform's PCK key.
3. The PCK certificate chains to Intel's SGX root, which must be given.
4. Bit 0 of the TD's attributes lets the host debug the guest: its memory is then readable.
5. The measurement is MRTD, of the guest as it was built; what was loaded later is in RTMR 0 to 3.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from casemate.errors import InputError
from casemate.model.attestation import Attestation, Check, Expected
from casemate.prove.attest import chain
from casemate.prove.attest.compared import Claims, attestation
from casemate.prove.attest.signature import is_signed

_HEADER: Final = 48
_BODY: Final = 584
_SIGNED: Final = _HEADER + _BODY
_ECDSA_P256: Final = 2
_TDX: Final = 0x81
_INTEL: Final = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")
_QE_REPORT: Final = 384
_QE_DATA: Final = 320
_QE_CERTIFICATION: Final = 6
_PCK_CHAIN: Final = 5
_POINT: Final = 64
_DEBUG: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote(Claims):
    """The parts of a quote that are judged."""

    signed: bytes
    signature: bytes
    key: bytes
    enclave_report: bytes
    enclave_signature: bytes
    enclave_data: bytes
    pck: bytes


class _Cursor:
    """Bytes that are taken from the front; `InputError` when there are too few."""

    def __init__(self, rest: bytes) -> None:
        self.rest = rest

    def take(self, count: int) -> bytes:
        if count > len(self.rest):
            raise InputError("the TDX quote ends too early")
        taken, self.rest = self.rest[:count], self.rest[count:]
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")


def parse(evidence: bytes) -> Quote:
    """The quote in those bytes. Raises `InputError` when they are none."""
    cursor = _Cursor(evidence)
    header, body = cursor.take(_HEADER), cursor.take(_BODY)
    _check_header(header)
    signature_data = _Cursor(cursor.take(cursor.number(4)))
    signature, key = signature_data.take(_POINT), signature_data.take(_POINT)
    if signature_data.number(2) != _QE_CERTIFICATION:
        raise InputError("the TDX quote does not carry its enclave's report (certification data of type 6)")
    enclave = _Cursor(signature_data.take(signature_data.number(4)))
    report, enclave_signature = enclave.take(_QE_REPORT), enclave.take(_POINT)
    data = enclave.take(enclave.number(2))
    if enclave.number(2) != _PCK_CHAIN:
        raise InputError("the TDX quote does not carry its PCK certificates (certification data of type 5)")
    return Quote(
        signed=header + body,
        signature=signature,
        key=key,
        enclave_report=report,
        enclave_signature=enclave_signature,
        enclave_data=data,
        pck=enclave.take(enclave.number(4)),
        debug=bool(struct.unpack_from("<Q", body, 120)[0] & _DEBUG),
        measurement=body[136:184],
        data=body[520:584],
        tcb={f"tee-{number:02}": svn for number, svn in enumerate(body[:16])},
    )


def _check_header(header: bytes) -> None:
    version, key_type, tee = struct.unpack_from("<HHI", header)
    if (version, key_type, tee) != (4, _ECDSA_P256, _TDX):
        raise InputError(f"no TDX quote of version 4 with an ECDSA P-256 key: {version}, {key_type}, {tee:#x}")


def verify(
    evidence: bytes, roots: Sequence[x509.Certificate], expected: Expected, now: datetime.datetime
) -> Attestation:
    """What the quote says and how much of it holds. The PCK certificates are the quote's own, the root is not."""
    quote = parse(evidence)
    return attestation("tdx", quote, expected, _signing(quote, roots, now))


def _signing(quote: Quote, roots: Sequence[x509.Certificate], now: datetime.datetime) -> Iterator[Check]:
    certificates = chain.read(quote.pck, "the TDX quote")
    why = chain.broken(certificates[0], certificates[1:], roots, now)
    yield Check(id="chain", passed=not why, text=why or "the platform's key leads to a root that was given")
    vouched = _is_signed(certificates[0].public_key(), quote.enclave_signature, quote.enclave_report)
    text = f"the platform's signature on the enclave's report is {'valid' if vouched else 'wrong'}"
    yield Check(id="enclave-signature", passed=vouched, text=text)
    yield _attested_key(quote)
    valid = _is_signed(_public(quote.key), quote.signature, quote.signed)
    yield Check(id="signature", passed=valid, text=f"the signature is {'valid' if valid else 'wrong'}")
    intel = quote.signed[12:28] == _INTEL
    yield Check(id="enclave-vendor", passed=intel, text="the quoting enclave is Intel's" if intel else "not Intel's")


def _attested_key(quote: Quote) -> Check:
    """The enclave's report must be about this key: else any key could sign a quote."""
    wanted = hashlib.sha256(quote.key + quote.enclave_data).digest().ljust(64, b"\0")
    same = hmac.compare_digest(quote.enclave_report[_QE_DATA:], wanted)
    text = "the enclave vouches for the key" if same else "the enclave's report is about another key"
    return Check(id="enclave-key", passed=same, text=text)


def _public(point: bytes) -> ec.EllipticCurvePublicKey | None:
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\4" + point)
    except ValueError:
        return None


def _is_signed(key: object, signature: bytes, signed: bytes) -> bool:
    return is_signed(key, signature, "big", signed, hashes.SHA256())
