"""Guests that are booted once."""

from __future__ import annotations

from collections.abc import Iterator

import guest_kernel
import guests
import pytest
from guest_kernel import GuestKernel
from guests import Guest

PROFILES = """
profile enforced { file, signal, capability, }
profile complaining flags=(complain) { file, signal, capability, }
"""


@pytest.fixture(scope="session")
def kernel() -> GuestKernel:
    """Debian's cloud kernel, which set-up has brought here."""
    return guest_kernel.newest()


@pytest.fixture(scope="session")
def guest(kernel: GuestKernel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """A guest that has nothing of the node's."""
    ram = tmp_path_factory.mktemp("guest") / "ram"
    ram.write_bytes(guests.initramfs(kernel, {}))
    with guests.booted(kernel, ram, "sandbox-honest") as running:
        yield running


@pytest.fixture(scope="session")
def leaky_guest(kernel: GuestKernel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guest]:
    """A guest that is given the node's root and /proc, and has AppArmor with policies."""
    ram = tmp_path_factory.mktemp("leaky") / "ram"
    policy = {"policy": kernel.compile_policy(PROFILES)}
    ram.write_bytes(guests.initramfs(kernel, policy, ("virtio_pci", "virtiofs")))
    with guests.booted(kernel, ram, "sandbox-leaky", shares={"node": "/", "node-proc": "/proc"}) as running:
        yield running
