"""What the engine promises as a whole: boundaries hold, nothing is left behind, a killed part loses nothing."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from commandline import Casemate
from expectations import named
from traces import PATHS, command_lines, containerd, left, said, traces

from casemate.engine.supervise import process

pytestmark = pytest.mark.root

Run = Callable[..., list[dict[str, object]]]

BUSY = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {colour: blue}
---
apiVersion: v1
kind: Secret
metadata: {name: token}
stringData: {value: hush}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: 8080, nodePort: 30190}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      volumes:
        - {name: fast, emptyDir: {medium: Memory}}
        - {name: settings, configMap: {name: settings}}
        - {name: token, secret: {secretName: token}}
      containers:
        - name: main
          image: casemate.local/busybox:1
          command: [httpd, -f, -p, "8080"]
          readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
          volumeMounts:
            - {name: fast, mountPath: /fast}
            - {name: settings, mountPath: /settings}
            - {name: settings, mountPath: /etc/colour, subPath: colour}
            - {name: token, mountPath: /token}
---
apiVersion: v1
kind: Pod
metadata: {name: guarded}
spec:
  runtimeClassName: gvisor
  terminationGracePeriodSeconds: 1
  containers: [{name: main, image: "casemate.local/busybox:1", command: [sleep, "600"]}]
---
apiVersion: v1
kind: Pod
metadata: {name: exposed}
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: casemate.local/busybox:1
      command: [sleep, "600"]
      ports: [{containerPort: 80, hostPort: 28191}]
    - {name: other, image: "casemate.local/busybox:1", command: [sleep, "600"]}
"""

HEAVY = """
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: heavy}
handler: runc
overhead: {podFixed: {memory: 64Mi, cpu: 100m}}
---
"""


@pytest.fixture
def run(empty_engine: str, casemate: Casemate, with_images: list[str]) -> Run:
    """Runs a manifest given as text; the items of its RunResult."""

    def call(manifest: str, *options: str, code: int = 0) -> list[dict[str, object]]:
        done = casemate("run", "-f", "-", "--name", "test", *with_images, "-o", "json", *options, stdin=manifest)
        assert done.returncode == code, done.stderr
        items: list[dict[str, object]] = json.loads(done.stdout)["items"]
        return items

    return call


def pod(command: list[str], **spec: object) -> str:
    container = {"name": "main", "image": "casemate.local/busybox:1", "command": command}
    body = {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container], **spec}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": body})


def test_one_pod_sees_gvisors_kernel_and_without_its_class_the_nodes(run: Run, casemate: Casemate) -> None:
    run(pod(["dmesg"], runtimeClassName="gvisor"), "--wait", "completed")
    assert "Starting gVisor" in casemate("logs", "one").stdout
    casemate("down", "test")
    run(pod(["sh", "-c", "dmesg 2>&1; true"]), "--wait", "completed")
    plain = casemate("logs", "one").stdout
    assert "gVisor" not in plain
    assert "not permitted" in plain or "Linux version" in plain


@pytest.mark.parametrize(
    ("profile", "mode"), [(None, "2"), ("RuntimeDefault", "2"), ("Unconfined", "0")], ids=["unset", "default", "none"]
)
def test_the_kernel_itself_says_which_seccomp_mode_holds(
    run: Run, casemate: Casemate, profile: str | None, mode: str
) -> None:
    context = {"securityContext": {"seccompProfile": {"type": profile}}} if profile else {}
    run(pod(["grep", "^Seccomp:", "/proc/self/status"], **context), "--wait", "completed")
    assert casemate("logs", "one").stdout.split() == ["Seccomp:", mode]


def test_the_classs_overhead_is_part_of_the_pods_cgroup(run: Run) -> None:
    container = {
        "name": "main",
        "image": "casemate.local/busybox:1",
        "command": ["sleep", "600"],
        "resources": {"limits": {"memory": "32Mi", "cpu": "400m"}},
    }
    items = run(HEAVY + pod([], runtimeClassName="heavy", containers=[container]))
    group = f"casemate/{PATHS.name}/pod{items[0]['uid']}"
    assert number_in(f"memory/{group}/memory.limit_in_bytes", f"{group}/memory.max") == 96 * 2**20
    assert number_in(f"cpu/{group}/cpu.cfs_quota_us", f"{group}/cpu.max") == 50_000


