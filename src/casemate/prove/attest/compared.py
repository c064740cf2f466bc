"""What evidence of any technology claims, and the checks that all of it has in common."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from casemate.model.attestation import Attestation, Check, Expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What evidence says of its guest: the challenge that it was given, what was launched, of which versions."""

    data: bytes
    measurement: bytes
    tcb: dict[str, int]
    debug: bool


def attestation(technology: str, said: Claims, expected: Expected, proof: Iterable[Check]) -> Attestation:
    """The claims, with the checks that prove who makes them, and then those of what they have to be."""
    return Attestation(
        technology=technology,
        measurement=said.measurement.hex(),
        report_data=said.data.hex(),
        debug=said.debug,
        tcb=said.tcb,
        checks=(*proof, *_compared(said, expected)),
    )


def _compared(said: Claims, expected: Expected) -> Iterator[Check]:
    """The challenge, the measurement, the debug flag and the versions, each against what was asked for."""
    yield _bytes("challenge", said.data, expected.report_data, "the report data")
    yield _bytes("measurement", said.measurement, expected.measurement, "the launch measurement")
    may = "the host may debug the guest" if said.debug else "debugging is off"
    yield Check(id="debug", passed=not said.debug, text=may)
    yield _versions(said.tcb, expected.tcb)


def _bytes(name: str, found: bytes, wanted: str, what: str) -> Check:
    if not wanted:
        return Check(id=name, passed=None, text=f"nothing was given to compare {what} with")
    same = hmac.compare_digest(found, padded(wanted, len(found)))
    return Check(id=name, passed=same, text=f"{what} is {'as asked' if same else found.hex()}")


def padded(wanted: str, length: int) -> bytes:
    """Hex as bytes of that length, filled with zeros, as firmware fills short report data."""
    return bytes.fromhex(wanted).ljust(length, b"\0")


def _versions(found: Mapping[str, int], lowest: Mapping[str, int]) -> Check:
    if not lowest:
        return Check(id="tcb", passed=None, text=f"no lowest versions were given; {_shown(found)}")
    low = {name: found.get(name, -1) for name, least in lowest.items() if found.get(name, -1) < least}
    text = f"too old: {_shown(low)}" if low else f"new enough: {_shown(found)}"
    return Check(id="tcb", passed=not low, text=text)


def _shown(versions: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {number}" for name, number in sorted(versions.items()))
