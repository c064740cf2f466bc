"""`casemate node`: doctor, plan, apply, revert."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from casemate import exit_codes
from casemate.cli.options import Output, Seconds
from casemate.cli.root import require_root
from casemate.errors import InputError
from casemate.model.node_check import Verdict

if TYPE_CHECKING:
    from casemate.node.cluster import Cluster
    from casemate.node.daemon import Where

app = App(name="node", help="Inspect a node's container runtime, prepare it for more handlers, and undo that.")


@Parameter(name="*")
@dataclass(frozen=True)
class Runtime:
    """Which runtime is meant, where a node has more than one or keeps it at a place of its own."""

    socket: str = ""
    """The CRI socket; else that of the first runtime that is found."""
    config: Path | None = None
    """The runtime's configuration file; else the one that its process was started with."""
    restart: str = ""
    """A shell command that restarts it; else by systemd, or as it was started by hand."""

    def where(self) -> Where:
        """The same for the modules that do it."""
        from casemate.node.daemon import Where

        config = str(self.config.absolute()) if self.config else ""
        return Where(socket=self.socket.removeprefix("unix://"), config=config, restart=self.restart)

    def there(self) -> Where:
        """The same, of a runtime whose configuration is there. Raises `InputError` when it is not."""
        if self.config and not self.config.is_file():
            raise InputError("no such file", where=f"--config {self.config}", fix="check the path, or leave it out")
        return self.where()


@Parameter(name="*")
@dataclass(frozen=True)
class InCluster:
    """The cluster that is told of a prepared node."""

    cluster: Annotated[bool, Parameter(negative=())] = False
    """Make RuntimeClasses and label the node, in the kubeconfig's cluster or the one that this runs in."""
    kubeconfig: str | None = None
    """The kubeconfig; else as kubectl finds it. Means --cluster."""
    context: str | None = None
    """The kubeconfig's context; else its current one. Means --cluster."""
    node: str = ""
    """The node's name in the cluster; else this machine's."""
    in_turn: Annotated[bool, Parameter(negative=())] = False
    """Wait until no other node is being changed, and tell how it ended by the node's condition and an event."""
    wait: Seconds = 3600.0
    """Seconds to wait for the turn."""

    @contextmanager
    def connected(self, done: str) -> Iterator[Cluster | None]:
        """A connection in this node's turn; None where no cluster is meant."""
        if not (self.cluster or self.kubeconfig is not None or self.context is not None):
            if self.in_turn:
                raise InputError("--in-turn needs a cluster", fix="add --cluster")
            yield None
            return
        from casemate.node import turn
        from casemate.node.cluster import connect

        with connect(self.kubeconfig, self.context, self.node or platform.node()) as cluster, ExitStack() as stack:
            if self.in_turn:
                stack.enter_context(turn.turn(cluster, _say, self.wait))
                stack.enter_context(turn.told(cluster, done))
            yield cluster


Handlers = Annotated[list[str], Parameter(name="--handler", negative=())]


@app.command
def doctor(
    *,
    runtime: Runtime | None = None,
    kubeconfig: str | None = None,
    context: str | None = None,
    classes: Annotated[list[Path], Parameter(negative=())] = [],  # noqa: B006
    output: Output = "table",
) -> int:
    """Look at this node's runtime, handlers, kernel and containers, and judge how hardened they are. Changes nothing.

    Ends with 1 when a check failed, with 4 when none did but something could not be looked at.

    Parameters
    ----------
    kubeconfig
        Compare with the RuntimeClasses of this cluster.
    context
        The kubeconfig's context; else its current one. Asks the cluster as well.
    classes
        A file of RuntimeClasses to compare with instead; repeatable.
    """
    from msgspec.structs import replace

    from casemate.node import checks, inspect
    from casemate.node import classes as runtime_classes
    from casemate.report import node_doctor

    facts = inspect.look((runtime or Runtime()).there())
    if classes:
        facts = replace(facts, classes=runtime_classes.of_files(classes))
    elif kubeconfig is not None or context is not None:
        facts = replace(facts, classes=runtime_classes.of_cluster(kubeconfig, context, facts.name))
    found = checks.run(facts)
    print(node_doctor.doctor_json(facts, found) if output == "json" else node_doctor.doctor_text(facts, found), end="")
    verdicts = {each.verdict for each in found}
    return exit_codes.after_looking(found=Verdict.FAIL in verdicts, missed=Verdict.COULD_NOT_LOOK in verdicts)


