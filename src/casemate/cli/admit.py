"""`casemate admit`."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from casemate.admission import logs, supervise
from casemate.admission.settings import Address, Callers, Files, Serving
from casemate.errors import InputError
from casemate.model.policy import PolicySettings

_DAY = 86400.0


@Parameter(name="*")
@dataclass(frozen=True)
class Sources:
    """Where policies, and what is known of runtimes, come from."""

    policy: Annotated[list[str], Parameter(negative=())] = field(default_factory=list)
    """A file or folder of policies, and of Namespaces, RuntimeClasses and Nodes; repeatable. The cluster's when there
    is none."""
    kubeconfig: str | None = None
    """As kubectl finds it, or the Pod's service account."""
    context: str | None = None
    """Which context of the kubeconfig."""
    catalogue: Annotated[list[Path], Parameter(negative=())] = field(default_factory=list)
    """A file with your own rows; repeatable."""


@Parameter(name="*")
@dataclass(frozen=True)
class Judging:
    """What holds for all policies."""

    namespace: str = "casemate-system"
    """Casemate's own namespace, which is never judged."""
    default_handler: str = "runc"
    """What nodes run when a Pod names no class."""
    guardian: Annotated[list[str], Parameter(negative=())] = field(default_factory=lambda: ["system:masters"])
    """A group that may move anchors: namespace labels that policies select on, RuntimeClasses, policies; repeatable."""
    max_exception_days: int = 90
    """How far off an exception's last day may be."""

    def settings(self) -> PolicySettings:
        """The same for what judges."""
        return PolicySettings(
            default_handler=self.default_handler,
            own_namespace=self.namespace,
            guardians=tuple(self.guardian),
            max_exception_days=self.max_exception_days,
        )


@Parameter(name="*")
@dataclass(frozen=True)
class Certificate:
    """The certificate that callers are shown: casemate's own, or one that is given."""

    service: str = "casemate-admission"
    """The Service's name, for the certificate."""
    host_name: Annotated[list[str], Parameter(negative=())] = field(default_factory=list)
    """One more name or address for the certificate; repeatable."""
    certificate_days: float = 90.0
    """How long a certificate lives that casemate makes; it is renewed when a third is left."""
    tls_cert: Path | None = None
    """A certificate that somebody else keeps current, such as cert-manager; with --tls-key."""
    tls_key: Path | None = None
    """Its key."""

    def files(self) -> Files | None:
        """The certificate that is given. Raises `InputError` for half of one."""
        if (self.tls_cert is None) != (self.tls_key is None):
            raise InputError("--tls-cert and --tls-key belong together", fix="give both, or neither")
        return Files(self.tls_cert, self.tls_key) if self.tls_cert and self.tls_key else None


@Parameter(name="*")
@dataclass(frozen=True)
class Clients:
    """Who may ask."""

    client_ca: Path | None = None
    """Whose certificates callers must show."""
    client_name: Annotated[list[str], Parameter(negative=())] = field(default_factory=list)
    """A name that callers' certificates must have; repeatable. Any, when there is none."""

    def callers(self) -> Callers | None:
        """The same for the server. Raises `InputError` for names without a CA."""
        if self.client_name and not self.client_ca:
            raise InputError("--client-name without --client-ca", fix="say whose certificates count")
        return Callers(self.client_ca, tuple(self.client_name)) if self.client_ca else None


def admit(
    *,
    sources: Sources | None = None,
    judging: Judging | None = None,
    listen: str = ":8443",
    health: str = ":8080",
    workers: int = 2,
    certificate: Certificate | None = None,
    clients: Clients | None = None,
    state: Path | None = None,
    drain: float = 10.0,
    audit_every: float = 300.0,
    probe_every: float = 60.0,
    log_level: Literal["debug", "info", "warning", "error"] = "info",
) -> int:
    """Answer the API server's admission webhooks by isolation policies, over HTTPS, until told to end.

    Policies come from the cluster, or with --policy from files. Fails closed: what cannot be judged is denied.
    SIGTERM drains.

    Parameters
    ----------
    listen
        HOST:PORT of HTTPS; :PORT is every address.
    health
        HOST:PORT of /livez, /readyz and /metrics, over HTTP.
    workers
        Processes that answer; one per core is enough.
    state
        A folder for what the processes share, and for the CA on one machine. A new one when there is none.
    drain
        Seconds to answer on after SIGTERM.
    audit_every
        Seconds between audits of existing objects.
    probe_every
        Seconds between probes that must be denied.
    log_level
        debug, info, warning or error.
    """
    if workers < 1:
        raise InputError(f"--workers {workers}", fix="one at least")
    sources, certificate = sources or Sources(), certificate or Certificate()
    serving = Serving(
        listen=Address.parse(listen, "--listen"),
        health=Address.parse(health, "--health"),
        workers=workers,
        policy=(judging or Judging()).settings(),
        inputs=tuple(sources.policy),
        kubeconfig=sources.kubeconfig,
        context=sources.context,
        catalogue=tuple(sources.catalogue),
        files=certificate.files(),
        service=certificate.service,
        host_names=tuple(certificate.host_name),
        lifetime=certificate.certificate_days * _DAY,
        callers=(clients or Clients()).callers(),
        state=state or Path(tempfile.mkdtemp(prefix="casemate-admit-")),
        drain=drain,
        audit=audit_every,
        probe=probe_every,
    )
    logs.set_up(log_level)
    os.umask(0o077)
    return supervise.run(serving)
