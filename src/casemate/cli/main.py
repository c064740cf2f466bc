"""The `casemate` command: finds the subcommand, turns errors into messages and exit codes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cyclopts import App, CycloptsError, MissingArgumentError, UnusedCliTokensError

from casemate import __version__, exit_codes
from casemate.errors import CasemateError

app = App(
    name="casemate",
    version=__version__,
    help="Run Kubernetes Pods behind the boundary they ask for, and show that they are.",
    result_action="return_value",
    suppress_keyboard_interrupt=False,  # `run_command` says that it was interrupted
)
app.command("casemate.cli.run:run", name="run", help="Run Kubernetes manifests on this machine.")
app.command("casemate.cli.ps:ps", name="ps", help="List Pods: class, handler, boundary, state.")
app.command("casemate.cli.logs:logs", name="logs", help="Show a container's output.")
app.command("casemate.cli.exec:exec_", name="exec", help="Run a command in a container.")
app.command("casemate.cli.down:down", name="down", help="Stop a run and remove all that it made.")
app.command("casemate.cli.assess:assess", name="assess", help="Say what isolation workloads need, have, and lack.")
app.command("casemate.cli.explain:explain", name="explain", help="Open a workload, rule, CVE or class to its reasons.")
app.command("casemate.cli.catalogue:app", name="catalogue", help="Show what casemate knows of runtimes and risks.")
app.command("casemate.cli.compare:compare", name="compare", help="Run the same thing under several runtimes.")
app.command("casemate.cli.policy:app", name="policy", help="Check, test and explain isolation policies.")
app.command("casemate.cli.admit:admit", name="admit", help="Answer Kubernetes admission webhooks by policies.")
app.command("casemate.cli.corpus:app", name="corpus", help="Replay known ways around a policy.")
app.command("casemate.cli.prove:app", name="prove", help="Show that a boundary is what its name says.")
app.command("casemate.cli.engine:app", name="engine", help="Install, start, stop and inspect the engine.")
app.command("casemate.cli.node:app", name="node", help="Inspect a node's runtime, add handlers to it, undo that.")


def main() -> None:
    """Run the command line and exit with its code (DESIGN.md section 4)."""
    with Path(os.devnull).open("w") as nowhere:
        # Python has no stream where the caller closed it (`>&-`). The exit code tells all the same.
        sys.stdout, sys.stderr = sys.stdout or nowhere, sys.stderr or nowhere
        code = run_command(sys.argv[1:])
    sys.exit(code)


def run_command(arguments: list[str]) -> int:
    """The exit code of one command line. `--debug` lets errors show where they were raised."""
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    debug = "--debug" in own
    arguments = [each for each in own if each != "--debug"] + arguments[len(own) :]
    try:
        result = app(arguments, exit_on_error=False, print_error=False)
        sys.stdout.flush()
    except CycloptsError as error:
        return _complain(
            _misuse(error), exit_codes.WRONG, " ".join(["casemate", *(error.command_chain or ()), "--help"])
        )
    except CasemateError as error:
        if debug:
            raise
        print(f"casemate: {error}", file=sys.stderr)
        return error.exit_code
    except ImportError as error:
        module = _missing_module(error)
        if debug or not module:
            raise
        return _complain(
            f"this command needs the Python module {module}", exit_codes.MISSING, "pip install 'casemate[engine]'"
        )
    except KeyboardInterrupt:
        print("casemate: interrupted", file=sys.stderr)
        return exit_codes.INTERRUPTED
    except (BrokenPipeError, SystemExit):
        # The reader (head, less) has gone, which rich makes a SystemExit: no message, and none at exit either.
        _forget_output()
        return exit_codes.NOT_READ
    except OSError as error:
        if debug:
            raise
        _forget_output()
        where = f"{error.filename}: " if error.filename else ""
        return _complain(f"{where}{error.strerror or error}", exit_codes.FOUND, "--debug shows where it happened")
    return result if isinstance(result, int) else exit_codes.DONE


def _misuse(error: CycloptsError) -> str:
    """What is wrong with the command line."""
    match error:
        case MissingArgumentError(argument=argument, keyword=None) if argument and not argument.tokens:
            return f"{argument.name} is missing"
        case UnusedCliTokensError(unused_tokens=[first, *_]):
            return f'unexpected argument "{first}"'
        case _:
            return str(error)


def _forget_output() -> None:
    """Let what is still to be written go nowhere, so that Python does not fail again when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _missing_module(error: ImportError) -> str:
    """The module of an extra that is not installed; empty when the fault is in casemate itself."""
    cause = error.__cause__ if isinstance(error.__cause__, ModuleNotFoundError) else error
    name = cause.name or ""
    return "" if not isinstance(cause, ModuleNotFoundError) or name.startswith("casemate") else name


def _complain(what: str, code: int, fix: str) -> int:
    print(f"casemate: {what}\n  → {fix}", file=sys.stderr)
    return code