@app.command
def plan(*, handler: Handlers = [], runtime: Runtime | None = None, output: Output = "table") -> int:  # noqa: B006
    """Show what `apply` would change: the files as a diff, the restart, the RuntimeClasses. Changes nothing.

    The runtime itself reads the planned files, in a folder of their own, and must find in them exactly what is planned.

    Parameters
    ----------
    handler
        A handler to prepare (crun, runsc, kata-qemu, …); repeatable. All whose programs are here when there is none.
    """
    from casemate.node import prepare
    from casemate.report import node_plan

    found = prepare.prepare((runtime or Runtime()).there(), handler)
    print(node_plan.plan_json(found.plan) if output == "json" else node_plan.plan_text(found.plan), end="")
    return 0


@app.command
def apply(
    *,
    handler: Handlers = [],  # noqa: B006
    runtime: Runtime | None = None,
    cluster: InCluster | None = None,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="")] = False,
    output: Output = "table",
) -> int:
    """Carry out the plan: write, restart, see that all Pods still run, start Pods under each new handler.

    Takes everything back when any of that fails. What a killed apply left is taken back by the next one, or by revert.

    Parameters
    ----------
    handler
        A handler to prepare; repeatable. All whose programs are here when there is none.
    yes
        Do not ask.
    """
    from casemate.node import apply as applying
    from casemate.report import node_plan

    require_root("node apply")
    where = (runtime or Runtime()).there()
    with (cluster or InCluster()).connected("Prepared") as told:
        found = applying.begin(where, handler, _say)
        if not found.plan.is_empty:
            print(node_plan.plan_text(found.plan), end="", file=sys.stderr)
            _agree("apply", yes)
        done = applying.apply(where, handler, found, _say)
        print(node_plan.outcome_json(done) if output == "json" else node_plan.outcome_text(done), end="")
        if told is not None:
            _publish(told, node_plan.runtime_classes(done))
    return exit_codes.after_looking(found=False, missed=any(each.reason for each in done.measured))


def _publish(cluster: Cluster, classes: list[dict[str, object]]) -> None:
    from casemate.node.cluster import publish

    for label in publish(cluster, classes):
        _say(f"labelled the node {label}=ready")


@app.command
def revert(
    *,
    runtime: Runtime | None = None,
    cluster: InCluster | None = None,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="")] = False,
    output: Output = "table",
) -> int:
    """Put back every file that apply changed, byte for byte, and restart the runtime.

    Refuses while Pods run under handlers that would go, and when somebody else changed one of the files since.

    Parameters
    ----------
    yes
        Do not ask.
    """
    from casemate.node import apply as applying
    from casemate.node import daemon
    from casemate.report import node_plan

    require_root("node revert")
    where = (runtime or Runtime()).where()
    found = daemon.find(where)
    _agree("revert", yes)
    with (cluster or InCluster()).connected("Reverted") as told:
        if told is not None:
            _make_room(told, applying.handlers_of(found.config_file))
        done = applying.revert(found.config_file, _say, where.restart)
    print(node_plan.outcome_json(done) if output == "json" else node_plan.outcome_text(done), end="")
    return 0


def _make_room(cluster: Cluster, handlers: tuple[str, ...]) -> None:
    """No further Pods first, then the end of those that are here."""
    from casemate.node import turn
    from casemate.node.cluster import withdraw

    withdraw(cluster, handlers)
    turn.make_room(cluster, handlers, _say)


def _agree(command: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise InputError("nobody is there to agree", fix=f"casemate node {command} --yes")
    if input("the runtime will be restarted; go on? [y/N] ").strip().lower() not in ("y", "yes"):
        raise InputError("nothing was changed", fix=f"casemate node {command} --yes")


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
