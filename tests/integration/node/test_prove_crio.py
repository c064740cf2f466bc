"""`casemate prove` on a real CRI-O: honest handlers and Pods, and those that are not what their names say."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from commandline import casemate
from crio_nodes import CrioNode, node, stop

pytestmark = pytest.mark.root

HANDLERS = """[crio.runtime]
conmon = "{folder}/bin/watcher"
[crio.runtime.runtimes.gvisor]
runtime_path = "/usr/sbin/runc"
[crio.runtime.runtimes.runsc]
runtime_path = "{folder}/bin/youki"
[crio.runtime.runtimes.fortress]
runtime_path = "/usr/sbin/runc"
"""
LAID_OUT = Path("/var/lib/casemate-prove")


@pytest.fixture(scope="module")
def liars() -> Iterator[CrioNode]:
    """A node with CRI-O whose handlers are called what they are not, and whose monitor has another name."""
    with node(Path(f"/tmp/cmq-{os.getpid()}")) as made:
        shutil.copy("/usr/bin/conmon", made.folder / "bin" / "watcher")
        (made.drop_ins / "20-liars.conf").write_text(HANDLERS.format(folder=made.folder))
        stop(made)
        made.start()
        yield made


def prove(made: CrioNode, *arguments: str) -> tuple[int, dict[str, dict[str, object]]]:
    """The exit code of `prove` and its items by subject."""
    done = casemate("prove", "--cri", made.socket, *arguments, "-o", "json")
    assert done.stdout, done.stderr
    return done.returncode, {each["subject"]: each for each in json.loads(done.stdout)["items"]}


def said(item: dict[str, object]) -> dict[str, str]:
    return {each["id"]: each["value"] for each in item["observations"]}


def test_an_honest_handler_is_proven_and_nothing_of_it_stays(liars: CrioNode) -> None:
    code, items = prove(liars, "--runtime", "runc")
    item = items["handler/runc"]
    assert (code, item["named"], item["shown"], item["result"]) == (0, "shared", "shared", "proven"), item
    assert said(item)["prober"].endswith(", as sent")
    assert "of the node" in said(item)["challenge"]
    assert "of the node" in said(item)["challenge-exec"]
    assert not LAID_OUT.exists()
    assert liars.running() == set()


@pytest.fixture(scope="module")
def everything(liars: CrioNode) -> dict[str, dict[str, object]]:
    """All handlers, and Pods: of the default handler, of a liar, and one that overwrites what CRI-O notes of it."""
    liars.run_pod()
    liars.run_pod("gvisor")
    liars.run_pod("gvisor", {"io.kubernetes.cri-o.RuntimeHandler": "runc"})
    try:
        code, items = prove(liars, "--all")
    finally:
        liars.remove_pods()
    assert code == 1
    return items


@pytest.mark.parametrize(
    ("handler", "named", "shown", "result"),
    [
        ("runc", "shared", "shared", "proven"),
        ("gvisor", "sandbox", "shared", "weaker"),
        ("runsc", "sandbox", "shared", "weaker"),
        ("fortress", "unknown", "unknown", "unprovable"),
    ],
)
def test_liars_are_caught(
    everything: dict[str, dict[str, object]], handler: str, named: str, shown: str, result: str
) -> None:
    item = everything[f"handler/{handler}"]
    assert (item["named"], item["shown"], item["result"]) == (named, shown, result)


def test_a_handler_that_starts_nothing_here_is_unprovable_and_says_why(
    everything: dict[str, dict[str, object]],
) -> None:
    item = everything["handler/crun"]
    if item["result"] == "proven":
        pytest.skip("this crun knows the runtime specification of this CRI-O")
    assert (item["shown"], item["result"]) == ("unknown", "unprovable")
    assert "unknown version specified" in said(item)["challenge"]


def test_pods_are_proven_by_the_handlers_that_they_were_started_under(
    everything: dict[str, dict[str, object]],
) -> None:
    pods = [each for name, each in everything.items() if name.startswith("pod/")]
    found = sorted((each["handler"], each["result"]) for each in pods)
    assert found == [("", "unprovable"), ("gvisor", "weaker"), ("runc", "proven")]
