"""`casemate prove`."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from casemate.cli import written
from casemate.cli.options import EngineName, Output
from casemate.cli.root import require_root
from casemate.engine.ensure import ensure_started
from casemate.engine.paths import DEFAULT_ENGINE, EnginePaths
from casemate.errors import InputError
from casemate.model.proof import Proof, Result
from casemate.prove import session
from casemate.prove import watch as drift
from casemate.prove.sandbox import Place
from casemate.prove.session import Asked
from casemate.report.proof import print_proofs, proofs_json

if TYPE_CHECKING:
    from casemate.prove.declared import Declared

app = App(name="prove", help="Show that a boundary is what its name says.")
app.command("casemate.cli.prove_attestation:attestation", name="attestation", help="Verify a VM's evidence offline.")
app.command("casemate.cli.prove_cluster:cluster", name="cluster", help="Show each class on each node of a cluster.")
app.command("casemate.cli.prove_publish:publish", name="publish", help="Prove this node for its cluster, for ever.")

WHOLE = "only root sees the node's processes whole"


@Parameter(name="*")
@dataclass(frozen=True)
class InCluster:
    """The cluster whose objects declare what should run here."""

    kubeconfig: str | None = None
    """Compare with the Pods and RuntimeClasses of this kubeconfig's cluster."""
    context: str | None = None
    """The kubeconfig's context; else its current one. Asks the cluster as well."""
    node_name: str = ""
    """This node's name in the cluster; else the machine's."""

    def declared(self) -> Declared | None:
        """What the cluster says of this node; None where none was named."""
        if self.kubeconfig is None and self.context is None:
            return None
        from casemate.engine import node
        from casemate.prove import declared

        return declared.read(self.kubeconfig, self.context, self.node_name or node.gather().name)


_Names = Annotated[list[str], Parameter(negative=())]


@Parameter(name="*")
@dataclass(frozen=True)
class Chosen:
    """What is to be proven."""

    runtime: _Names = field(default_factory=list)
    """Handlers to prove; repeatable. All of them when nothing is named."""
    class_: Annotated[list[str], Parameter(name="--class", negative=())] = field(default_factory=list)
    """RuntimeClasses to prove; repeatable."""
    pod: _Names = field(default_factory=list)
    """Pods that run, as POD or NAMESPACE/POD, with their handlers; repeatable."""
    everything: Annotated[bool, Parameter(name="--all", negative=())] = False
    """All handlers, and all Pods that run."""
    node: Annotated[bool, Parameter(negative=())] = False
    """All handlers of this node, and nothing that runs."""

    def check(self) -> None:
        """Raise `InputError` for names beside all."""
        if (self.everything or self.node) and (self.runtime or self.class_ or self.pod):
            raise InputError("--all and --node take no names", fix="name handlers, classes and Pods, or take all")

    def asked(self, there: InCluster) -> Asked:
        """The same, with what the cluster says of this node."""
        names = tuple(self.runtime), tuple(self.class_), tuple(self.pod)
        return Asked(*names, self.everything, there.declared(), there.node_name)


@Parameter(name="*")
@dataclass(frozen=True)
class Signing:
    """Whether the proofs are signed, and where they go then."""

    sign: Path | None = None
    """A private key in PEM; the proofs are signed with it, as an in-toto statement."""
    statement: Path | None = None
    """Where the signed statement goes; standard output when there is none."""

    @property
    def takes_output(self) -> bool:
        """Whether standard output is the statement's."""
        return self.sign is not None and self.statement is None

    def check(self) -> None:
        """Raise `InputError` for what would keep the proofs from being signed, before they are made."""
        if self.statement:
            if not self.sign:
                raise InputError("--statement without --sign", fix="name the key to sign with")
            written.check(self.statement)
        if self.sign:
            from casemate.prove import statement

            statement.signer(self.sign)

    def write(self, proofs: Sequence[Proof]) -> None:
        """Write the signed statement, if there is to be one."""
        if not self.sign:
            return
        from casemate.prove import statement

        signed = statement.sign(proofs, self.sign)
        if self.statement:
            written.write({self.statement: signed}, self.statement)
        else:
            sys.stdout.buffer.write(signed + b"\n")


