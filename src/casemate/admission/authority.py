"""Carry out what `certificates.plan` says: keep the material, tell API servers whom to trust, publish what is shown.

1. In a cluster the material is one Secret, written with the version that was read: replicas agree on it, and any of
   them may renew it. On one machine it is a file of the state folder, and `ca.crt` beside it is for the API server.
2. First the configurations get the bundle, then the material says that they were told, then the new CA signs. A bundle
   that somebody changed is put right.
3. A certificate from files is read again when they change; its CA is somebody else's to announce.
"""

from __future__ import annotations

import asyncio
import base64
import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import msgspec
import structlog

from casemate.admission.certificates import Material, Pair, Wanted, ends, plan, told
from casemate.admission.kube import Kube, Object, StatusError, Unreached
from casemate.admission.published import Certificate
from casemate.admission.settings import Files
from casemate.errors import CasemateError, InputError

SECRET: Final = "casemate-admission-certificates"  # noqa: S105 - its name
CONFIGURATION: Final = "casemate-admission"
_KINDS: Final = ("mutatingwebhookconfigurations", "validatingwebhookconfigurations")
_KEY: Final = "material"
_CONFLICT: Final = 409
_MOST_STEPS: Final = 4

_log = structlog.get_logger("casemate.admission")

Publish = Callable[[Certificate], None]
Note = Callable[[str, float], None]


class Keeping(Protocol):
    """Where the material is kept."""

    async def read(self) -> Material:
        """What is kept; empty material when there is none."""

    async def write(self, material: Material) -> None:
        """Keep that instead of what was read, unless somebody else was faster."""

    async def tell(self, bundle: bytes) -> bool:
        """See to it that API servers trust these CAs. False when they do not yet."""


class InFolder:
    """The material in the state folder."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / _KEY
        self._bundle = folder / "ca.crt"

    async def read(self) -> Material:
        """What the file has."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=Material)
        except (FileNotFoundError, msgspec.DecodeError):
            return Material()

    async def write(self, material: Material) -> None:
        """Replace the file, which nobody else may read."""
        made = self._file.with_suffix(".new")
        made.touch(mode=0o600)
        made.write_bytes(msgspec.json.encode(material))
        made.replace(self._file)

    async def tell(self, bundle: bytes) -> bool:
        """Write the bundle down for whoever sets up the API server."""
        made = self._bundle.with_suffix(".new")
        made.write_bytes(bundle)
        made.replace(self._bundle)
        return True


class InSecret:
    """The material in a Secret, the bundle in the webhook configurations."""

    def __init__(self, kube: Kube, namespace: str) -> None:
        self._kube = kube
        self._secrets = f"/api/v1/namespaces/{namespace}/secrets"
        self._found: Object | None = None

    async def read(self) -> Material:
        """What the Secret has. One that cannot be read counts as empty."""
        try:
            self._found = await self._kube.get(f"{self._secrets}/{SECRET}")
        except StatusError as error:
            if error.code != 404:
                raise
            self._found = None
            return Material()
        data = self._found.get("data")
        text = data.get(_KEY) if isinstance(data, dict) else None
        try:
            return msgspec.json.decode(base64.b64decode(str(text)), type=Material) if text else Material()
        except (ValueError, msgspec.DecodeError):
            return Material()

    async def write(self, material: Material) -> None:
        """Write the Secret, unless it changed since it was read."""
        data = {_KEY: msgspec.json.encode(material), "ca.crt": material.bundle}
        encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
        try:
            if self._found is None:
                await self._kube.create(self._secrets, {"metadata": {"name": SECRET}, "data": encoded})
            else:
                await self._kube.replace(f"{self._secrets}/{SECRET}", self._found | {"data": encoded})
        except StatusError as error:
            if error.code != _CONFLICT:
                raise

    async def tell(self, bundle: bytes) -> bool:
        """Write the bundle into both configurations, where it differs. False when one of them is missing."""
        done = [await self._told(kind, base64.b64encode(bundle).decode()) for kind in _KINDS]
        return all(done)

    async def _told(self, kind: str, bundle: str) -> bool:
        path = f"/apis/admissionregistration.k8s.io/v1/{kind}/{CONFIGURATION}"
        try:
            found = await self._kube.get(path)
            if _give(found, bundle):
                await self._kube.replace(path, found)
                _log.info("told API servers whom to trust", configuration=kind)
        except StatusError as error:
            if error.code in (404, _CONFLICT):
                _log.warning("not told yet whom to trust", configuration=kind, error=error.message)
                return False
            raise
        return True


