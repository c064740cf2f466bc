"""SEV-SNP attestation reports (AMD 56860, "SEV Secure Nested Paging Firmware ABI", section 7.3; AMD 57230, VCEK).

1. A report has 1,184 bytes. Its last 512 are the signature (ECDSA P-384 over SHA-384, r and s little endian) over
   everything before them.
2. The signing key is a VCEK (of the chip) or VLEK (of the cloud provider). Its certificate chains over ASK or ASVK to
   AMD's root, ARK, which must be given.
3. The certificate is for versions of the firmware: they must be the report's reported TCB; a VCEK's chip must be the
   report's, unless the host masks that.
4. Bit 19 of the guest policy lets the host debug the guest: its memory is then readable.
5. Only reports of a VM privilege level 0 speak for the whole guest.
"""

from __future__ import annotations

import datetime
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from casemate.errors import InputError
from casemate.model.attestation import Attestation, Check, Expected
from casemate.prove.attest import chain
from casemate.prove.attest.compared import Claims, attestation
from casemate.prove.attest.signature import is_signed

SIZE: Final = 0x4A0
_SIGNED: Final = 0x2A0
_NUMBER: Final = 72
_ECDSA_P384: Final = 1
_DEBUG: Final = 1 << 19
_TURIN: Final = 0x1A  # CPU family of Turin, whose TCB is laid out otherwise
_MILAN_TCB: Final = {"bootloader": 0, "tee": 1, "snp": 6, "microcode": 7}
_TURIN_TCB: Final = {"fmc": 0, "bootloader": 1, "tee": 2, "snp": 3, "microcode": 7}
_AMD: Final = "1.3.6.1.4.1.3704.1"
_VERSION_OIDS: Final = {
    "bootloader": f"{_AMD}.3.1",
    "tee": f"{_AMD}.3.2",
    "snp": f"{_AMD}.3.3",
    "microcode": f"{_AMD}.3.8",
    "fmc": f"{_AMD}.3.9",
}
_CHIP_OID: Final = f"{_AMD}.4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report(Claims):
    """The parts of a report that are judged."""

    signed: bytes
    signature: bytes
    version: int
    algorithm: int
    level: int
    chip: bytes


def parse(evidence: bytes) -> Report:
    """The report in those bytes. Raises `InputError` when they are none."""
    if len(evidence) < SIZE:
        raise InputError(f"an SEV-SNP report has {SIZE} bytes, this has {len(evidence)}")
    version, policy = struct.unpack_from("<I4xQ", evidence)
    level, algorithm = struct.unpack_from("<II", evidence, 0x30)
    if version not in range(2, 6):
        raise InputError(f"no SEV-SNP report of a known version: {version}")
    layout = _TURIN_TCB if version >= 3 and evidence[0x188] == _TURIN else _MILAN_TCB
    return Report(
        signed=evidence[:_SIGNED],
        signature=evidence[_SIGNED:SIZE],
        version=version,
        algorithm=algorithm,
        debug=bool(policy & _DEBUG),
        level=level,
        data=evidence[0x50:0x90],
        measurement=evidence[0x90:0xC0],
        chip=evidence[0x1A0:0x1E0],
        tcb={name: evidence[0x180 + place] for name, place in layout.items()},
    )


def verify(
    evidence: bytes,
    certificates: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    expected: Expected,
    now: datetime.datetime,
) -> Attestation:
    """What the report says and how much of it holds. `certificates` begin with the VCEK's or VLEK's."""
    report = parse(evidence)
    proof = (*_signing(report, certificates, roots, now), _level(report))
    return attestation("sev-snp", report, expected, proof)


def _signing(
    report: Report, certificates: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], now: datetime.datetime
) -> Iterator[Check]:
    if not certificates:
        yield Check(id="signature", passed=None, text="no certificate of the chip's key was given")
        return
    leaf = certificates[0]
    why = chain.broken(leaf, certificates[1:], roots, now)
    yield Check(id="chain", passed=not why, text=why or "the chip's key leads to a root that was given")
    valid = _is_signed(report, leaf)
    yield Check(id="signature", passed=valid, text=f"the signature is {'valid' if valid else 'wrong'}")
    yield _key_versions(report, leaf)
    yield _key_chip(report, leaf)


def _is_signed(report: Report, leaf: x509.Certificate) -> bool:
    numbers = report.signature[: 2 * _NUMBER]
    return report.algorithm == _ECDSA_P384 and is_signed(
        leaf.public_key(), numbers, "little", report.signed, hashes.SHA384()
    )


def _key_versions(report: Report, leaf: x509.Certificate) -> Check:
    of_key = {name: _integer(leaf, oid) for name, oid in _VERSION_OIDS.items() if name in report.tcb}
    same = of_key == report.tcb
    text = "the key is of the reported versions" if same else f"the key is of {of_key}, reported is {report.tcb}"
    return Check(id="key-versions", passed=same, text=text)


def _key_chip(report: Report, leaf: x509.Certificate) -> Check:
    of_key = _extension(leaf, _CHIP_OID)
    if of_key is None:
        return Check(id="key-chip", passed=True, text="the key is a provider's, of no one chip")
    same = of_key.removeprefix(b"\x04\x40") == report.chip
    text = "the key is of the chip that reports" if same else "the key is of another chip"
    return Check(id="key-chip", passed=same, text=text)


def _level(report: Report) -> Check:
    text = f"the report is of VM privilege level {report.level}"
    return Check(id="privilege-level", passed=report.level == 0, text=text)


def _integer(leaf: x509.Certificate, oid: str) -> int:
    """A DER INTEGER of one or two bytes; -1 when it is absent or longer."""
    value = _extension(leaf, oid)
    if value is None or len(value) < 3 or value[0] != 2 or value[1] not in (1, 2) or len(value) != 2 + value[1]:
        return -1
    return int.from_bytes(value[2:], "big")


def _extension(leaf: x509.Certificate, oid: str) -> bytes | None:
    try:
        found = leaf.extensions.get_extension_for_oid(x509.ObjectIdentifier(oid)).value
    except x509.ExtensionNotFound:
        return None
    return found.value if isinstance(found, x509.UnrecognizedExtension) else None
