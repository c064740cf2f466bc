"""TDX quotes: a real one holds, and nothing that was touched does."""

from __future__ import annotations

import datetime

import pytest
import vectors
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from casemate.errors import InputError
from casemate.model.attestation import Attestation, Expected
from casemate.prove.attest import chain, tdx

THEN = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)
ATTRIBUTES = 48 + 120
MRTD = 48 + 136
SIGNATURE = 48 + 584 + 4
KEY = SIGNATURE + 64
ENCLAVE_REPORT = KEY + 64 + 6


@pytest.fixture(scope="module")
def quote() -> bytes:
    return vectors.tdx()


@pytest.fixture(scope="module")
def root(quote: bytes) -> x509.Certificate:
    """Intel's root, which a user gives; taken from the quote here, as there is no other."""
    return chain.read(tdx.parse(quote).pck, "quote")[-1]


def verify(quote: bytes, *roots: x509.Certificate, now: datetime.datetime = THEN, **expected: object) -> Attestation:
    return tdx.verify(quote, roots, Expected(**expected), now)  # type: ignore[arg-type]


def passed(found: Attestation) -> dict[str, bool | None]:
    return {each.id: each.passed for each in found.checks}


def test_a_real_quote_holds_when_all_that_it_must_say_is_given(quote: bytes, root: x509.Certificate) -> None:
    said = tdx.parse(quote)
    found = verify(
        quote, root, report_data=said.data.hex(), measurement=said.measurement.hex(), tcb={"tee-00": 3, "tee-02": 4}
    )
    assert passed(found) == dict.fromkeys(passed(found), True)
    assert found.verified


def test_with_nothing_to_compare_it_claims_nothing(quote: bytes, root: x509.Certificate) -> None:
    found = verify(quote, root)
    assert {name for name, held in passed(found).items() if held is None} == {"challenge", "measurement", "tcb"}
    assert not found.verified


def test_a_root_inside_the_quote_is_worth_nothing(quote: bytes) -> None:
    assert passed(verify(quote))["chain"] is False


@pytest.mark.parametrize(
    ("place", "check"),
    [(MRTD, "signature"), (ATTRIBUTES, "signature"), (SIGNATURE, "signature"), (ENCLAVE_REPORT, "enclave-signature")],
)
def test_one_changed_bit_is_told(quote: bytes, root: x509.Certificate, place: int, check: str) -> None:
    assert passed(verify(touched(quote, place), root))[check] is False


def test_a_debuggable_guest_is_told(quote: bytes, root: x509.Certificate) -> None:
    found = verify(touched(quote, ATTRIBUTES), root)
    assert found.debug
    assert passed(found)["debug"] is False


def test_a_key_that_the_enclave_does_not_vouch_for_signs_nothing(quote: bytes, root: x509.Certificate) -> None:
    """Anyone can sign a quote with a key of their own."""
    key = ec.generate_private_key(ec.SECP256R1())
    r, s = utils.decode_dss_signature(key.sign(quote[: 48 + 584], ec.ECDSA(hashes.SHA256())))
    numbers = key.public_key().public_numbers()
    forged = (
        r.to_bytes(32, "big") + s.to_bytes(32, "big") + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    )
    found = passed(verify(quote[:SIGNATURE] + forged + quote[KEY + 64 :], root))
    assert found["signature"] is True
    assert found["enclave-key"] is False


@pytest.mark.parametrize("length", [0, 47, 100, 632, 700, 1200])
def test_a_quote_that_ends_early_is_an_input_error(quote: bytes, length: int) -> None:
    with pytest.raises(InputError):
        tdx.parse(quote[:length])


@pytest.mark.parametrize("place", [0, 2, 4])
def test_another_version_key_or_technology_is_an_input_error(quote: bytes, place: int) -> None:
    with pytest.raises(InputError, match="TDX quote"):
        tdx.parse(touched(quote, place))


def touched(quote: bytes, place: int) -> bytes:
    changed = bytearray(quote)
    changed[place] ^= 1
    return bytes(changed)
