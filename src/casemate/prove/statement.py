"""Signed statements of proofs: in-toto Statement v1 in a DSSE envelope.

1. The statement's subjects are what the proofs are bound to: programs and configurations, by their digests. Its
   predicate is the list of proofs, with node and time.
2. It is signed with a private key in PEM (Ed25519, ECDSA or RSA), and checked with the public one alone: which key may
   speak for which node is for those to say who hand out keys.
3. A statement of another type, or whose digests are not those of its proofs, is refused, whoever signed it.

Sources: in-toto attestation framework, spec/v1/statement.md; DSSE v1.0, envelope.md and protocol.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import UnverifiedSignatureError, VerificationError
from securesystemslib.signer import CryptoSigner, Signature, SSlibKey  # type: ignore[attr-defined]

from casemate.errors import InputError, RuntimeFault
from casemate.model.proof import Proof, item, parse_item

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://casemate.dev/attestation/proof/v1alpha1"
PAYLOAD = "application/vnd.in-toto+json"


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
    try:
        envelope.sign(CryptoSigner(_private(key)))
    except ValueError as error:
        raise InputError(f"no key for signatures: {error}", where=str(key)) from None
    return json.dumps(envelope.to_dict(), indent=2).encode()


def verify(file: Path, key: Path) -> tuple[Proof, ...]:
    """The proofs in a signed statement. Raises `InputError` for what is none, `RuntimeFault` for a bad signature."""
    try:
        return verified(file.read_bytes(), key, str(file))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(file), fix=_WRITE) from None


def verified(content: bytes, key: Path, where: str) -> tuple[Proof, ...]:
    """The proofs in a signed statement's JSON, which was found at `where`. Raises as `verify` does."""
    try:
        envelope = Envelope.from_dict(json.loads(content))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError("no signed statement in JSON", where=where, fix=_WRITE) from None
    public = _public(key)
    # Not `Envelope.verify`: it passes over signatures whose key id, a hint that tools fill as they like, differs.
    if not any(_signed(public, each, envelope.pae()) for each in envelope.signatures.values()):
        raise RuntimeFault("the statement was not signed with this key", where=where)
    return _proofs(envelope, where)


def _signed(public: SSlibKey, signature: Signature, payload: bytes) -> bool:
    try:
        public.verify_signature(signature, payload)
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


def _private(key: Path) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(f"no private key in PEM without a password: {error}", where=str(key), fix=_MAKE) from None


_WRITE = "casemate prove --sign KEY --statement FILE writes one"
_MAKE = "openssl genpkey -algorithm ed25519 -out KEY; openssl pkey -in KEY -pubout -out PUB"


def _public(key: Path) -> SSlibKey:
    try:
        return SSlibKey.from_crypto(load_pem_public_key(key.read_bytes()))
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(f"no public key in PEM: {error}", where=str(key), fix=_MAKE) from None
