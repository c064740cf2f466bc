"""Signed statements: what they say survives, and whatever was changed is refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from msgspec.structs import replace

from casemate.errors import CasemateError, InputError, RuntimeFault
from casemate.model.boundary import Boundary
from casemate.model.proof import Observation, Program, Proof, Result, Side, item, parse_item
from casemate.prove import statement

PROOF = Proof(
    subject="handler/runsc",
    node="n1",
    handler="runsc",
    named=Boundary.SANDBOX,
    shown=Boundary.UNKNOWN,
    result=Result.UNPROVABLE,
    observations=(Observation(id="control", side=Side.CONTROL, value="none", supports=None),),
    seconds=0.7,
    time=1.0,
    programs=(Program(role="runtime", path="/usr/bin/runsc", digest="sha256:ab", version="1"),),
    configuration="sha256:cd",
)
KEYS = [
    ed25519.Ed25519PrivateKey.generate(),
    ec.generate_private_key(ec.SECP256R1()),
    rsa.generate_private_key(65537, 2048),
]


def write(folder: Path, key: object, name: str = "key") -> tuple[Path, Path]:
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))  # type: ignore[attr-defined]
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))  # type: ignore[attr-defined]
    return private, public


@pytest.mark.parametrize("key", KEYS)
def test_a_statement_says_what_was_proven(tmp_path: Path, key: object) -> None:
    private, public = write(tmp_path, key)
    (tmp_path / "s.json").write_bytes(statement.sign([PROOF], private))
    assert statement.verify(tmp_path / "s.json", public) == (PROOF,)


def test_its_subjects_are_the_programs_and_the_configuration(tmp_path: Path) -> None:
    private, _ = write(tmp_path, KEYS[0])
    payload = json.loads(base64.b64decode(json.loads(statement.sign([PROOF], private))["payload"]))
    assert payload["_type"] == "https://in-toto.io/Statement/v1"
    assert payload["subject"] == [
        {"name": "n1/runsc/runtime:/usr/bin/runsc", "digest": {"sha256": "ab"}},
        {"name": "n1/runsc/configuration", "digest": {"sha256": "cd"}},
    ]
    assert payload["predicate"]["proofs"][0]["named"] == "sandbox"


def forged(folder: Path, change) -> Path:  # type: ignore[no-untyped-def]
    """A statement whose payload was changed after it was signed."""
    private, _ = write(folder, KEYS[0])
    envelope = json.loads(statement.sign([PROOF], private))
    envelope["payload"] = base64.b64encode(change(base64.b64decode(envelope["payload"]))).decode()
    (folder / "s.json").write_text(json.dumps(envelope))
    return folder / "s.json"


def test_a_changed_statement_is_refused(tmp_path: Path) -> None:
    file = forged(tmp_path, lambda payload: payload.replace(b"unprovable", b"proven"))
    with pytest.raises(RuntimeFault, match="not signed with this key"):
        statement.verify(file, tmp_path / "key.pub")


def test_a_statement_of_another_key_is_refused(tmp_path: Path) -> None:
    private, _ = write(tmp_path, KEYS[0])
    _, other = write(tmp_path, KEYS[1], "other")
    (tmp_path / "s.json").write_bytes(statement.sign([PROOF], private))
    with pytest.raises(RuntimeFault, match="not signed with this key"):
        statement.verify(tmp_path / "s.json", other)


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "[" * 20_000, '{"payload": 1}', '{"payload": "", "payloadType": "", "signatures": []}'],
)
def test_what_is_no_statement_is_refused(tmp_path: Path, text: str) -> None:
    _, public = write(tmp_path, KEYS[0])
    (tmp_path / "s.json").write_text(text)
    with pytest.raises(CasemateError) as raised:
        statement.verify(tmp_path / "s.json", public)
    assert "recursion" not in str(raised.value)


def test_a_statement_that_is_not_there_is_told_with_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(CasemateError, match=r"s.json: cannot be read: No such file or directory\n.*--sign KEY"):
        statement.verify(tmp_path / "s.json", tmp_path / "key")


def test_a_file_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    _, public = write(tmp_path, KEYS[0])
    with pytest.raises(InputError, match="/dev/zero: larger than 16 MiB"):
        statement.verify(Path("/dev/zero"), public)


def test_a_time_that_no_calendar_has_is_refused(tmp_path: Path) -> None:
    private, public = write(tmp_path, KEYS[0])
    (tmp_path / "s.json").write_bytes(statement.sign([replace(PROOF, time=1e300)], private))
    with pytest.raises(InputError, match="no calendar"):
        statement.verify(tmp_path / "s.json", public)


def test_a_key_that_is_none_is_refused_in_our_own_words(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("no key")
    with pytest.raises(InputError) as private:
        statement.sign([PROOF], tmp_path / "key")
    assert str(private.value).startswith(
        f"{tmp_path}/key: no private key in PEM for signatures, without a password\n  → openssl genpkey"
    )
    (tmp_path / "s.json").write_bytes(statement.sign([PROOF], write(tmp_path, KEYS[0], "good")[0]))
    with pytest.raises(InputError) as public:
        statement.verify(tmp_path / "s.json", tmp_path / "key")
    assert str(public.value).startswith(f"{tmp_path}/key: no public key in PEM\n  → openssl genpkey")


def test_an_item_reads_back_as_the_proof() -> None:
    assert parse_item(json.loads(json.dumps(item(PROOF)))) == PROOF
    with pytest.raises(ValueError, match="no proof"):
        parse_item({**item(PROOF), "named": "fortress"})
