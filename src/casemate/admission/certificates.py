"""The webhook's own CA and certificate: what is made when. Pure, but for randomness.

1. A CA signs the server's certificate; nobody else uses it. Its key is kept with it, for all replicas show one
   certificate and any of them may renew it.
2. A certificate is renewed when a third of its time is left; a CA likewise, and it lives four times as long.
3. A new CA is announced before anything is signed with it: API servers are told to trust old and new, and only when
   that has been so for the overlap does the new one sign. The old one is trusted until nothing that it signed can
   still be shown.
4. The server's certificate never outlives the CA that signed it.
5. What cannot be read, or does not fit the names asked for, is made anew: the bundle keeps what it has besides.

`plan` takes one step at a time. Whoever carries it out writes the result with the version that it read, so that of
several replicas one wins and the others read what it wrote.
"""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from typing import Final

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec.structs import replace

_CA_LIVES: Final = 4
_MOST_SKEW: Final = datetime.timedelta(minutes=5)
_LONGEST_OVERLAP: Final = datetime.timedelta(hours=1)


class Pair(msgspec.Struct, frozen=True):
    """A certificate and its key, in PEM."""

    certificate: bytes
    key: bytes


class Material(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that replicas share. `next` is the CA that is announced and does not sign yet, `old` the one before.
    `announced` is when API servers were told of `next`, `switched` when the CA that signs was exchanged.
    """

    ca: Pair | None = None
    leaf: Pair | None = None
    next: Pair | None = None
    old: bytes = b""
    announced: datetime.datetime | None = None
    switched: datetime.datetime | None = None

    @property
    def bundle(self) -> bytes:
        """The CAs that API servers have to trust."""
        trusted = [each.certificate for each in (self.ca, self.next) if each]
        return b"".join([*trusted, self.old])


@dataclass(frozen=True, slots=True)
class Wanted:
    """Names that the certificate has to have, and how long it lives."""

    names: tuple[str, ...]
    lifetime: datetime.timedelta

    @property
    def overlap(self) -> datetime.timedelta:
        """How long a CA is announced before it signs."""
        return min(_LONGEST_OVERLAP, self.lifetime / 10)


def plan(material: Material, wanted: Wanted, now: datetime.datetime) -> Material:
    """What should be, one step on from what is. The same when nothing has to be done."""
    ca = _read(material.ca)
    if material.ca is None or ca is None or now >= ca.not_valid_after_utc:
        made = make_ca(wanted, now)
        return Material(ca=made, leaf=make_leaf(made, wanted, now), switched=now)
    if _is_due(ca, now) and (step := _towards_next(material, wanted, now)):
        return step
    if material.old and now - (material.switched or now) >= wanted.overlap:
        return replace(material, old=b"")
    if not _serves(material.leaf, material.ca, wanted, now):
        return replace(material, leaf=make_leaf(material.ca, wanted, now))
    return material


def told(material: Material, now: datetime.datetime) -> Material:
    """What should be, once every configuration of the API server has the bundle."""
    if material.next is None or material.announced is not None:
        return material
    return replace(material, announced=now)


def _towards_next(material: Material, wanted: Wanted, now: datetime.datetime) -> Material | None:
    if material.next is None or _read(material.next) is None:
        return replace(material, next=make_ca(wanted, now), announced=None)
    if material.ca is None or material.announced is None or now - material.announced < wanted.overlap:
        return None
    leaf = make_leaf(material.next, wanted, now)
    return Material(ca=material.next, leaf=leaf, old=material.ca.certificate, switched=now)


def _is_due(certificate: x509.Certificate, now: datetime.datetime) -> bool:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    return ends - now < (ends - begins) / 3


def _serves(leaf: Pair | None, ca: Pair, wanted: Wanted, now: datetime.datetime) -> bool:
    found, signer = _read(leaf), _read(ca)
    if found is None or signer is None or _is_due(found, now) or _names(found) != _alternatives(wanted.names):
        return False
    try:
        found.verify_directly_issued_by(signer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _read(pair: Pair | None) -> x509.Certificate | None:
    if pair is None:
        return None
    try:
        found = x509.load_pem_x509_certificate(pair.certificate)
        key = serialization.load_pem_private_key(pair.key, None)
    except (ValueError, TypeError):
        return None
    return found if key.public_key() == found.public_key() else None


def ends(pair: Pair | None) -> datetime.datetime | None:
    """When a certificate ends; None when there is none that can be read."""
    found = _read(pair)
    return found.not_valid_after_utc if found else None


def _names(certificate: x509.Certificate) -> tuple[x509.GeneralName, ...]:
    try:
        return tuple(certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return ()


def _alternatives(names: tuple[str, ...]) -> tuple[x509.GeneralName, ...]:
    return tuple(_alternative(each) for each in names)


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def make_ca(wanted: Wanted, now: datetime.datetime) -> Pair:
    """A new CA, which signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"casemate admission {now:%Y-%m-%dT%H:%M:%SZ}")])
    builder = _begun(name, name, key.public_key(), now, now + wanted.lifetime * _CA_LIVES)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs=True), critical=True)
    return _pair(builder.sign(key, hashes.SHA256()), key)


def make_leaf(ca: Pair, wanted: Wanted, now: datetime.datetime) -> Pair:
    """A new certificate of the server, signed by the CA."""
    signer = x509.load_pem_x509_certificate(ca.certificate)
    signing = serialization.load_pem_private_key(ca.key, None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, wanted.names[0][:64])])
    ending = min(now + wanted.lifetime, signer.not_valid_after_utc)
    builder = _begun(name, signer.subject, key.public_key(), now, ending)
    builder = builder.add_extension(x509.SubjectAlternativeName(_alternatives(wanted.names)), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key())
    builder = builder.add_extension(issuer, critical=False)
    return _pair(builder.sign(signing, hashes.SHA256()), key)


def _begun(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: datetime.datetime,
    ending: datetime.datetime,
) -> x509.CertificateBuilder:
    identifier = x509.SubjectKeyIdentifier.from_public_key(key)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - min(_MOST_SKEW, (ending - now) / 20))
        .not_valid_after(ending)
        .add_extension(identifier, critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> Pair:
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    return Pair(certificate.public_bytes(pem), key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
