"""Hostile and broken inputs: a clear error, the right exit code, nothing left over, and an engine that still works."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from commandline import Casemate, Done
from traces import PATHS, left, traces

pytestmark = pytest.mark.root

BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{after}: &{after} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, after in zip("abcdefgh", "bcdefghi", strict=True)
)
POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: one}\nspec:\n"
SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: one}\nspec: "
TEMPLATE = "{metadata: {labels: {a: b}}, spec: {containers: [{name: main, image: a}]}}"
CONTAINER = "  containers: [{name: main, image: 'casemate.local/busybox:1'}]\n"

TEXTS = {
    "a bomb of aliases": BOMB,
    "a hundred thousand levels": "a: " + "[" * 100_000,
    "a hundred thousand mappings in one another": "{a: " * 100_000,
    "an alias of itself": "a: &a [*a]",
    "an alias of nothing": "a: *nobody",
    "a duplicate key": POD + CONTAINER + CONTAINER,
    "a tab as indentation": "a:\n\t- b",
    "an unclosed quote": 'a: "b',
    "a control character": "a: \x01",
    "a tag that makes objects": "!!python/object/apply:os.system [echo hacked]",
    "a list instead of an object": "- a\n- b",
    "a word instead of an object": "hello",
    "no document at all": "",
    "an object without kind": "apiVersion: v1\nmetadata: {name: one}",
    "a kind without version": "kind: Pod\nmetadata: {name: one}",
    "a version that does not have the kind": "apiVersion: apps/v1\nkind: Pod\nmetadata: {name: one}",
    "a number for a name": POD.replace("one", "1") + CONTAINER,
    "a name with a slash": POD.replace("one", "../one") + CONTAINER,
    "a name of a thousand letters": POD.replace("one", "o" * 1000) + CONTAINER,
    "a Pod without containers": POD + "  containers: []\n",
    "a Pod without a specification": "apiVersion: v1\nkind: Pod\nmetadata: {name: one}",
    "a container without an image": POD + "  containers: [{name: main}]\n",
    "an image with spaces": POD + "  containers: [{name: main, image: 'a b'}]\n",
    "an image of uppercase": POD + "  containers: [{name: main, image: 'A/B:1'}]\n",
    "an image with a broken digest": POD + "  containers: [{name: main, image: 'a@sha256:12'}]\n",
    "a negative port": POD + "  containers: [{name: main, image: a, ports: [{containerPort: -1}]}]\n",
    "a port beyond all ports": POD + "  containers: [{name: main, image: a, ports: [{containerPort: 65536}]}]\n",
    "memory that is no quantity": POD + "  containers: [{name: main, image: a, resources: {limits: {memory: lots}}}]\n",
    "negative memory": POD + "  containers: [{name: main, image: a, resources: {limits: {memory: -1}}}]\n",
    "an endless quantity": POD
    + f"  containers: [{{name: main, image: a, resources: {{limits: {{memory: 1{'0' * 5000}}}}}}}]\n",
    "two mounts at one place": POD
    + "  volumes: [{name: v, emptyDir: {}}]\n"
    + "  containers: [{name: main, image: a, volumeMounts: [{name: v, mountPath: /x}, {name: v, mountPath: /x}]}]\n",
    "a host path that climbs": POD + "  volumes: [{name: v, hostPath: {path: /tmp/../etc}}]\n" + CONTAINER,
    "a configuration key that climbs": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {'../x': y}",
    "a secret that is no base64": "apiVersion: v1\nkind: Secret\nmetadata: {name: one}\ndata: {key: '%%%'}",
    "an item path that climbs": POD
    + "  volumes: [{name: v, configMap: {name: c, items: [{key: k, path: ../x}]}}]\n"
    + CONTAINER,
    "a volume of two sources": POD + "  volumes: [{name: v, emptyDir: {}, hostPath: {path: /x}}]\n" + CONTAINER,
    "a volume of no source": POD + "  volumes: [{name: v, hostpath: {path: /x}}]\n" + CONTAINER,
    "a sysctl with a path": POD + "  securityContext: {sysctls: [{name: ../../x, value: '1'}]}\n" + CONTAINER,
    "a user below zero": POD + "  securityContext: {runAsUser: -1}\n" + CONTAINER,
    "a misspelt capability to drop": POD
    + "  containers: [{name: main, image: a, securityContext: {capabilities: {drop: [NET_RAWW]}}}]\n",
    "an unknown restart policy": POD + "  restartPolicy: Sometimes\n" + CONTAINER,
    "an environment variable with =": POD + "  containers: [{name: main, image: a, env: [{name: 'A=B', value: c}]}]\n",
    "a million replicas below zero": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: one}\n"
    f"spec: {{replicas: -1000000, selector: {{matchLabels: {{a: b}}}}, template: {TEMPLATE}}}",
    "a cluster IP outside of the network": SERVICE + "{clusterIP: 8.8.8.8, ports: [{port: 80}]}",
    "a cluster IP that is no address": SERVICE + "{clusterIP: nowhere, ports: [{port: 80}]}",
    "a class with a slash": POD + "  runtimeClassName: ../../x\n" + CONTAINER,
    "a whole megabyte in one name": POD.replace("one", "a" * 2**20) + CONTAINER,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_broken_manifest_is_refused_and_nothing_starts(empty_engine: str, casemate: Casemate, text: str) -> None:
    done = casemate("run", "-f", "-", "--timeout", "20", stdin=text, timeout=30)
    assert_clear(done, 2)
    assert "no Pods" in casemate("ps").stdout


def test_a_manifest_of_100_megabytes_is_refused_at_once(empty_engine: str, casemate: Casemate, tmp_path: Path) -> None:
    manifest = tmp_path / "large.yaml"
    with manifest.open("w") as stream:
        stream.writelines("a: b\n---\n" for _ in range(100 * 2**20 // 9))
    assert_clear(casemate("run", "-f", manifest, timeout=15), 2)


def test_bytes_that_are_no_text_are_refused(empty_engine: str, casemate: Casemate, tmp_path: Path) -> None:
    manifest = tmp_path / "binary.yaml"
    manifest.write_bytes(bytes(range(256)) * 100)
    assert_clear(casemate("run", "-f", manifest), 2)


@pytest.mark.parametrize("name", ["/no/such/file.yaml", "/dev/null", "/proc/self/mem"])
def test_a_file_that_cannot_be_read_is_an_error(empty_engine: str, casemate: Casemate, name: str) -> None:
    assert_clear(casemate("run", "-f", name), 2)


def test_a_folder_that_holds_itself_ends(empty_engine: str, casemate: Casemate, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    assert_clear(casemate("run", "-f", tmp_path), 2)


# ---- images ---------------------------------------------------------------------------------------------------------


def damaged(layout: Path, output: Path, damage: str) -> Path:
    """A copy of the layout with one thing wrong."""
    with tarfile.open(layout) as source, tarfile.open(output, "w") as target:
        members = [(member, source.extractfile(member)) for member in source.getmembers()]
        largest = max(members, key=lambda each: each[0].size)[0].name
        for member, stream in members:
            content = stream.read() if stream else b""
            if member.name == largest:
                content = {"flipped": flipped, "shorter": lambda raw: raw[:-1], "gone": lambda _: b""}[damage](content)
            if damage == "gone" and member.name == largest:
                continue
            member.size = len(content)
            target.addfile(member, io.BytesIO(content))
    return output


def flipped(raw: bytes) -> bytes:
    middle = len(raw) // 2
    return raw[:middle] + bytes([raw[middle] ^ 1]) + raw[middle + 1 :]


@pytest.mark.parametrize("damage", ["flipped", "shorter", "gone"])
def test_an_image_whose_layer_is_not_what_its_digest_says_is_refused(
    empty_engine: str, casemate: Casemate, images: dict[str, Path], tmp_path: Path, damage: str
) -> None:
    broken = damaged(images["casemate.local/busybox:1"], tmp_path / "broken.tar", damage)
    done = one_pod(casemate, "casemate.local/broken:1", "--image", f"casemate.local/broken:1={broken}")
    assert_clear(done, 2)


@pytest.mark.parametrize("cut", [0, 100, 1024, 100_000])
def test_an_archive_that_was_cut_off_is_refused(
    empty_engine: str, casemate: Casemate, images: dict[str, Path], tmp_path: Path, cut: int
) -> None:
    broken = tmp_path / "cut.tar"
    broken.write_bytes(images["casemate.local/busybox:1"].read_bytes()[:cut])
    assert_clear(one_pod(casemate, "casemate.local/cut:1", "--image", f"casemate.local/cut:1={broken}"), 2)


@pytest.mark.parametrize("name", ["../../../tmp/casemate-escaped", "/tmp/casemate-escaped", "blobs/../../escaped"])
def test_an_archive_cannot_write_outside_of_itself(
    empty_engine: str, casemate: Casemate, tmp_path: Path, name: str
) -> None:
    broken = tmp_path / "escape.tar"
    with tarfile.open(broken, "w") as archive:
        member = tarfile.TarInfo(name)
        member.size = 4
        archive.addfile(member, io.BytesIO(b"evil"))
    assert_clear(one_pod(casemate, "casemate.local/escape:1", "--image", f"casemate.local/escape:1={broken}"), 2)
    assert not Path("/tmp/casemate-escaped").exists()


def test_an_image_option_without_a_path_is_bad_usage(empty_engine: str, casemate: Casemate) -> None:
    assert_clear(one_pod(casemate, "x:1", "--image", "casemate.local/x:1"), 2)
    assert_clear(one_pod(casemate, "x:1", "--image", "casemate.local/x:1=/no/such/layout"), 2)


# ---- registries -----------------------------------------------------------------------------------------------------


class Registry(BaseHTTPRequestHandler):
    """A registry of one image whose layer goes wrong in the way that the image's tag names."""

    layer = b"x" * 200_000

    def do_GET(self) -> None:
        config = json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}})
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": described("application/vnd.oci.image.config.v1+json", config.encode()),
                "layers": [described("application/vnd.oci.image.layer.v1.tar", self.layer)],
            }
        )
        if "/manifests/" in self.path:
            self.server.fault = self.path.split("/")[2]  # type: ignore[attr-defined]
            self.answer(manifest.encode(), "application/vnd.oci.image.manifest.v1+json")
        elif digest(config.encode()) in self.path:
            self.answer(config.encode())
        elif digest(self.layer) in self.path:
            self.faulty(self.server.fault)  # type: ignore[attr-defined]
        else:
            self.answer(b"{}")

    def do_HEAD(self) -> None:
        self.do_GET()

    def answer(self, body: bytes, kind: str = "application/octet-stream", status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        if "manifest" in kind:
            self.send_header("Docker-Content-Digest", digest(body))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def faulty(self, fault: str) -> None:
        if fault == "cut":
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.layer)))
            self.end_headers()
            self.wfile.write(self.layer[:1000])
            self.close_connection = True
        elif fault == "forged":
            self.answer(b"y" * len(self.layer))
        else:
            self.answer(b"denied", status=403)

    def log_message(self, *_: object) -> None:
        pass


