"""`casemate admit`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from casemate.admission import logs, supervise
from casemate.admission.settings import Address, Callers, Files, Serving
from casemate.errors import InputError
from casemate.model.policy import PolicySettings

_DAY = 86400.0


def admit(
    *,
    policy: Annotated[list[str], Parameter(negative=())] = [],  # noqa: B006 - cyclopts copies it
    listen: str = ":8443",
    health: str = ":8080",
    workers: int = 2,
    kubeconfig: str | None = None,
    context: str | None = None,
    namespace: str = "casemate-system",
    service: str = "casemate-admission",
    default_handler: str = "runc",
    guardian: Annotated[list[str], Parameter(negative=())] = ["system:masters"],  # noqa: B006
    max_exception_days: int = 90,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    host_name: Annotated[list[str], Parameter(negative=())] = [],  # noqa: B006
    certificate_days: float = 90.0,
    client_ca: Path | None = None,
    client_name: Annotated[list[str], Parameter(negative=())] = [],  # noqa: B006
    state: Path | None = None,
    drain: float = 10.0,
    audit_every: float = 300.0,
    probe_every: float = 60.0,
    catalogue: Annotated[list[Path], Parameter(negative=())] = [],  # noqa: B006
    log_level: Literal["debug", "info", "warning", "error"] = "info",
) -> int:
    """Answer the API server's admission webhooks by isolation policies, over HTTPS, until told to end.

    Policies come from the cluster, or with --policy from files. Fails closed: what cannot be judged is denied.
    SIGTERM drains.

    Parameters
    ----------
    policy
        A file or folder of policies, and of Namespaces, RuntimeClasses and Nodes; repeatable. The
        cluster's when there is none.
    listen
        HOST:PORT of HTTPS; :PORT is every address.
    health
        HOST:PORT of /livez, /readyz and /metrics, over HTTP.
    workers
        Processes that answer; one per core is enough.
    kubeconfig
        As kubectl finds it, or the Pod's service account.
    context
        Which context of the kubeconfig.
    namespace
        Casemate's own namespace, which is never judged.
    service
        The Service's name, for the certificate.
    default_handler
        What nodes run when a Pod names no class.
    guardian
        A group that may move anchors: namespace labels that policies select on, RuntimeClasses, policies;
        repeatable.
    max_exception_days
        How far off an exception's last day may be.
    tls_cert
        A certificate that somebody else keeps current, such as cert-manager; with --tls-key.
    tls_key
        Its key.
    host_name
        One more name or address for the certificate; repeatable.
    certificate_days
        How long a certificate lives that casemate makes; it is renewed when a third is left.
    client_ca
        Whose certificates callers must show.
    client_name
        A name that callers' certificates must have; repeatable. Any, when there is none.
    state
        A folder for what the processes share, and for the CA on one machine. A new one when there is none.
    drain
        Seconds to answer on after SIGTERM.
    audit_every
        Seconds between audits of existing objects.
    probe_every
        Seconds between probes that must be denied.
    catalogue
        A file with your own rows; repeatable.
    log_level
        debug, info, warning or error.
    """
    if client_name and not client_ca:
        raise InputError("--client-name without --client-ca", fix="say whose certificates count")
    if (tls_cert is None) != (tls_key is None):
        raise InputError("--tls-cert and --tls-key belong together", fix="give both, or neither")
    if workers < 1:
        raise InputError(f"--workers {workers}", fix="one at least")
    logs.set_up(log_level)
    settings = PolicySettings(
        default_handler=default_handler,
        own_namespace=namespace,
        guardians=tuple(guardian),
        max_exception_days=max_exception_days,
    )
    serving = Serving(
        state=state or Path(tempfile.mkdtemp(prefix="casemate-admit-")),
        listen=Address.parse(listen, "--listen"),
        health=Address.parse(health, "--health"),
        workers=workers,
        policy=settings,
        inputs=tuple(policy),
        kubeconfig=kubeconfig,
        context=context,
        files=Files(tls_cert, tls_key) if tls_cert and tls_key else None,
        callers=Callers(client_ca, tuple(client_name)) if client_ca else None,
        service=service,
        lifetime=certificate_days * _DAY,
        drain=drain,
        audit=audit_every,
        probe=probe_every,
        host_names=tuple(host_name),
        catalogue=tuple(catalogue),
    )
    os.umask(0o077)
    return supervise.run(serving)