@app.default
def prove(
    *,
    chosen: Chosen | None = None,
    cri: str | None = None,
    cluster: InCluster | None = None,
    signing: Signing | None = None,
    watch: Annotated[bool, Parameter(negative=())] = False,
    explain: Annotated[bool, Parameter(negative=())] = False,
    output: Output = "table",
    engine: EngineName = DEFAULT_ENGINE,
) -> int:
    """Show that the boundary that a handler or class names is the one that its sandboxes have.

    A prober runs in a sandbox of each handler with a random challenge, while the node's own processes are searched for
    it. Ends with 1 unless all are proven, with 3 when something needed is missing.

    Parameters
    ----------
    cri
        The socket of the node's own containerd or CRI-O, in place of an engine of casemate's.
    watch
        Prove again whenever a program or a configuration has changed, until interrupted.
    explain
        Show every observation.
    """
    signal.signal(signal.SIGTERM, interrupt)
    chosen, there, signing = chosen or Chosen(), cluster or InCluster(), signing or Signing()
    signing.check()
    chosen.check()
    require_root("prove", WHOLE)
    place = _place(cri, engine)
    asked = chosen.asked(there)

    def show(proofs: Sequence[Proof]) -> None:
        if not signing.takes_output:
            print(proofs_json(proofs), flush=True) if output == "json" else print_proofs(proofs, explain=explain)
        signing.write(proofs)

    try:
        if watch:
            asyncio.run(_watch(place, asked, there, show))
        proofs = asyncio.run(session.prove(place, asked))
    except KeyboardInterrupt:
        asyncio.run(session.sweep(place))
        raise
    show(proofs)
    return exit_code(proofs)


async def _watch(place: Place, asked: Asked, there: InCluster, show: Callable[[Sequence[Proof]], None]) -> None:
    async for each in drift.watch(place, asked, there.declared):
        for changed in each.changed:
            print(f"casemate: changed: {changed}; older proofs are stale", file=sys.stderr, flush=True)
        show(each.proofs)


@app.command
def verify(file: Path, /, *, key: Path, explain: bool = False, output: Output = "table") -> int:
    """Check a signed statement, and show what was proven when and where. Ends with 1 unless it is signed and all was.

    Parameters
    ----------
    file
        The statement, as `casemate prove --sign` wrote it.
    key
        The public key in PEM that must have signed it.
    explain
        Show every observation.
    """
    # Imported late: cryptography takes longer than everything else here.
    from casemate.prove import statement

    proofs = statement.verify(file, key)
    print(proofs_json(proofs)) if output == "json" else print_proofs(proofs, explain=explain, afar=True)
    return exit_code(proofs)


def exit_code(proofs: Sequence[Proof]) -> int:
    """0 when all are proven."""
    return 0 if proofs and all(each.result is Result.PROVEN for each in proofs) else 1


def _place(cri: str | None, engine: str) -> Place:
    if cri:
        return node_place(cri)
    paths = EnginePaths(engine)
    return session.engine_place(paths, ensure_started(paths))


def node_place(cri: str) -> Place:
    """The node's own containerd or CRI-O, by its socket. Raises `InputError` when none answers there."""
    from casemate.engine import lifecycle
    from casemate.engine.containerd import process

    socket = process.cri_socket(cri)
    return session.node_place(socket, systemd=asyncio.run(lifecycle.leaves_cgroups_to_systemd(socket)))


def interrupt(_number: int, _frame: object) -> None:
    """As Ctrl-C, which asyncio turns into the end of what it runs: sandboxes are removed on the way."""
    signal.raise_signal(signal.SIGINT)