def number_in(*candidates: str) -> int:
    files = [Path("/sys/fs/cgroup", each) for each in candidates]
    return int(next(file for file in files if file.exists()).read_text().split()[0])


def test_down_leaves_nothing(run: Run, casemate: Casemate) -> None:
    run(pod(["true"]), "--wait", "completed")
    casemate("down", "test")
    before = traces()
    assert len(run(BUSY)) == 4
    assert left(before, traces()), "the run left no trace even while it was up: the look is wrong"
    assert casemate("down", "test").returncode == 0
    assert left(before, traces()) == {}


@pytest.mark.parametrize("victim", ["supervisor", "containerd"])
def test_killing_a_part_loses_and_doubles_no_container(run: Run, casemate: Casemate, victim: str) -> None:
    run(BUSY)
    before = containers()
    assert len(before) == 5
    pid = containerd() if victim == "containerd" else process.running(PATHS)
    assert pid
    os.kill(pid, signal.SIGKILL)
    items = eventually(lambda: everything_ready(casemate))
    assert [item["restarts"] for item in items] == [0, 0, 0, 0]
    time.sleep(3)
    assert containers() == before
    assert casemate("exec", "exposed", "-c", "main", "--", "echo", "alive").stdout == "alive\n"


def test_a_killed_container_is_restarted_once_though_the_supervisor_was_away(run: Run, casemate: Casemate) -> None:
    run(pod(["sleep", "4"], restartPolicy="Always"))
    supervisor = process.running(PATHS)
    assert supervisor
    os.kill(supervisor, signal.SIGKILL)
    items = eventually(lambda: [item for item in pods(casemate) if item["restarts"]])
    assert len(items) == 1
    assert items[0]["restarts"] == 1


@pytest.mark.parametrize("handler", ["runc", "gvisor"])
def test_a_pod_whose_shim_was_killed_comes_back(run: Run, casemate: Casemate, handler: str) -> None:
    before = traces()
    run(pod(["sleep", "600"], restartPolicy="Always", runtimeClassName=handler))
    for pid in shims():
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: casemate("exec", "one", "--", "echo", "alive").stdout == "alive\n")
    assert casemate("down", "test").returncode == 0
    assert left(before, traces()) == {}


def test_two_runs_at_once_are_kept_apart(run: Run, casemate: Casemate, with_images: list[str]) -> None:
    run(pod(["sleep", "600"], restartPolicy="Always"))
    other = pod(["sleep", "600"]).replace('"one"', '"two"')
    assert casemate("run", "-f", "-", "--name", "other", *with_images, stdin=other).returncode == 0
    assert casemate("down", "test").returncode == 0
    assert [item["name"] for item in pods(casemate)] == ["two"]
    casemate("down", "other")


def pods(casemate: Casemate) -> list[dict[str, object]]:
    done = casemate("ps", "-o", "json")
    return json.loads(done.stdout)["items"] if done.returncode == 0 else []


def everything_ready(casemate: Casemate) -> list[dict[str, object]]:
    items = pods(casemate)
    ready = len(items) == 4 and all(item["ready"] for item in items) and named(items, "guarded")
    return items if ready else []


def containers() -> frozenset[str]:
    """Tasks of the engine with their process ids, sandboxes left out."""
    lines = said("ctr", "-a", str(PATHS.socket), "-n", "k8s.io", "containers", "ls").splitlines()[1:]
    return frozenset(line.split()[0] for line in lines if "busybox" in line)


def shims() -> Iterator[int]:
    for pid, arguments in command_lines():
        if Path(arguments[0]).name.startswith("containerd-shim") and any(
            f"/{PATHS.name}/" in each for each in arguments
        ):
            yield pid


def eventually(condition: Callable[[], object], limit: float = 60) -> object:
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.5)
    pytest.fail(f"not true within {limit:g} s")
