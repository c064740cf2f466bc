"""Signed statements of proofs: in-toto Statement v1 in a DSSE envelope.

1. The statement's subjects are what the proofs are bound to: programs and configurations, by their digests. Its
   predicate is the list of proofs, with node and time.
2. It is signed with a private key in PEM (Ed25519, ECDSA or RSA), and checked with the public one alone: which key may
   speak for which node is for those to say who hand out keys.
3. A statement of another type, or whose digests are not those of its proofs, is refused, whoever signed it; so is one
   of more than 16 MiB, unread.
4. It says what was so at the proofs' time. Whether that still counts is for those to say who ask.

Sources: in-toto attestation framework, spec/v1/statement.md; DSSE v1.0, envelope.md and protocol.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import CryptoSigner, Signature, SSlibKey  # type: ignore[attr-defined]

from casemate.errors import InputError, RuntimeFault
from casemate.model.proof import Proof, item, parse_item

PublicKey: TypeAlias = SSlibKey
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://casemate.dev/attestation/proof/v1alpha1"
PAYLOAD = "application/vnd.in-toto+json"

_LARGEST = 16 << 20
_LAST_SECOND = 253_402_300_799  # of the year 9999
_WRITE = "casemate prove --sign KEY --statement FILE writes one"
_MAKE = "openssl genpkey -algorithm ed25519 -out KEY; openssl pkey -in KEY -pubout -out PUB"
_COMPARE = "take the public key of who signed it; where that is this one, the statement was changed since"


class _Subject(msgspec.Struct, frozen=True):
    name: str
    digest: dict[str, str]


class _Predicate(msgspec.Struct, frozen=True):
    proofs: tuple[dict[str, object], ...]


class _Statement(msgspec.Struct, frozen=True, rename={"type": "_type", "predicate_type": "predicateType"}):
    type: str
    subject: tuple[_Subject, ...]
    predicate_type: str
    predicate: _Predicate


def sign(proofs: Sequence[Proof], key: Path) -> bytes:
    """The proofs as a signed statement, in JSON. Raises `InputError` when `key` is no private key in PEM."""
    statement = _Statement(STATEMENT, tuple(_subjects(proofs)), PREDICATE, _Predicate(tuple(map(item, proofs))))
    envelope = Envelope(msgspec.json.encode(statement), PAYLOAD, {})
    envelope.sign(signer(key))
    return json.dumps(envelope.to_dict(), indent=2).encode()


def signer(key: Path) -> CryptoSigner:
    """Who signs with the private key in PEM at `key`. Raises `InputError` when it is none."""
    try:
        private: PrivateKeyTypes = load_pem_private_key(_read(key), None)
        return CryptoSigner(private)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        what = "no private key in PEM for signatures, without a password"
        raise InputError(what, where=str(key), fix=_MAKE) from None


def public_key(key: Path) -> PublicKey:
    """The public key in PEM at `key`. Raises `InputError` when it is none."""
    try:
        return SSlibKey.from_crypto(load_pem_public_key(_read(key)))
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InputError("no public key in PEM", where=str(key), fix=_MAKE) from None


def verify(file: Path, key: Path) -> tuple[Proof, ...]:
    """The proofs in a signed statement. Raises `InputError` for what is none, `RuntimeFault` for a bad signature."""
    return verified(_read(file, _WRITE), public_key(key), str(file))


def verified(content: bytes, key: PublicKey, where: str) -> tuple[Proof, ...]:
    """The proofs in a signed statement's JSON, which was found at `where`. Raises as `verify` does."""
    try:
        envelope = Envelope.from_dict(json.loads(content))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError("no signed statement in JSON", where=where, fix=_WRITE) from None
    # Not `Envelope.verify`: it passes over signatures whose key id, a hint that tools fill as they like, differs.
    if not any(_signed(key, each, envelope.pae()) for each in envelope.signatures.values()):
        raise RuntimeFault("the statement was not signed with this key", where=where, fix=_COMPARE)
    return _proofs(envelope, where)


def _signed(key: PublicKey, signature: Signature, payload: bytes) -> bool:
    try:
        key.verify_signature(signature, payload)
    except (UnverifiedSignatureError, VerificationError):
        return False
    return True


def _proofs(envelope: Envelope, where: str) -> tuple[Proof, ...]:
    try:
        statement = msgspec.json.decode(envelope.payload, type=_Statement)
        proofs = tuple(map(parse_item, statement.predicate.proofs))
    except (msgspec.DecodeError, ValueError) as error:
        raise InputError(f"no statement of proofs: {error}", where=where) from None
    if (envelope.payload_type, statement.type, statement.predicate_type) != (PAYLOAD, STATEMENT, PREDICATE):
        raise InputError("a statement, but not of proofs", where=where)
    if not all(0 <= each.time <= _LAST_SECOND for each in proofs):
        raise InputError("a proof of a time that no calendar has", where=where)
    if statement.subject != tuple(_subjects(proofs)):
        raise InputError("the statement's subjects are not those of its proofs", where=where)
    return proofs


def _subjects(proofs: Sequence[Proof]) -> Iterator[_Subject]:
    """Each program and configuration once, by a name that tells whose it is on which node."""
    seen: set[str] = set()
    for proof in proofs:
        bound = {f"{each.role}:{each.path}": each.digest for each in proof.programs}
        for name, digest in {**bound, "configuration": proof.configuration}.items():
            whole = f"{proof.node}/{proof.handler}/{name}"
            algorithm, _, value = digest.partition(":")
            if value and whole not in seen:
                seen.add(whole)
                yield _Subject(whole, {algorithm: value})


def _read(file: Path, fix: str = "check the path") -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(_LARGEST + 1)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(file), fix=fix) from None
    if len(content) > _LARGEST:
        raise InputError("larger than 16 MiB", where=str(file), fix=fix)
    return content
