import pytest
from hypothesis import given
from hypothesis import strategies as st

from casemate.errors import InputError
from casemate.images.reference import parse

D = "sha256:" + "a" * 64

AS_DOCKER_READS_THEM = [
    ("busybox", "docker.io/library/busybox:latest"),
    ("busybox:1", "docker.io/library/busybox:1"),
    ("me/app", "docker.io/me/app:latest"),
    ("docker.io/busybox", "docker.io/library/busybox:latest"),
    ("index.docker.io/library/busybox", "docker.io/library/busybox:latest"),
    ("localhost/app", "localhost/app:latest"),
    ("localhost:5000/app:v1.2_x", "localhost:5000/app:v1.2_x"),
    ("127.0.0.1:5000/a/b/c", "127.0.0.1:5000/a/b/c:latest"),
    ("[::1]:5000/app", "[::1]:5000/app:latest"),
    ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
    ("Host.Example/app", "Host.Example/app:latest"),
    (f"busybox@{D}", f"docker.io/library/busybox@{D}"),
    (f"example.org/a:1@{D}", f"example.org/a:1@{D}"),
    ("A/b", "A/b:latest"),
    ("a__b/c-d.e", "docker.io/a__b/c-d.e:latest"),
    ("app:" + "t" * 128, "docker.io/library/app:" + "t" * 128),
]


@pytest.mark.parametrize(("text", "full"), AS_DOCKER_READS_THEM)
def test_a_short_name_becomes_the_full_one(text: str, full: str) -> None:
    assert str(parse(text)) == full


@pytest.mark.parametrize(("text", "full"), AS_DOCKER_READS_THEM)
def test_a_full_name_stays_as_it_is(text: str, full: str) -> None:
    assert parse(full) == parse(text)


NO_NAMES = [
    ":",
    "@",
    "/",
    "a//b",
    "a/B",
    "BusyBox",
    "app:",
    "app:-x",
    "app@",
    "app@sha256:a",
    "-a/b",
    "exa_mple.org/a",
    "../etc/passwd",
    "http://example.org/a",
    "x.y/$(id)",
    "a.b:port/x",
]


@pytest.mark.parametrize(
    "text",
    [
        *NO_NAMES,
        "",
        "a b",
        "app\n",
        f"app@{D}a",
        "app@md5:" + "a" * 32,
        "app:" + "t" * 129,
        "a" * 256,
        "a" * 64,
        "x" * 100_000,
    ],
)
def test_what_is_no_name_is_an_error_that_shows_its_place(text: str) -> None:
    with pytest.raises(InputError, match=r"pod\.yaml:3"):
        parse(text, "pod.yaml:3")


def test_a_digest_decides_the_engines_name() -> None:
    assert parse(f"example.org/a:1@{D}").engine_name == f"example.org/a@{D}"


@given(st.text(max_size=80))
def test_every_accepted_name_reads_back_as_itself(text: str) -> None:
    try:
        reference = parse(text)
    except InputError:
        return
    assert parse(str(reference)) == reference
