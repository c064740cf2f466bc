"""Boundaries that are not what their names say are caught, and by what gives them away."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import liars
import pytest
from commandline import CASEMATE, casemate

from casemate.engine.paths import EnginePaths
from casemate.model.boundary import Boundary
from casemate.prove import keep

pytestmark = pytest.mark.root

CAUGHT = [
    # handler, named, shown, what gives it away
    ("gvisor", "sandbox", "shared", "challenge"),
    ("runsc-crun", "sandbox", "shared", "challenge-exec"),
    ("runsc-disguised", "sandbox", "unknown", "challenge"),
    ("runsc-hostnet", "sandbox", "hardened", "options"),
    ("runsc-sockets", "sandbox", "hardened", "options"),
    ("runsc-suid", "sandbox", "hardened", "options"),
    ("runsc-dirty", "sandbox", "hardened", "options"),
    ("runsc-renamed", "sandbox", "unknown", "version"),
    ("runsc-patched", "sandbox", "unknown", "version"),
    ("runsc-overwritten", "sandbox", "unknown", "version"),
    ("kata-qemu", "vm", "unknown", "challenge"),
    ("sysbox", "shared", "unknown", "seccomp"),
    ("nvidia", "shared", "unknown", "version"),
    ("youki", "shared", "unknown", "version"),
]
BUSYBOX = "casemate.local/busybox:1"
POD = f"""
apiVersion: v1
kind: Pod
metadata: {{name: p}}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{{name: main, image: "{BUSYBOX}", command: [sleep, "600"]}}]
"""
HONEST = {"runc": "shared", "crun": "shared", "runsc": "sandbox", "wasm": "sandbox"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EnginePaths]:
    """An engine with every liar."""
    paths = EnginePaths(liars.ENGINE)
    for step in (("engine", "install", "--yes"), ("engine", "start")):
        done = casemate(*step, timeout=1200, CASEMATE_ENGINE=liars.ENGINE)
        assert done.returncode == 0, done.stderr
    liars.restart(paths, liars.liars(paths, tmp_path_factory.mktemp("liars")))
    yield paths
    assert casemate("engine", "stop", CASEMATE_ENGINE=liars.ENGINE).returncode == 0


def prove(*arguments: str) -> tuple[int, dict[str, dict[str, object]]]:
    """The exit code of `prove` and its items by handler."""
    done = casemate("prove", *arguments, "-o", "json", CASEMATE_ENGINE=liars.ENGINE)
    assert done.stdout, done.stderr
    return done.returncode, {each["handler"]: each for each in json.loads(done.stdout)["items"]}


def against(item: dict[str, object]) -> dict[str, str]:
    """The observations that leave less possible than what is named, and what they say."""
    named = Boundary.parse(item["named"])
    found = (each for each in item["observations"] if each["supports"] and Boundary.parse(each["supports"]) < named)
    return {each["id"]: each["value"] for each in found}


@pytest.mark.parametrize(("handler", "named", "shown", "by"), CAUGHT, ids=[each[0] for each in CAUGHT])
def test_a_liar_is_caught(engine: EnginePaths, handler: str, named: str, shown: str, by: str) -> None:
    code, items = prove("--runtime", handler)
    item = items[handler]
    assert (code, item["named"], item["shown"], item["result"]) == (1, named, shown, "weaker"), item
    assert by in against(item)


def test_a_program_of_a_monitors_name_beside_a_container_is_no_monitor(engine: EnginePaths) -> None:
    said = against(prove("--runtime", "kata-qemu")[1]["kata-qemu"])
    assert said["challenge"].endswith("of the node")
    assert said["guest"].endswith("has nothing to boot")
    assert {"hardware", "processes", "program", "boot-id"} <= said.keys()


def test_a_disguise_shows_inside_and_changes_nothing_on_the_node(engine: EnginePaths) -> None:
    item = prove("--runtime", "runsc-disguised")[1]["runsc-disguised"]
    said = {each["id"]: each["value"] for each in item["observations"]}
    assert "4.19.0-gvisor" in said["kernel"]
    assert "of the node" in said["challenge"]


@pytest.mark.parametrize(("handler", "by"), [("fortress", "name"), ("kata", "sandbox")])
def test_what_is_not_known_or_does_not_start_is_unprovable(engine: EnginePaths, handler: str, by: str) -> None:
    code, items = prove("--runtime", handler)
    assert (code, items[handler]["shown"], items[handler]["result"]) == (1, "unknown", "unprovable")
    assert by in {each["id"] for each in items[handler]["observations"] if each["supports"] is None}


def test_honest_handlers_are_proven_among_liars(engine: EnginePaths) -> None:
    code, items = prove(*(option for name in HONEST for option in ("--runtime", name)))
    assert {name: (each["shown"], each["result"]) for name, each in items.items()} == {
        name: (boundary, "proven") for name, boundary in HONEST.items()
    }
    assert code == 0


def test_a_native_program_under_the_wasm_class_is_caught(engine: EnginePaths) -> None:
    liars.restart(engine, [liars.native_wasm()])
    code, items = prove("--class", "wasm")
    item = items["wasm"]
    assert (code, item["named"], item["shown"], item["result"]) == (1, "sandbox", "shared", "weaker")
    assert "native-refused" in against(item)


def test_a_wasm_runtime_that_ignores_seccomp_is_caught(engine: EnginePaths, tmp_path: Path) -> None:
    liars.restart(engine, [liars.open_wasm(tmp_path)])
    code, items = prove("--runtime", "wasm")
    assert (code, items["wasm"]["shown"], items["wasm"]["result"]) == (1, "unknown", "weaker")
    assert "seccomp" in against(items["wasm"])


def test_a_watch_proves_again_when_a_handler_changes(engine: EnginePaths) -> None:
    liars.restart(engine, [])
    watching = subprocess.Popen(
        [CASEMATE, "prove", "--runtime", "wasm", "--watch"],
        env={**os.environ, "CASEMATE_ENGINE": liars.ENGINE},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watching.stdout
    assert watching.stderr
    try:
        assert "SUBJECT" in watching.stdout.readline()
        assert "proven" in watching.stdout.readline()
        liars.restart(engine, [liars.native_wasm()])
        assert "changed: wasm: configuration; older proofs are stale" in watching.stderr.readline()
        assert "SUBJECT" in watching.stdout.readline()
        assert "weaker" in watching.stdout.readline()
    finally:
        watching.terminate()
        watching.communicate(timeout=60)
    assert "handler/wasm" not in {each.proof.subject for each in keep.load(engine.proofs)}


def test_a_pod_under_another_handler_than_its_objects_is_caught(engine: EnginePaths, images: dict[str, Path]) -> None:
    """Its sandbox was started under runc; its object says gVisor."""
    liars.restart(engine, [])
    given = f"{BUSYBOX}={images[BUSYBOX]}"
    done = casemate("run", "-f", "-", "--image", given, CASEMATE_ENGINE=liars.ENGINE, stdin=POD)
    assert done.returncode == 0, done.stderr
    try:
        record = next(engine.runs.glob("*/pods/*.json"))
        record.write_text(record.read_text().replace('"handler":"runc"', '"handler":"runsc"'))
        found = json.loads(casemate("prove", "--pod", "p", "-o", "json", CASEMATE_ENGINE=liars.ENGINE).stdout)
        item = next(each for each in found["items"] if each["subject"] == "pod/default/p")
        assert item["result"] == "weaker"
        assert "handler" in against(item)
    finally:
        casemate("down", "--all", CASEMATE_ENGINE=liars.ENGINE)
