"""Credentials from a plugin of the kubeconfig (`exec`), as client.authentication.k8s.io has it.

The plugin writes an `ExecCredential` to its standard output; what it writes to standard error is for the person.
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import msgspec

from casemate.errors import IncompleteError, InputError, MissingError, RefusedError

_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_SECONDS = 60


class Variable(msgspec.Struct, frozen=True):
    """An environment variable for the plugin."""

    name: str
    value: str = ""


class Plugin(msgspec.Struct, frozen=True, rename="camel"):
    """The plugin as the kubeconfig names it."""

    command: str
    api_version: str = _VERSIONS[0]
    args: tuple[str, ...] = ()
    env: tuple[Variable, ...] = ()
    install_hint: str = ""
    interactive_mode: str = "IfAvailable"


@dataclass(frozen=True, slots=True)
class Given:
    """What a plugin gave: a token, or a certificate with its key (PEM)."""

    token: str
    certificate: bytes
    key: bytes


class _Status(msgspec.Struct, frozen=True, rename="camel"):
    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""


class _Credential(msgspec.Struct, frozen=True):
    status: _Status = _Status()


def ask(plugin: Plugin, server: str, folder: Path) -> Given:
    """Run the plugin. `folder` is what a relative command counts from."""
    if plugin.api_version not in _VERSIONS:
        fix = f"it must speak {_VERSIONS[0]}"
        raise RefusedError(f"plugin {plugin.command} speaks {plugin.api_version}", fix=fix)
    if plugin.interactive_mode == "Always":
        raise RefusedError(f"plugin {plugin.command} wants to talk to a person", fix="log in first, or use a token")
    try:
        status = msgspec.json.decode(_run(plugin, server, folder), type=_Credential).status
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise InputError(f"plugin {plugin.command} gave no ExecCredential: {error}", fix="run it by hand") from None
    if not status.token and not (status.client_certificate_data and status.client_key_data):
        raise InputError(f"plugin {plugin.command} gave neither token nor certificate", fix="run it by hand")
    return Given(status.token, status.client_certificate_data.encode(), status.client_key_data.encode())


def _run(plugin: Plugin, server: str, folder: Path) -> bytes:
    command = str(folder / plugin.command) if "/" in plugin.command else plugin.command
    info = {
        "apiVersion": plugin.api_version,
        "kind": "ExecCredential",
        "spec": {"interactive": False, "cluster": {"server": server}},
    }
    environment = os.environ | {each.name: each.value for each in plugin.env}
    environment["KUBERNETES_EXEC_INFO"] = msgspec.json.encode(info).decode()
    try:
        done = subprocess.run(
            [command, *plugin.args],
            check=False,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=_SECONDS,
        )
    except FileNotFoundError:
        hint = plugin.install_hint.strip() or "install it, or use another context"
        raise MissingError(f"plugin {plugin.command} of the kubeconfig is not there", fix=hint) from None
    except OSError as error:
        raise InputError(f"plugin {plugin.command} does not start: {error.strerror}", fix="run it by hand") from None
    except subprocess.TimeoutExpired:
        what = f"plugin {plugin.command} gave no answer within {_SECONDS} s"
        raise IncompleteError(what, fix="log in first, or use a token") from None
    if done.returncode:
        raise InputError(f"plugin {plugin.command} ended with {done.returncode}", fix="log in again, or run it by hand")
    return done.stdout
