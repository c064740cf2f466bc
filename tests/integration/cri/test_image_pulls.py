"""Images onto a real containerd: from registries that keep to the rules, from one that does not, and from files."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import registry
from containers import running_containerd, started_container, started_sandbox

from casemate.engine.containerd import config, namespace, process
from casemate.engine.cri import pull
from casemate.engine.cri.client import CriClient
from casemate.engine.paths import EnginePaths
from casemate.errors import CasemateError, IncompleteError, InputError, RuntimeFault
from casemate.images import build, credentials, layout, registries
from casemate.images.policy import PullPolicy
from casemate.images.reference import parse
from casemate.model.kube.objects import Secret

pytestmark = pytest.mark.root

PLAIN_NAME = "registry.casemate.test"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small image."""
    return fresh_image(tmp_path_factory.mktemp("image") / "app.tar")


def fresh_image(path: Path) -> Path:
    """An image that no engine has seen; its layer is larger than one read."""
    files = [build.File("/data", os.urandom(300_000)), build.File("/bin/true", b"#!/none\n", 0o755)]
    build.write(path, parse("app:1"), files, build.Settings(command=("true",)))
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, archive: Path) -> Iterator[str]:
    """host:port of a registry with the image team/app:1 behind a password."""
    with registry.running(tmp_path_factory.mktemp("registry")) as address:
        registry.push(address, "team/app", "1", archive)
        yield address


def secret(registry_name: str, password: str = registry.PASSWORD) -> Secret:
    data = {".dockerconfigjson": registry.docker_config(registry_name, password=password)}
    return Secret(type=credentials.CONFIG_JSON, stringData=data)


def pull_image(
    node: EnginePaths, name: str, secrets: Sequence[Secret] = (), policy: PullPolicy = PullPolicy.ALWAYS
) -> str:
    async def go() -> str:
        async with CriClient(str(node.socket)) as client:
            await client.remove_image(name)
            image = parse(name)
            return await pull.ensure(client, image, policy, credentials.for_image(secrets, image))

    return asyncio.run(go())


def test_an_image_behind_a_password_is_pulled_with_the_pods_secret(node: EnginePaths, server: str) -> None:
    assert pull_image(node, f"{server}/team/app:1", [secret(server)]).startswith("sha256:")


def test_the_secret_that_fits_is_found_among_others(node: EnginePaths, server: str) -> None:
    secrets = [secret("elsewhere.example"), secret(server, "wrong"), secret(f"{server}/team")]
    assert pull_image(node, f"{server}/team/app:1", secrets)


def test_an_image_is_pulled_by_its_digest(node: EnginePaths, server: str, archive: Path) -> None:
    digest = registry.push(server, "team/other", "1", archive)
    assert pull_image(node, f"{server}/team/other:ignored@{digest}", [secret(server)])


WRONG_PULLS = [
    ("team/app:1", [], pull.Refused, "without credentials"),
    ("team/app:1", ["wrong"], pull.Refused, "with the credentials"),
    ("team/app:2", [registry.PASSWORD], pull.PullFailed, "no such image"),
    ("team/none:1", [registry.PASSWORD], pull.PullFailed, "no such image"),
    ("team/app@sha256:" + "0" * 64, [registry.PASSWORD], pull.PullFailed, "no such image"),
]


@pytest.mark.parametrize(("name", "passwords", "kind", "said"), WRONG_PULLS)
def test_a_refused_or_missing_image_is_said_to_be_so(
    node: EnginePaths, server: str, name: str, passwords: list[str], kind: type[CasemateError], said: str
) -> None:
    with pytest.raises(kind, match=said) as raised:
        pull_image(node, f"{server}/{name}", [secret(server, password) for password in passwords])
    assert raised.value.where == f"{server}/{name}"
    assert raised.value.fix
    assert registry.PASSWORD not in str(raised.value)


def test_a_registry_that_is_not_there_is_incomplete(node: EnginePaths) -> None:
    with pytest.raises(IncompleteError, match="cannot be reached"):
        pull_image(node, "127.0.0.1:1/app:1")
    with pytest.raises(IncompleteError, match="cannot be reached"):
        pull_image(node, "nowhere.invalid/app:1")


def test_never_means_never(node: EnginePaths, server: str) -> None:
    with pytest.raises(pull.NeverPulled, match="Never") as raised:
        pull_image(node, f"{server}/team/app:1", [secret(server)], PullPolicy.NEVER)
    assert raised.value.reason == "ErrImageNeverPull"


@pytest.fixture
def named_host(node: EnginePaths, tmp_path: Path) -> Iterator[str]:
    """A host name for 127.0.0.1 that only the engine knows; the loopback's own names may speak plain HTTP anyway."""
    hosts = tmp_path / "hosts"
    hosts.write_text(f"127.0.0.1 localhost {PLAIN_NAME}\n")
    subprocess.run(namespace.command(node, "mount", "--bind", str(hosts), "/etc/hosts"), check=True)
    process.stop(node)  # Go reads /etc/hosts anew only after five seconds
    process.start(node)
    yield PLAIN_NAME
    subprocess.run(namespace.command(node, "umount", "/etc/hosts"), check=True)