def _give(configuration: Object, bundle: str) -> bool:
    """Set the bundle of every webhook that is called by service. True when one had another."""
    webhooks = configuration.get("webhooks")
    changed = False
    for each in webhooks if isinstance(webhooks, list) else ():
        client = each.get("clientConfig") if isinstance(each, dict) else None
        if isinstance(client, dict) and client.get("caBundle") != bundle:
            client["caBundle"] = bundle
            changed = True
    return changed


class Authority:
    """Keeps one certificate current."""

    def __init__(self, keeping: Keeping, wanted: Wanted, publish: Publish, note: Note) -> None:
        self._keeping = keeping
        self._wanted = wanted
        self._publish = publish
        self._note = note
        self._shown = b""
        self.told = False

    async def keep(self) -> None:
        """Never ends."""
        every = max(0.2, min(10.0, self._wanted.lifetime.total_seconds() / 60))
        while True:
            try:
                await self.step()
            except (StatusError, Unreached, CasemateError, OSError) as error:
                _log.error("certificates are not kept", error=str(error))
            await asyncio.sleep(every)

    async def step(self) -> None:
        """Do whatever is due."""
        for _ in range(_MOST_STEPS):
            found = await self._keeping.read()
            now = datetime.datetime.now(datetime.UTC)
            due = plan(found, self._wanted, now)
            if due is found:
                trusted = await self._keeping.tell(found.bundle)
                self.told = self.told or trusted
                due = told(found, now) if trusted else found
            if due is found:
                self._show(found)
                return
            await self._keeping.write(due)  # Whoever was faster: the next round reads what holds.
        _log.warning("certificates are still changing")

    def _show(self, material: Material) -> None:
        assert material.leaf is not None
        assert material.ca is not None
        if material.leaf.certificate == self._shown:
            return
        self._publish(Certificate(chain=material.leaf.certificate, key=material.leaf.key))
        self._shown = material.leaf.certificate
        for which, pair in (("ca", material.ca), ("server", material.leaf)):
            if ending := ends(pair):
                self._note(which, ending.timestamp())
                _log.info("certificate", which=which, ends=ending.isoformat())


async def keep_files(files: Files, publish: Publish, note: Note) -> None:
    """Publish a certificate that somebody else keeps, whenever it changes. Never ends."""
    shown = Certificate(chain=b"", key=b"")
    while True:
        try:
            found = read_files(files)
            if found != shown:
                publish(found)
                shown = found
                _log.info("certificate", which="server", file=str(files.certificate))
        except InputError as error:
            _log.error("certificate not read", error=str(error))
        if ending := _ends(shown):
            note("server", ending)
        await asyncio.sleep(1)


def _ends(certificate: Certificate) -> float | None:
    found = ends(Pair(certificate.chain, certificate.key))
    return found.timestamp() if found else None


def read_files(files: Files) -> Certificate:
    """A certificate and its key. Raises `InputError` when one of them cannot be read."""
    try:
        return Certificate(chain=files.certificate.read_bytes(), key=files.key.read_bytes())
    except OSError as error:
        raise InputError(
            f"cannot read the certificate: {(error.strerror or str(error)).lower()}",
            where=str(error.filename),
            fix="check --tls-cert and --tls-key",
        ) from None
