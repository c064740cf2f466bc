"""`casemate prove attestation`: verify a confidential VM's evidence offline."""

from __future__ import annotations

import datetime
import string
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from casemate.cli.options import Output
from casemate.errors import InputError
from casemate.model.attestation import Expected
from casemate.report.attestation import attestation_json, print_attestation

_LONGEST = 1 << 20
_QUOTE = b"\x04\x00\x02\x00"  # version 4, ECDSA P-256: how a TDX quote begins


def attestation(
    evidence: Annotated[Path, Parameter(help="An SEV-SNP report or a TDX quote, as the guest got it.")],
    /,
    *,
    root: Annotated[list[Path], Parameter(negative=(), help="A root that you trust, PEM or DER; repeatable.")],
    certificate: Annotated[
        list[Path], Parameter(negative=(), help="SEV-SNP: the chip's certificate, then those between; repeatable.")
    ] = [],  # noqa: B006 - cyclopts copies it
    report_data: Annotated[str, Parameter(help="The challenge that the guest was given, in hex.")] = "",
    measurement: Annotated[str, Parameter(help="The launch measurement that it must have, in hex.")] = "",
    tcb: Annotated[list[str], Parameter(negative=(), help="A lowest version, as snp=8; repeatable.")] = [],  # noqa: B006
    output: Output = "table",
) -> int:
    """Verify the evidence of a confidential VM: signature, chain, challenge, measurement, debug flag, versions.

    Nothing is fetched: roots and certificates are those that you give. What you give nothing to compare with is not
    claimed, and then the evidence is not verified. Exit code 1 unless all of it is.
    """
    from casemate.prove.attest import chain, snp, tdx

    data = _read(evidence)
    roots = [each for file in root for each in chain.read(_read(file), str(file))]
    others = [each for file in certificate for each in chain.read(_read(file), str(file))]
    expected = Expected(
        report_data=_hex(report_data, "--report-data"),
        measurement=_hex(measurement, "--measurement"),
        tcb=dict(_version(each) for each in tcb),
    )
    now = datetime.datetime.now(datetime.UTC)
    if data.startswith(_QUOTE):
        found = tdx.verify(data, roots, expected, now)
    else:
        found = snp.verify(data, others, roots, expected, now)
    print(attestation_json(found)) if output == "json" else print_attestation(found)
    return int(not found.verified)


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(_LONGEST + 1)
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(file), fix="check the path") from None
    if len(content) > _LONGEST:
        raise InputError("larger than 1 MiB: no evidence is", where=str(file), fix="give what the guest got")
    return content


def _hex(text: str, where: str) -> str:
    if len(text) % 2 or not set(text) <= set(string.hexdigits) or len(text) > 128:
        raise InputError("not at most 64 bytes in hex", where=where)
    return text


def _version(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not number.isdecimal():
        raise InputError(f"{text!r} is no lowest version", where="--tcb", fix="write it as snp=8")
    return name, int(number)
