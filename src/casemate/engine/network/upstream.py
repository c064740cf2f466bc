"""The name servers that this host itself asks."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path

RESOLV_CONF = Path("/etc/resolv.conf")
_MOST = 3
"""As many as the C library reads."""


def nameservers(file: Path = RESOLV_CONF) -> tuple[IPv4Address, ...]:
    """The IPv4 name servers in `file`, at most three; none when it does not exist."""
    try:
        text = file.read_text(errors="replace")
    except OSError:
        return ()
    return tuple(_servers(text))[:_MOST]


def _servers(text: str) -> Iterator[IPv4Address]:
    for line in text.splitlines():
        match line.split():
            case ["nameserver", address, *_]:
                try:
                    yield IPv4Address(address)
                except AddressValueError:
                    continue
