"""Certificates are renewed in time, and nobody is shown one that API servers do not trust yet."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from msgspec.structs import replace

from casemate.admission import certificates
from casemate.admission.certificates import Material, Pair, Wanted, make_ca, make_leaf, plan, told

NOW = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC)
WANTED = Wanted(("casemate-admission.casemate-system.svc", "127.0.0.1"), datetime.timedelta(days=90))
DAY = datetime.timedelta(days=1)


def settled(material: Material, now: datetime.datetime) -> Material:
    """What becomes of it while nobody tells API servers anything."""
    for _ in range(5):
        step = plan(material, WANTED, now)
        if step is material:
            return material
        material = step
    raise AssertionError("it never settles")


def trusts(bundle: bytes, leaf: Pair | None, now: datetime.datetime) -> bool:
    assert leaf
    found = x509.load_pem_x509_certificate(leaf.certificate)
    for each in x509.load_pem_x509_certificates(bundle):
        try:
            found.verify_directly_issued_by(each)
        except (ValueError, TypeError, InvalidSignature):
            continue
        return found.not_valid_before_utc <= now < min(found.not_valid_after_utc, each.not_valid_after_utc)
    return False


def test_from_nothing_there_is_a_ca_and_a_certificate_and_then_nothing_to_do() -> None:
    made = settled(Material(), NOW)
    assert trusts(made.bundle, made.leaf, NOW)
    assert plan(made, WANTED, NOW + 20 * DAY) is made


def test_a_certificate_is_renewed_when_a_third_is_left() -> None:
    made = settled(Material(), NOW)
    assert plan(made, WANTED, NOW + 59 * DAY) is made
    renewed = plan(made, WANTED, NOW + 62 * DAY)
    assert renewed.leaf != made.leaf
    assert renewed.ca == made.ca


def test_a_new_ca_signs_only_after_api_servers_were_told_and_the_overlap_passed() -> None:
    made = settled(Material(), NOW)
    late = NOW + 241 * DAY
    announced = settled(made, late)
    assert announced.next
    assert announced.next.certificate in announced.bundle
    assert plan(announced, WANTED, late + 3 * DAY) is announced or plan(announced, WANTED, late + 3 * DAY).ca == made.ca
    known = told(announced, late)
    assert settled(known, late + WANTED.overlap / 2).ca == made.ca
    switched = settled(known, late + WANTED.overlap)
    assert switched.ca == announced.next
    assert trusts(announced.bundle, switched.leaf, late + WANTED.overlap)


def test_the_old_ca_is_trusted_for_the_overlap_and_then_forgotten() -> None:
    late = NOW + 241 * DAY
    announced = told(settled(settled(Material(), NOW), late), late)
    switched = settled(announced, late + WANTED.overlap)
    assert announced.ca
    assert announced.ca.certificate in switched.bundle
    assert announced.ca.certificate not in settled(switched, late + 3 * WANTED.overlap).bundle


def test_whatever_is_shown_is_trusted_all_the_time() -> None:
    """Two years in steps of half an hour, told after each step: every API server trusts what any replica shows."""
    wanted = Wanted(WANTED.names, datetime.timedelta(days=9))
    material, bundles = Material(), [b""]
    for step in range(2 * 365 * 4):
        now = NOW + step * DAY / 4
        shown = material.leaf
        following = plan(material, wanted, now)
        if shown and following.leaf == shown:
            assert trusts(bundles[-1], shown, now)
        material = told(following, now) if following is material else following
        bundles.append(material.bundle)
    assert len(set(bundles)) > 20


@pytest.mark.parametrize(
    "broken",
    [
        Material(),
        Material(ca=Pair(b"", b"")),
        Material(ca=Pair(b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n", b"x")),
        Material(ca=make_ca(WANTED, NOW - 1000 * DAY)),
    ],
)
def test_what_cannot_be_used_is_made_anew(broken: Material) -> None:
    made = settled(broken, NOW)
    assert trusts(made.bundle, made.leaf, NOW)


def test_a_key_that_does_not_fit_is_made_anew() -> None:
    made = settled(Material(), NOW)
    other = settled(Material(), NOW)
    assert made.leaf
    assert other.leaf
    mixed = replace(made, leaf=Pair(made.leaf.certificate, other.leaf.key))
    assert plan(mixed, WANTED, NOW).leaf not in (mixed.leaf, made.leaf)


def test_other_names_make_another_certificate() -> None:
    made = settled(Material(), NOW)
    other = Wanted(("other.svc",), WANTED.lifetime)
    assert plan(made, other, NOW).leaf != made.leaf


def test_a_certificate_never_outlives_its_ca() -> None:
    ca = make_ca(Wanted(WANTED.names, DAY), NOW)
    leaf = make_leaf(ca, WANTED, NOW)
    ending = certificates.ends(leaf)
    assert ending
    assert ending == certificates.ends(ca)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    made = settled(Material(), datetime.datetime.now(datetime.UTC))
    assert made.leaf
    (tmp_path / "ca").write_bytes(made.bundle)
    (tmp_path / "pair").write_bytes(made.leaf.certificate + made.leaf.key)
    return tmp_path / "ca", tmp_path / "pair"


@pytest.mark.parametrize(("name", "welcome"), [(WANTED.names[0], True), ("127.0.0.1", True), ("other.svc", False)])
def test_a_client_trusts_it_by_its_names(files: tuple[Path, Path], name: str, welcome: bool) -> None:
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=str(files[0]))
    server.load_cert_chain(files[1])
    if welcome:
        shake(server, client, name)
    else:
        with pytest.raises(ssl.SSLCertVerificationError):
            shake(server, client, name)


def shake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> None:
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours, theirs = server.wrap_bio(there, back, server_side=True), client.wrap_bio(back, there, server_hostname=name)
    for side in (theirs, ours, theirs, ours):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
