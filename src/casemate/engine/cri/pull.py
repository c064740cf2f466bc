"""Images onto the engine: from their registries, or from files that the user gave.

1. `casemate.images.policy` decides whether a registry is asked.
2. Credentials that match are tried in turn while the registry refuses; any other failure ends the pull. A credential
   is bound to the image's registry: a mirror or a redirect does not get it.
3. What goes wrong is said in our words, with the reason that Kubernetes gives it (ErrImagePull, ErrImageNeverPull):
   an unreachable registry and a cut connection are incomplete (the next try may succeed), the rest are faults.
4. An image from files is checked first (`casemate.images.layout`), then stored, then asked for by name until CRI knows.
   CRI has no call for it, so other engines than containerd refuse.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from casemate.engine.cri import cri_pb2 as pb
from casemate.engine.cri.client import CriClient
from casemate.engine.cri.faults import EngineUnreachable
from casemate.errors import CasemateError, IncompleteError, RefusedError, RuntimeFault
from casemate.images import layout, store
from casemate.images.credentials import Credential
from casemate.images.policy import PullPolicy, Step, next_step
from casemate.images.reference import DEFAULT_REGISTRY, Reference

VISIBLE_SECONDS = 10.0
"""How long CRI may take to see an image that containerd has."""


class PullFailed(RuntimeFault):
    """The image cannot be had; `reason` is Kubernetes' word for it."""

    reason = "ErrImagePull"


class NeverPulled(PullFailed):
    """The image is not here and must not be pulled."""

    reason = "ErrImageNeverPull"


class Refused(PullFailed):
    """The registry wants other credentials, or any."""


async def ensure(
    client: CriClient,
    image: Reference,
    policy: PullPolicy,
    credentials: Sequence[Credential] = (),
    *,
    given: bool = False,
) -> str:
    """Have `image` on the engine as `policy` wants it; its id. `given` says that the user brought it from files.

    Raises `PullFailed` or `IncompleteError`.
    """
    present = await client.image_status(image.engine_name)
    match next_step(policy, present=present is not None, given=given):
        case Step.USE if present:
            return present.id
        case Step.FAIL:
            raise NeverPulled(
                "the image is not on the engine, and its imagePullPolicy is Never",
                where=str(image),
                fix=f"--image {image}=PATH, or another imagePullPolicy",
            )
    return await pull(client, image, credentials)


async def pull(client: CriClient, image: Reference, credentials: Sequence[Credential] = ()) -> str:
    """Pull `image` from its registry; its id. Raises `PullFailed` or `IncompleteError`."""
    refusal: CasemateError | None = None
    for credential in credentials or (None,):
        try:
            return await client.pull_image(image.engine_name, _auth(credential, image) if credential else None)
        except EngineUnreachable:
            raise
        except RuntimeFault as fault:
            refusal = explain(fault.what, image, with_credentials=credential is not None)
            if not isinstance(refusal, Refused):
                raise refusal from None
    assert refusal
    raise refusal


async def bring(client: CriClient, path: Path, name: Reference, snapshotter: str = "overlayfs") -> str:
    """Bring the image in the layout or archive at `path` onto the engine as `name`; its id. Raises `CasemateError`."""
    engine = (await client.version()).runtime_name
    if engine != "containerd":
        raise RefusedError(f"{engine} takes images from registries only", where=f"--image {name}={path}")
    image = await asyncio.to_thread(layout.read, path, name)
    await asyncio.to_thread(store.add, image, name, client.socket, snapshotter)
    for _ in range(int(VISIBLE_SECONDS / 0.05)):
        found = await client.image_status(name.engine_name)
        if found and found.id == image.id:
            return found.id
        await asyncio.sleep(0.05)
    raise IncompleteError("containerd took the image, but CRI does not show it", where=str(name))


def _auth(credential: Credential, image: Reference) -> pb.AuthConfig:
    host = f"registry-1.{DEFAULT_REGISTRY}" if image.registry == DEFAULT_REGISTRY else image.registry
    return pb.AuthConfig(
        username=credential.username,
        password=credential.password,
        identity_token=credential.identity_token,
        registry_token=credential.registry_token,
        server_address=f"https://{host}",
    )


@dataclass(frozen=True)
class _Explanation:
    pattern: str
    kind: type[CasemateError]
    what: str
    fix: str = ""


_REFUSAL = "401 Unauthorized|authorization failed|insufficient_scope|403 Forbidden|no basic auth credentials"
_NO_CREDENTIALS = _Explanation(
    _REFUSAL,
    Refused,
    "the registry {registry} does not let us have the image without credentials",
    "imagePullSecrets with a Secret of type kubernetes.io/dockerconfigjson for {registry}",
)
_WRONG_CREDENTIALS = _Explanation(
    _REFUSAL,
    Refused,
    "the registry {registry} does not let us have the image with the credentials of its imagePullSecrets",
    "check them, and that they may read {image}",
)
_EXPLANATIONS = (
    _Explanation(
        "server gave HTTP response to HTTPS client|first record does not look like a TLS handshake",
        PullFailed,
        "the registry {registry} speaks plain HTTP and was not named as one that may",
        "--plain-http {registry}, if you trust the network to it",
    ),
    _Explanation("x509:|tls: ", PullFailed, "the certificate of the registry {registry} is not trusted: {message}"),
    _Explanation(
        "no space left on device|disk quota exceeded", PullFailed, "no room on the engine's disk", "make room"
    ),
    _Explanation(
        "no such host|connection refused|no route to host|network is unreachable|i/o timeout|server misbehaving",
        IncompleteError,
        "the registry {registry} cannot be reached: {message}",
        "check the registry's name and the network, or give the image with --image {image}=PATH",
    ),
    _Explanation(
        "unexpected EOF|connection reset|: EOF|short read",
        IncompleteError,
        "the connection to the registry {registry} was cut: {message}",
        "try again",
    ),
    _Explanation(
        "unexpected commit digest|failed size validation|digest mismatch|wrong diff ?id|failed to validate manifest",
        PullFailed,
        "the registry {registry} sent content that is not of its digest and size: {message}",
        "push the image anew",
    ),
    _Explanation(
        "no match for platform",
        PullFailed,
        "the registry has no image for this platform",
        "fetch an image for wasi/wasm as an OCI layout, and give it with --image {image}=PATH",
    ),
    _Explanation(": not found", PullFailed, "the registry {registry} has no such image", "check the name and the tag"),
)


def explain(message: str, image: Reference, *, with_credentials: bool = False) -> CasemateError:
    """Our error for what an engine said when `image` could not be pulled."""
    cause = re.sub(r'^failed to pull and unpack image "[^"]*": ', "", message)
    values = {"registry": image.registry, "image": image, "message": cause}
    for each in (_WRONG_CREDENTIALS if with_credentials else _NO_CREDENTIALS, *_EXPLANATIONS):
        if re.search(each.pattern, message):
            return each.kind(each.what.format(**values), where=str(image), fix=each.fix.format(**values))
    return PullFailed(f"the image cannot be pulled: {cause}", where=str(image))
