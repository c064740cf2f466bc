"""What a node's prober publishes: one ConfigMap, named as its node, with a signed statement of its proofs.

Rules:

1. The object has a bounded size whatever runs on the node: proofs of handlers and of probe Pods, what was seen cut to
   a few words. The statement signs what is published, not more.
2. It counts when the reader's key signed it, and every proof in it is of the node that it is named as.
3. A proof counts in the boot of the node that it was made in, as the API server knows the boot, and for an hour, in
   which probers renew theirs four times. Clocks may differ by a few minutes.
4. Before a prober proves again what changed, it marks what it has published as stale. The mark is not signed: it takes
   away, and never gives.
5. What does not count is told with its reason, and nothing is taken from it.
6. The object is its node's, so that the garbage collector removes it with the node. Which node that is, the prober's
   token tells (Kubernetes 1.30 and later); without it nobody owns the object, and what it says is the same.

Sources: Node v1 `status.nodeInfo.bootID`; KEP-4193 (claims of bound service account tokens); in-toto and DSSE as in
`casemate.prove.statement`.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace

from casemate.errors import CasemateError
from casemate.model.proof import Proof
from casemate.prove import statement
from casemate.prove.statement import PublicKey

NAMESPACE: Final = "casemate-prove"
FRESH_SECONDS: Final = 3600.0
"""How long a published proof counts."""

RENEW_SECONDS: Final = 900.0
"""How often a prober publishes anew what did not change."""

PATH: Final = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
STATEMENT: Final = "statement"
STALE: Final = "stale"
_SKEW_SECONDS: Final = 300.0
_LONGEST: Final = 200


class _Bound(msgspec.Struct, frozen=True):
    name: str = ""
    uid: str = ""


class _Kubernetes(msgspec.Struct, frozen=True):
    node: _Bound = msgspec.field(default_factory=_Bound)


class _Claims(msgspec.Struct, frozen=True):
    kubernetes: _Kubernetes = msgspec.field(default_factory=_Kubernetes, name="kubernetes.io")


class _Meta(msgspec.Struct, frozen=True):
    name: str = ""


class ConfigMap(msgspec.Struct, frozen=True):
    """A ConfigMap as the API has it."""

    metadata: _Meta = msgspec.field(default_factory=_Meta)
    data: dict[str, str] | None = None


@dataclass(frozen=True)
class Published:
    """What a node's prober published: the proofs that count, or `refused`, why none does."""

    proofs: tuple[Proof, ...] = ()
    refused: str = ""


NOTHING: Final = Published(refused="the node published nothing: no prober runs there, or it has not proven yet")


def config_map(node: str, data: Mapping[str, str], uid: str = "") -> dict[str, object]:
    """The object of a node with this data; `uid` is the node's, where it is known (rule 6)."""
    owner = {"apiVersion": "v1", "kind": "Node", "name": node, "uid": uid}
    meta = {
        "name": node,
        "namespace": NAMESPACE,
        "labels": {"app.kubernetes.io/name": NAMESPACE},
        "ownerReferences": [owner] if uid else [],
    }
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": dict(data)}


def node_uid(authorization: str, node: str) -> str:
    """The uid of that node by the claims of a service account's token (`Bearer …`); empty where it tells none."""
    try:
        payload = authorization.removeprefix("Bearer ").split(".")[1]
        claims = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=_Claims)
    except (IndexError, ValueError, msgspec.DecodeError):
        return ""
    found = claims.kubernetes.node
    return found.uid if found.name == node else ""


def signed(proofs: Iterable[Proof], key: Path) -> str:
    """The proofs as they are published (rule 1). Raises `InputError` when `key` is no private key."""
    return statement.sign([_brief(each) for each in proofs], key).decode()


def read(found: ConfigMap, boot: str, key: PublicKey, now: float) -> Published:
    """What counts of an object, on a node of that boot (rules 2 to 5)."""
    data = found.data or {}
    if STATEMENT not in data:
        return NOTHING
    if data.get(STALE):
        return Published(refused=f"stale, and not proven again yet: changed: {data[STALE]}")
    node = found.metadata.name
    try:
        proofs = statement.verified(data[STATEMENT].encode(), key, f"ConfigMap {NAMESPACE}/{node}")
    except CasemateError as error:
        return Published(refused=error.what)
    why = next((why for each in proofs if (why := _against(each, node, boot, now))), "")
    return Published(refused=why) if why else Published(proofs)


def _against(proof: Proof, node: str, boot: str, now: float) -> str:
    if proof.node != node:
        return f"the statement has a proof of another node: {proof.node}"
    if not boot or proof.boot != boot:
        return "the statement is of another boot of the node, or of another machine of its name"
    age = now - proof.time
    if age < -_SKEW_SECONDS:
        return f"a proof is {-age:.0f} s ahead of the clock here"
    return f"stale: a proof is {age:.0f} s old, and counts for {FRESH_SECONDS:.0f} s" if age > FRESH_SECONDS else ""


def _brief(proof: Proof) -> Proof:
    cut = [
        each if len(each.value) <= _LONGEST else replace(each, value=f"{each.value[:_LONGEST]}…")
        for each in proof.observations
    ]
    return replace(proof, observations=tuple(cut))
