"""What a node published: when it counts, and when nothing is taken from it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from msgspec import convert
from msgspec.structs import replace

from casemate.errors import IncompleteError, InputError
from casemate.model.boundary import Boundary
from casemate.model.proof import Observation, Proof, Result, Side
from casemate.prove import across, published, statement
from casemate.prove.published import ConfigMap
from casemate.sources.cluster_access import Access

NOW = 10_000.0
PROOF = Proof(
    subject="handler/runsc",
    node="n1",
    handler="runsc",
    named=Boundary.SANDBOX,
    shown=Boundary.SANDBOX,
    result=Result.PROVEN,
    observations=(Observation(id="processes", side=Side.NODE, value="x" * 900, supports=Boundary.SANDBOX),),
    seconds=0.7,
    time=NOW - 60,
    boot="boot-1",
)


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    key = ed25519.Ed25519PrivateKey.generate()
    private, public = tmp_path / "key", tmp_path / "pub"
    private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, public


def config_map(private: Path, *proofs: Proof, node: str = "n1", stale: str = "") -> ConfigMap:
    data = {"statement": published.signed(proofs, private), "stale": stale}
    return convert(published.config_map(node, data), ConfigMap)


def test_what_was_signed_counts(keys: tuple[Path, Path]) -> None:
    told = published.read(config_map(keys[0], PROOF), "boot-1", statement.public_key(keys[1]), NOW)
    assert [each.subject for each in told.proofs] == ["handler/runsc"]
    assert not told.refused


def test_what_was_seen_is_cut_before_it_is_signed(keys: tuple[Path, Path]) -> None:
    """One object per node, of bounded size, whatever a guest says."""
    told = published.read(config_map(keys[0], PROOF), "boot-1", statement.public_key(keys[1]), NOW)
    assert told.proofs[0].observations[0].value == "x" * 200 + "…"


@pytest.mark.parametrize(
    ("change", "node", "stale", "why"),
    [
        ({"node": "n2"}, "n1", "", "a proof of another node: n2"),
        ({}, "n2", "", "a proof of another node: n1"),
        ({"boot": "boot-0"}, "n1", "", "another boot"),
        ({"boot": ""}, "n1", "", "another boot"),
        ({"time": NOW - 3601}, "n1", "", "stale: a proof is 3601 s old"),
        ({"time": NOW + 301}, "n1", "", "301 s ahead"),
        ({}, "n1", "runsc: configuration", "stale, and not proven again yet: changed: runsc: configuration"),
    ],
)
def test_nothing_is_taken_from_what_does_not_count(
    keys: tuple[Path, Path], change: dict[str, object], node: str, stale: str, why: str
) -> None:
    older = replace(PROOF, subject="handler/runc")
    found = config_map(keys[0], older, replace(PROOF, **change), node=node, stale=stale)
    told = published.read(found, "boot-1", statement.public_key(keys[1]), NOW)
    assert told.proofs == ()
    assert why in told.refused


def test_a_node_of_unknown_boot_proves_nothing(keys: tuple[Path, Path]) -> None:
    found = config_map(keys[0], replace(PROOF, boot=""))
    assert published.read(found, "", statement.public_key(keys[1]), NOW).proofs == ()


def test_what_another_key_signed_counts_for_nothing(keys: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(
        ed25519.Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    told = published.read(config_map(other, PROOF), "boot-1", statement.public_key(keys[1]), NOW)
    assert (told.proofs, told.refused) == ((), "the statement was not signed with this key")


@pytest.mark.parametrize("data", [None, {}, {"stale": "x"}])
def test_an_object_without_a_statement_is_nothing(keys: tuple[Path, Path], data: dict[str, str] | None) -> None:
    assert published.read(ConfigMap(data=data), "boot-1", statement.public_key(keys[1]), NOW) == published.NOTHING


def token(claims: object) -> str:
    payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"Bearer e30.{payload}.c2ln"


@pytest.mark.parametrize(
    ("authorization", "uid"),
    [
        (token({"kubernetes.io": {"node": {"name": "n1", "uid": "u-1"}}}), "u-1"),
        (token({"kubernetes.io": {"node": {"name": "n2", "uid": "u-2"}}}), ""),
        (token({"kubernetes.io": {"pod": {"name": "p"}}}), ""),
        (token([1]), ""),
        ("Bearer opaque", ""),
        ("Bearer a.!!!.c", ""),
        ("", ""),
    ],
)
def test_the_object_is_the_nodes_that_the_token_tells(authorization: str, uid: str) -> None:
    found = published.node_uid(authorization, "n1")
    assert found == uid
    owners = published.config_map("n1", {}, found)["metadata"]["ownerReferences"]  # type: ignore[index]
    assert [each["uid"] for each in owners] == [uid] * bool(uid)


@pytest.mark.parametrize("text", ["", "{", "[]", "[" * 100_000, '{"payload": 3}'])
def test_what_is_no_statement_is_told(keys: tuple[Path, Path], text: str) -> None:
    told = published.read(ConfigMap(data={"statement": text}), "boot-1", statement.public_key(keys[1]), NOW)
    assert "no signed statement" in told.refused


def test_a_readers_key_that_is_none_is_the_readers_to_mend(tmp_path: Path) -> None:
    nobody = Access(server="https://127.0.0.1:1")
    with pytest.raises(InputError, match="missing: cannot be read"):
        across.prove(nobody, tmp_path / "missing", across.Wanted())


def test_a_cluster_that_is_out_of_reach_is_named(keys: tuple[Path, Path]) -> None:
    nobody = Access(server="https://127.0.0.1:1")
    for ask in (lambda: across.prove(nobody, keys[1], across.Wanted()), lambda: across.shown(nobody, keys[1])):
        with pytest.raises(IncompleteError, match=r"https://127.0.0.1:1: cannot reach the cluster: .*refused"):
            ask()
