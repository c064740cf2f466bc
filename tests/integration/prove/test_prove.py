"""`casemate prove` on a real engine: honest handlers and Pods, what is kept, and what a killed proof leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from commandline import CASEMATE, ENGINE, Casemate

from casemate.engine.install import tools
from casemate.engine.paths import EnginePaths

pytestmark = pytest.mark.root

HONEST = {"crun": "shared", "runc": "shared", "runsc": "sandbox", "wasm": "sandbox"}
POD = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  runtimeClassName: {runtime_class}
  terminationGracePeriodSeconds: 0
  containers: [{{name: main, image: {image}, command: [sleep, "600"]}}]
"""


def items(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, object]]:
    assert done.stdout, done.stderr
    return {each["subject"]: each for each in json.loads(done.stdout)["items"]}


def left_over() -> list[str]:
    """Processes and folders of this engine's proofs that are still there; other engines prove at the same time."""
    found = [each.name for each in EnginePaths(ENGINE).state.glob("proofs/*-*")]
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = each.read_bytes().split(b"\0")
            ours = f"/casemate/{ENGINE}/" in each.with_name("cgroup").read_text()
        except OSError:
            continue
        found += ["/probe"] if ours and command[0] == b"/probe" else []
    return found


def test_every_handler_is_proven(engine: str, casemate: Casemate) -> None:
    done = casemate("prove", "--all", "-o", "json")
    assert done.returncode == 0, done.stdout
    found = items(done)
    shown = {each["handler"]: each["shown"] for each in found.values()}
    assert HONEST.items() <= shown.items(), "a machine may have more: youki, Kata"
    assert {each["result"] for each in found.values()} == {"proven"}
    assert all(
        {"id", "side", "value", "supports"} == set(seen) for each in found.values() for seen in each["observations"]
    )
    assert left_over() == []


def test_a_class_is_proven_by_its_handler(engine: str, casemate: Casemate) -> None:
    item = items(casemate("prove", "--class", "gvisor", "-o", "json"))["class/gvisor"]
    assert (item["handler"], item["named"], item["shown"], item["result"]) == ("runsc", "sandbox", "sandbox", "proven")


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--runtime", "kata"], 2, "no handler 'kata'"),
        (["--class", "fortress"], 2, "means no handler"),
        (["--pod", "nobody"], 2, "no Pod 'nobody' runs here"),
        (["--all", "--runtime", "runc"], 2, "take no names"),
        (["--statement", "x"], 2, "--statement without --sign"),
    ],
)
def test_a_mistake_is_told(engine: str, casemate: Casemate, options: list[str], code: int, words: str) -> None:
    done = casemate("prove", *options)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("runtime_class", "shown"), [("runc", "shared"), ("gvisor", "sandbox")])
def test_a_running_pod_is_proven_and_ps_says_so(
    empty_engine: str,
    casemate: Casemate,
    with_images: list[str],
    images: dict[str, Path],
    runtime_class: str,
    shown: str,
) -> None:
    manifest = POD.format(name="p", runtime_class=runtime_class, image=next(iter(images)))
    ran = casemate("run", "-f", "-", "--name", "proof", *with_images, stdin=manifest)
    assert ran.returncode == 0, ran.stderr
    item = items(casemate("prove", "--pod", "p", "-o", "json"))["pod/default/p"]
    assert (item["shown"], item["result"]) == (shown, "proven"), item
    pod = json.loads(casemate("ps", "-o", "json").stdout)["items"][0]
    assert pod["boundaryState"] == "proven"
    assert f"{shown}, proven" in casemate("ps").stdout


def test_another_image_under_the_probers_name_is_not_taken(engine: str, casemate: Casemate) -> None:
    swap = ["ctr", "--address", str(EnginePaths(ENGINE).socket), "--namespace", "k8s.io", "images", "tag", "--force"]
    subprocess.run([*swap, "casemate.local/pause:1", "casemate.local/probe:1"], check=True, capture_output=True)
    done = casemate("prove", "--runtime", "runc", "--runtime", "runsc", "-o", "json")
    assert {each["result"] for each in items(done).values()} == {"proven"}


def test_a_prober_that_was_changed_on_the_nodes_disk_proves_nothing(engine: str, casemate: Casemate) -> None:
    casemate("prove", "--runtime", "runc")
    paths = EnginePaths(ENGINE)
    digest = (tools.probe().folder / "probe").read_bytes()
    files = [
        each
        for each in (paths.root / "containerd").glob("io.containerd.snapshotter.v1.overlayfs/snapshots/*/fs/probe")
        if each.read_bytes() == digest
    ]
    assert files
    try:
        for each in files:
            each.write_bytes(digest + b"\0")
        found = items(casemate("prove", "--runtime", "runsc", "--runtime", "runc", "-o", "json"))
        assert {each["result"] for each in found.values()} == {"unprovable"}
        assert all(
            any("not the one that was sent" in seen["value"] for seen in each["observations"])
            for each in found.values()
        )
    finally:
        for each in files:
            each.write_bytes(digest)


def test_what_a_killed_proof_leaves_is_removed_by_the_next(engine: str, casemate: Casemate) -> None:
    for seconds in (0.6, 0.9, 1.2, 1.6):
        child = subprocess.Popen(
            [CASEMATE, "prove", "--all"],
            env={**os.environ, "CASEMATE_ENGINE": ENGINE},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(seconds)
        child.send_signal(signal.SIGKILL)
        child.wait()
    assert casemate("prove", "--runtime", "runc").returncode == 0
    assert left_over() == []


@pytest.mark.parametrize("seconds", [0.8, 1.2, 1.6, 2.4])
def test_an_interrupted_proof_cleans_up(engine: str, seconds: float) -> None:
    child = subprocess.Popen(
        [CASEMATE, "prove", "--all"], env={**os.environ, "CASEMATE_ENGINE": ENGINE}, stdout=subprocess.DEVNULL
    )
    time.sleep(seconds)
    child.send_signal(signal.SIGTERM)
    assert child.wait(60) in (0, 130, -signal.SIGTERM)  # the last: before it had begun
    assert left_over() == []


@pytest.fixture(scope="module", autouse=True)
def nothing_is_left(engine: str) -> Iterator[None]:
    """After all of it, the engine has no sandbox of a proof."""
    yield
    listed = subprocess.run(
        ["ctr", "--address", str(EnginePaths(ENGINE).socket), "--namespace", "k8s.io", "containers", "list"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "casemate.local/probe" not in listed.stdout
