"""`casemate compare` and `casemate run --decide` on real runtimes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from commandline import CASEMATE, ENGINE, Casemate

pytestmark = pytest.mark.root

BUSYBOX = "casemate.local/busybox:1"
NODE_NET = Path(__file__).with_name("manifests") / "namespaces" / "host-network-is-the-nodes-network.yaml"


def items(stdout: str) -> dict[str, dict[str, object]]:
    return {each["runtime"]: each for each in json.loads(stdout)["items"]}


def test_what_is_the_same_everywhere_ends_with_0(empty_engine: str, casemate: Casemate, with_images: list[str]) -> None:
    done = casemate(
        "compare", BUSYBOX, *with_images, "--runtimes", "runc,crun,gvisor", "-o", "json", "--", "echo", "same"
    )
    assert done.returncode == 0, done.stderr
    found = items(done.stdout)
    assert [*found] == ["runc", "crun", "gvisor"]
    assert found["gvisor"]["handler"] == "runsc"
    for each in found.values():
        assert each["exitCodes"] == {"compare/main": 0}
        assert float(str(each["startSeconds"])) > 0
        assert int(str(each["peakMemoryBytes"])) > 100_000
    assert casemate("ps").stdout.strip() == "no Pods"


def test_the_first_line_that_differs_is_shown(empty_engine: str, casemate: Casemate, with_images: list[str]) -> None:
    script = "cat /proc/sys/kernel/random/uuid; cat /proc/version; exit 3"
    done = casemate("compare", BUSYBOX, *with_images, "--runtimes=runc,gvisor", "-o", "json", "--", "sh", "-c", script)
    assert done.returncode == 1, done.stderr
    (line,) = items(done.stdout)["gvisor"]["output"]  # type: ignore[misc]
    assert line["line"] == 2, "the random line differs from run to run, and is no runtime's doing"
    assert json.loads(done.stdout)["unsteady"] == ["compare/main/stdout"]


def test_what_a_runtime_refuses_is_its_result(empty_engine: str, casemate: Casemate, with_images: list[str]) -> None:
    done = casemate("compare", "-f", NODE_NET, *with_images, "-o", "json")
    found = items(done.stdout)
    assert done.returncode == 1
    assert found["runsc"]["outcome"] == "refused"
    assert "hostNetwork" in str(found["runsc"]["reason"])
    assert found["wasm"]["outcome"] == "not started"


def test_an_interrupted_comparison_leaves_nothing(
    empty_engine: str, casemate: Casemate, with_images: list[str]
) -> None:
    command = [CASEMATE, "compare", BUSYBOX, *with_images, "--runtimes", "runc,gvisor", "--", "sleep", "60"]
    process = subprocess.Popen(command, env={**os.environ, "CASEMATE_ENGINE": ENGINE}, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while "Ready" not in casemate("ps").stdout:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 130
    assert casemate("ps").stdout.strip() == "no Pods"


MISUSES = [
    (("compare",), "nothing to compare"),
    (("compare", BUSYBOX, "-f", "x.yaml"), "an image and --file"),
    (("compare", BUSYBOX, "--runtimes", "hyperlight"), "no runtime 'hyperlight'"),
]


@pytest.mark.parametrize(("arguments", "message"), MISUSES)
def test_a_misuse_says_what_is_wrong(engine: str, casemate: Casemate, arguments: tuple[str, ...], message: str) -> None:
    done = casemate(*arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_decide_runs_each_workload_under_what_it_needs(
    empty_engine: str, casemate: Casemate, with_images: list[str]
) -> None:
    pod = (
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {0}, labels: {{casemate.dev/need: {0}}}}}\n"
        "spec: {{restartPolicy: Never, containers: [{{name: main, image: '{1}', command: [uname]}}]}}\n"
    )
    text = "---\n".join(pod.format(need, BUSYBOX) for need in ("shared", "sandbox"))
    done = casemate("run", "--decide", "-f", "-", *with_images, "--wait", "completed", "-o", "json", stdin=text)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert {each["name"]: each["handler"] for each in result["items"]} == {"shared": "runc", "sandbox": "runsc"}
    assert {each["workload"]: each["runtimeClass"] for each in result["decisions"]} == {
        "Pod default/shared": "",
        "Pod default/sandbox": "gvisor",
    }
