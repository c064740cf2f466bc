"""Certificate chains up to a root that was given. Nothing is fetched.

1. A chain is leaf first. Each certificate must name the next as its issuer and be signed by it, and every one but the
   leaf must be a CA's.
2. It ends at a root that was given, byte for byte: a root inside evidence is worth nothing.
3. All must be valid at the time of the check.
"""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.utils import CryptographyDeprecationWarning

from casemate.errors import InputError


def read(data: bytes, where: str) -> tuple[x509.Certificate, ...]:
    """The certificates of a file, PEM or one in DER. Raises `InputError` when there are none."""
    try:
        with warnings.catch_warnings(category=CryptographyDeprecationWarning, action="ignore"):
            return _load(data)  # AMD numbers its chips' certificates 0, which RFC 5280 does not allow
    except ValueError:
        raise InputError("no certificates", where=where, fix="give PEM, or one certificate in DER") from None


def _load(data: bytes) -> tuple[x509.Certificate, ...]:
    if b"-----BEGIN" in data:
        return tuple(x509.load_pem_x509_certificates(data.rstrip(b"\0")))
    return (x509.load_der_x509_certificate(data),)


def broken(
    leaf: x509.Certificate,
    others: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    now: datetime.datetime,
) -> str:
    """Why no chain leads from the leaf over the others to a root, empty when one does."""
    here = leaf
    for _ in range(len(others) + len(roots) + 1):
        if why := _invalid(here, now):
            return why
        if any(root == here for root in roots):
            return ""
        above = next((each for each in (*roots, *others) if each != here and _signs(each, here)), None)
        if above is None:
            return f"nothing given signs {_name(here)}"
        here = above
    return "the certificates sign each other in a circle"


def _invalid(certificate: x509.Certificate, now: datetime.datetime) -> str:
    if certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        return ""
    return f"{_name(certificate)} is not valid on {now.date()}"


def _signs(above: x509.Certificate, below: x509.Certificate) -> bool:
    try:
        below.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return _is_authority(above)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()
