"""Checks that all evidence has in common: what it must say, and what it must not."""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping

from casemate.model.attestation import Check, Expected


def compare(
    expected: Expected, *, report_data: bytes, measurement: bytes, tcb: Mapping[str, int], debug: bool
) -> Iterator[Check]:
    """The challenge, the measurement, the debug flag and the versions, each against what was asked for."""
    yield _bytes("challenge", report_data, expected.report_data, "the report data")
    yield _bytes("measurement", measurement, expected.measurement, "the launch measurement")
    yield Check(id="debug", passed=not debug, text="the host may debug the guest" if debug else "debugging is off")
    yield _versions(tcb, expected.tcb)


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
