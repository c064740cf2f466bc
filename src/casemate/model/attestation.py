"""What a confidential VM's evidence says of itself, and which parts of that were verified."""

from __future__ import annotations

import msgspec


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at. `passed` is None where nothing was given to compare with, which claims nothing."""

    id: str
    passed: bool | None
    text: str


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What evidence must say: bytes in hex, empty where nothing is asked. `tcb` are the lowest versions allowed."""

    report_data: str = ""
    measurement: str = ""
    tcb: dict[str, int] = {}


class Attestation(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence of a confidential VM. `technology` is `sev-snp` or `tdx`; `measurement` and `report_data` are hex."""

    technology: str
    measurement: str
    report_data: str
    debug: bool
    tcb: dict[str, int]
    checks: tuple[Check, ...]

    @property
    def verified(self) -> bool:
        """Whether every check passed. One that had nothing to compare with did not, and no checks verify nothing."""
        return bool(self.checks) and all(each.passed is True for each in self.checks)
