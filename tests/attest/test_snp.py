"""SEV-SNP reports: a real one holds, and nothing that was touched does."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import pytest
import vectors
from cryptography import x509

from casemate.errors import InputError
from casemate.model.attestation import Attestation, Expected
from casemate.prove.attest import chain, snp

THEN = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
POLICY = 0x08
LEVEL = 0x30
REPORT_DATA = 0x50
MEASUREMENT = 0x90
CHIP = 0x1A0


@pytest.fixture(scope="module")
def report() -> bytes:
    return vectors.snp("attestation.bin")


@pytest.fixture(scope="module")
def certificates() -> tuple[x509.Certificate, ...]:
    """VCEK and ASK."""
    ask, _ = chain.read(vectors.snp("milan.testcer"), "milan")
    return (*chain.read(vectors.snp("vcek.testcer"), "vcek"), ask)


@pytest.fixture(scope="module")
def root() -> x509.Certificate:
    return chain.read(vectors.snp("milan.testcer"), "milan")[1]


@pytest.fixture
def verify(
    report: bytes, certificates: tuple[x509.Certificate, ...], root: x509.Certificate
) -> Callable[..., Attestation]:
    def verified(
        evidence: bytes = report,
        roots: tuple[x509.Certificate, ...] = (root,),
        keys: tuple[x509.Certificate, ...] = certificates,
        now: datetime.datetime = THEN,
        **expected: object,
    ) -> Attestation:
        return snp.verify(evidence, keys, roots, Expected(**expected), now)  # type: ignore[arg-type]

    return verified


def passed(found: Attestation) -> dict[str, bool | None]:
    return {each.id: each.passed for each in found.checks}


def test_a_real_report_is_signed_by_its_chip(verify: Callable[..., Attestation]) -> None:
    found = passed(verify())
    assert [found[name] for name in ("chain", "signature", "key-versions", "key-chip")] == [True] * 4


def test_a_guest_that_the_host_may_debug_is_not_verified(verify: Callable[..., Attestation]) -> None:
    found = verify()
    assert found.debug
    assert passed(found)["debug"] is False
    assert not found.verified


@pytest.mark.parametrize("place", [POLICY, LEVEL, REPORT_DATA, MEASUREMENT, CHIP, 0x29F])
def test_one_changed_bit_breaks_the_signature(report: bytes, verify: Callable[..., Attestation], place: int) -> None:
    touched = bytearray(report)
    touched[place] ^= 1
    assert passed(verify(bytes(touched)))["signature"] is False


def test_a_report_of_another_chip_is_told(report: bytes, verify: Callable[..., Attestation]) -> None:
    touched = bytearray(report)
    touched[CHIP] ^= 1
    assert passed(verify(bytes(touched)))["key-chip"] is False


def test_firmware_that_is_not_the_keys_is_told(report: bytes, verify: Callable[..., Attestation]) -> None:
    touched = bytearray(report)
    touched[0x180] += 1
    assert passed(verify(bytes(touched)))["key-versions"] is False


def test_a_root_that_was_not_given_counts_for_nothing(
    verify: Callable[..., Attestation], certificates: tuple[x509.Certificate, ...]
) -> None:
    assert passed(verify(roots=()))["chain"] is False
    assert passed(verify(roots=(), keys=(*certificates, *certificates)))["chain"] is False


def test_without_the_keys_certificate_nothing_is_claimed(verify: Callable[..., Attestation]) -> None:
    found = verify(keys=())
    assert passed(found)["signature"] is None
    assert not found.verified


def test_a_certificate_out_of_its_time_breaks_the_chain(verify: Callable[..., Attestation]) -> None:
    late = datetime.datetime(2040, 1, 1, tzinfo=datetime.UTC)
    assert passed(verify(now=late))["chain"] is False


def test_the_challenge_must_be_in_the_report(report: bytes, verify: Callable[..., Attestation]) -> None:
    data = report[REPORT_DATA:MEASUREMENT].hex()
    assert passed(verify(report_data=data))["challenge"] is True
    assert passed(verify(report_data="00" * 64))["challenge"] is False
    assert passed(verify())["challenge"] is None


@pytest.mark.parametrize(("least", "enough"), [({"snp": 5}, True), ({"snp": 6}, False), ({"fmc": 1}, False)])
def test_versions_must_reach_what_was_asked(
    verify: Callable[..., Attestation], least: dict[str, int], *, enough: bool
) -> None:
    assert passed(verify(tcb=least))["tcb"] is enough


@pytest.mark.parametrize("evidence", [b"", b"\0" * 1183, b"\xff" * 1184])
def test_what_is_no_report_is_an_input_error(verify: Callable[..., Attestation], evidence: bytes) -> None:
    with pytest.raises(InputError, match="SEV-SNP"):
        verify(evidence)
