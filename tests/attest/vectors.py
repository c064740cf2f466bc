"""Real evidence, from the test data of Go modules by name and pinned version: nothing of it is kept here."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path


@cache
def module(name: str, version: str) -> Path:
    """The folder of a Go module, fetched once."""
    command = ["go", "mod", "download", "-json", f"{name}@{version}"]
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=True, timeout=240)
    return Path(json.loads(done.stdout)["Dir"])


def snp(file: str) -> bytes:
    return (module("github.com/google/go-sev-guest", "v0.13.0") / "verify" / "testdata" / file).read_bytes()


def tdx() -> bytes:
    folder = module("github.com/google/go-tdx-guest", "v0.3.1") / "testing" / "testdata"
    return (folder / "tdx_prod_quote_SPR_E4.dat").read_bytes()