def test_plain_http_is_spoken_only_to_registries_named_as_such(node: EnginePaths, server: str, named_host: str) -> None:
    host = f"{named_host}:{server.partition(':')[2]}"
    with pytest.raises(pull.PullFailed, match="plain HTTP") as raised:
        pull_image(node, f"{host}/team/app:1", [secret(host)])
    assert f"--plain-http {host}" in raised.value.fix
    registries.name_as_plain(config.registries_folder(node), host)
    assert pull_image(node, f"{host}/team/app:1", [secret(host)])


def damaged(path: str, body: bytes) -> bytes:
    return body[:-1] + bytes([body[-1] ^ 1]) if "/blobs/" in path and len(body) > 100_000 else body


def cut(path: str, body: bytes) -> bytes:
    return body[:100_000] if len(body) > 100_000 else body


def longer(path: str, body: bytes) -> bytes:
    return body + b"more" if len(body) > 100_000 else body


def other_config(path: str, body: bytes) -> bytes:
    return body.replace(b"amd64", b"arm64") if "/blobs/" in path and body.startswith(b"{") else body


def no_manifest(path: str, body: bytes) -> bytes:
    return b"{" * len(body) if "/manifests/" in path else body


LIES = [
    (damaged, True, pull.PullFailed, "not of its digest"),
    (cut, True, IncompleteError, "was cut"),
    (cut, False, CasemateError, "digest|cut|size"),
    (longer, False, CasemateError, "digest|size|cut"),
    (other_config, True, CasemateError, "digest"),
    (no_manifest, True, CasemateError, "digest|cannot be pulled"),
]


@pytest.mark.parametrize(("lie", "announce_truth", "kind", "said"), LIES)
def test_a_registry_that_lies_or_breaks_off_gives_no_image(
    node: EnginePaths, tmp_path: Path, lie, announce_truth: bool, kind: type[CasemateError], said: str
) -> None:
    liar = registry.Liar(fresh_image(tmp_path / "app.tar"), lie, announce_truth=announce_truth)
    registries.name_as_plain(config.registries_folder(node), liar.image.partition("/")[0])
    try:
        with pytest.raises(kind, match=said):
            pull_image(node, liar.image)
        assert all(liar.image not in image.repo_tags for image in list_images(node))
    finally:
        liar.close()


def list_images(node: EnginePaths):
    async def go():
        async with CriClient(str(node.socket)) as client:
            return await client.images()

    return asyncio.run(go())


def bring(node: EnginePaths, path: Path, name: str) -> str:
    async def go() -> str:
        async with CriClient(str(node.socket)) as client:
            return await pull.bring(client, path, parse(name))

    return asyncio.run(go())


def test_an_image_from_files_runs_and_can_be_replaced(node: EnginePaths, tmp_path: Path) -> None:
    ids = []
    for word in ("old", "new"):
        files = [build.File("/bin/busybox", Path("/bin/busybox"), 0o755), build.File("/word", word.encode())]
        build.write(tmp_path / "i.tar", parse("casemate.local/word:latest"), files, build.Settings())
        ids.append(bring(node, tmp_path / "i.tar", "casemate.local/word:latest"))
    assert ids[0] != ids[1]

    async def read() -> bytes:
        async with CriClient(str(node.socket)) as client, started_sandbox(client, node) as sandbox:
            image = "casemate.local/word:latest"
            given = await pull.ensure(client, parse(image), PullPolicy.ALWAYS, given=True)
            assert given == ids[1]
            container = await started_container(client, sandbox, ["/bin/busybox", "sleep", "9"], image=given)
            return (await client.exec_sync(container, ["/bin/busybox", "cat", "/word"])).stdout

    assert asyncio.run(read()) == b"new"


def test_an_image_from_files_may_be_named_by_its_digest(node: EnginePaths, archive: Path) -> None:
    digest = layout.read(archive).digest
    assert bring(node, archive, f"casemate.local/app@{digest}")
    with pytest.raises(InputError, match="digest is sha256"):
        bring(node, archive, "casemate.local/app@sha256:" + "0" * 64)


def test_a_full_disk_is_said_to_be_full(tmp_path: Path, server: str) -> None:
    paths = EnginePaths(f"full-{os.getpid()}")
    store = paths.root / "containerd"
    store.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(store)], check=True)
    try:
        with running_containerd(paths, tmp_path):
            large = tmp_path / "large.tar"
            build.write(large, parse("large:1"), [build.File("/data", os.urandom(30 << 20))], build.Settings())
            registry.push(server, "team/large", "1", large)
            with pytest.raises(pull.PullFailed, match="no room"):
                pull_image(paths, f"{server}/team/large:1", [secret(server)])
            with pytest.raises(RuntimeFault, match="no room"):
                bring(paths, large, "large:1")
    finally:
        subprocess.run(["umount", "--lazy", str(store)], check=True)
        shutil.rmtree(paths.root)
