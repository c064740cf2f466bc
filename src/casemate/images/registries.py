"""Registries without TLS, named as such: containerd's `certs.d/HOST/hosts.toml`.

1. A registry is spoken to over TLS, except when it is named here. (containerd makes one exception of its own: hosts on
   the loopback.) Credentials then travel in plain text, which is why nobody but the user can name one.
2. containerd reads the file at each pull; nothing needs a restart.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from casemate.errors import InputError

_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?")


def name_as_plain(certs: Path, registry: str) -> None:
    """Let images of `registry` (`host` or `host:port`) be pulled over plain HTTP. Raises `InputError`.

    `certs` is the directory that the engine's `config_path` points at.
    """
    _check(registry)
    folder = certs / registry
    folder.mkdir(parents=True, exist_ok=True)
    unfinished = folder / f".hosts.toml.{os.getpid()}"
    unfinished.write_text(render(registry))
    unfinished.replace(folder / "hosts.toml")


def render(registry: str) -> str:
    """The hosts.toml of a registry that speaks plain HTTP."""
    return f'server = "http://{registry}"\n\n[host."http://{registry}"]\n  capabilities = ["pull", "resolve"]\n'


def _check(registry: str) -> None:
    if not _HOST.fullmatch(registry) or ".." in registry:
        raise InputError(f"{registry!r} is no registry", fix="name it as host or host:port, without http://")
