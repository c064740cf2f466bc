"""ECDSA signatures as firmware writes them: the numbers r and s side by side, in as many bytes each."""

from __future__ import annotations

from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils


def is_signed(
    key: object, numbers: bytes, order: Literal["little", "big"], signed: bytes, over: hashes.HashAlgorithm
) -> bool:
    """Whether the key's owner signed that. Nothing is signed by a key of another kind."""
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    half = len(numbers) // 2
    r, s = int.from_bytes(numbers[:half], order), int.from_bytes(numbers[half:], order)
    try:
        key.verify(utils.encode_dss_signature(r, s), signed, ec.ECDSA(over))
    except (InvalidSignature, ValueError):
        return False
    return True
