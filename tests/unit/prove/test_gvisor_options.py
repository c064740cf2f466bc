"""Options of runsc that pass the host through."""

from __future__ import annotations

import pytest

from casemate.prove.gvisor import host_passing

OPTIONS = [
    (["runsc-sandbox", "boot"], ()),
    (["runsc-sandbox", "--network=host", "boot"], ("--network=host",)),
    (["runsc-sandbox", "-network=host", "boot"], ("--network=host",)),
    (["runsc-sandbox", "--network=sandbox", "--host-uds=none"], ()),
    (["runsc-sandbox", "--host-uds=open", "--host-fifo=open"], ("--host-uds=open", "--host-fifo=open")),
    (["runsc-sandbox", "--profile"], ("--profile=true",)),
    (["runsc-sandbox", "--profile=false"], ()),
    (["runsc-sandbox", "--TESTONLY-unsafe-nonroot=true"], ("--TESTONLY-unsafe-nonroot=true",)),
    (["--network=host"], ()),  # the program's own name
    ([], ()),
]


@pytest.mark.parametrize(("arguments", "found"), OPTIONS)
def test_options_that_weaken_the_boundary_are_found(arguments: list[str], found: tuple[str, ...]) -> None:
    assert host_passing(arguments) == found