def described(kind: str, content: bytes) -> dict[str, object]:
    return {"mediaType": kind, "digest": digest(content), "size": len(content)}


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.fixture
def registry() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.mark.parametrize("fault", ["cut", "forged", "denied"])
def test_a_registry_that_fails_half_way_is_named_and_nothing_stays(
    empty_engine: str, casemate: Casemate, registry: str, fault: str
) -> None:
    before = traces()
    done = one_pod(casemate, f"{registry}/{fault}:1", "--timeout", "60")
    assert_clear(done, 1)
    assert registry in done.stderr
    casemate("down", "--all")
    assert left(before, traces()) == {}


# ---- the machine ----------------------------------------------------------------------------------------------------


@pytest.fixture
def full_disk(engine: str) -> Iterator[None]:
    """The engine's folder of volumes on a tmpfs of 64 KiB."""
    inside = ["nsenter", f"--mount={PATHS.mount_namespace}"]
    PATHS.pods.mkdir(exist_ok=True)
    subprocess.run([*inside, "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(PATHS.pods)], check=True)
    yield
    subprocess.run([*inside, "umount", "-l", str(PATHS.pods)], check=True)


def test_a_full_disk_is_said_and_rolled_back(
    empty_engine: str, full_disk: None, casemate: Casemate, with_images: list[str]
) -> None:
    before = traces()
    settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"k": "x" * 200_000}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "one"},
        "spec": {
            "volumes": [{"name": "v", "configMap": {"name": "c"}}],
            "containers": [
                {
                    "name": "main",
                    "image": "casemate.local/busybox:1",
                    "volumeMounts": [{"name": "v", "mountPath": "/v"}],
                }
            ],
        },
    }
    manifest = f"{json.dumps(settings)}\n---\n{json.dumps(pod)}\n"
    done = casemate("run", "-f", "-", "--name", "full", *with_images, "--timeout", "60", stdin=manifest)
    assert_clear(done, 1)
    assert "No space left" in done.stderr
    casemate("down", "--all")
    assert left(before, traces()) == {}


def one_pod(casemate: Casemate, image: str, *options: str) -> Done:
    manifest = POD + f"  restartPolicy: Never\n  containers: [{{name: main, image: '{image}', command: ['true']}}]\n"
    return casemate("run", "-f", "-", "--name", "hostile", *options, stdin=manifest)


def assert_clear(done: Done, code: int) -> None:
    assert done.returncode == code, f"exit {done.returncode}: {done.stderr[-2000:]}"
    assert "Traceback" not in done.stderr
    assert done.stderr.strip()
    assert len(done.stderr) < 10_000, f"{len(done.stderr)} characters of error"
