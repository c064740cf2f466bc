"""Malformed and hostile inputs: each gives an InputError with its place and advice, quickly, and never a traceback."""

import io
import os
import re
import socket
import time

import pytest

from casemate.errors import InputError
from casemate.sources.files import load
from casemate.sources.inventory import inventory

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers: [{name: c, image: i}]\n"


def pod(spec: str) -> str:
    """A Pod with these lines in its spec; they begin in line 6."""
    return POD + "".join(f"  {line}\n" for line in spec.splitlines())


def laughs(width: int, height: int) -> str:
    first = f"a0: &a0 [{','.join(['x'] * width)}]\n"
    return first + "".join(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * width)}]\n" for n in range(1, height))


def chain(length: int) -> str:
    return "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, length))


# name: (input, place, words of the message)
HOSTILE = {
    # Bombs.
    "billion laughs": (laughs(9, 10), r":6:34", "more than 500000 values once its aliases are expanded"),
    "quadratic blow-up": (laughs(2000, 2).replace("*a0,*a0", "*a0,*a0", 1), r":2:", "aliases are expanded"),
    "billion laughs in merge keys": (
        "a0: &a0 {k: [1,2,3,4,5,6,7,8,9]}\n"
        + "".join(f"a{n}: &a{n} {{<<: *a{n - 1}, x: *a{n - 1}, y: *a{n - 1}}}\n" for n in range(1, 20)),
        r":",
        "values once its aliases are expanded",
    ),
    "depth by a chain of aliases": (chain(500), r":100:\d+", "nested more than 100 levels"),
    "100,000 open brackets": ("[" * 100_000, r":1:101", "nested more than 100 levels"),
    "100,000 open braces": ("{a: " * 100_000, r":1:401", "nested more than 100 levels"),
    "100,000 dashes": ("- " * 100_000, r":1:201", "nested more than 100 levels"),
    "100,000 question marks": ("? " * 100_000, r":1:3", "a key is a list or a mapping"),
    "deep block mappings": ("\n".join(" " * n + "a:" for n in range(3000)), r":101:101", "nested more than 100"),
    "a million values": ("[" + "1," * 1_000_001 + "]", r":1:\d+", "more than 500000 values"),
    "too many documents": ("--- a\n" * 10_001, r":10001:1", "more than 10000 documents"),
    "a million directives": ("%TAG !a! tag:x\n" * 200_000, r":1:1", "too many % directives"),
    "a huge number": (pod(f"priority: {'9' * 1_000_000}"), r":6:3", "expected an integer"),
    "a huge key": (pod(f"{'k' * 900}: 1"), r":6:3", "unknown field"),
    "a key longer than the parser looks ahead": (pod(f"{'k' * 5000}: 1"), r":\d+:\d+", "not YAML"),
    "ten thousand unknown fields": (
        pod("\n".join(f"f{n}: 1" for n in range(10_000))),
        r":6:3",
        "1000 or more mistakes",
    ),
    "ten thousand duplicate keys": ("a: 1\n" * 10_000, r":2:1", "mistakes"),
    # Encodings.
    "UTF-16 with a mark": ("\ufeffkind: Pod".encode("utf-16-le"), r":1:1", "UTF-16 or UTF-32, not UTF-8"),
    "UTF-16 big endian": ("\ufeffkind: Pod".encode("utf-16-be"), r":1:1", "save it as UTF-8"),
    "UTF-16 without a mark": ("kind: Pod".encode("utf-16-le"), r":1:2", r"U\+0000 is not allowed"),
    "UTF-32": ("\ufeffkind: Pod".encode("utf-32-le"), r":1:1", "not UTF-8"),
    "a NUL byte": (b"kind: Pod\nname: a\x00b", r":2:8", r"U\+0000 is not allowed"),
    "Latin-1": (b"kind: Pod\nname: M\xfcller", r":2:8", "byte 0xfc is not UTF-8"),
    "an overlong encoding": (b"kind: \xc0\xaf", r":1:7", "byte 0xc0 is not UTF-8"),
    "a lone surrogate": (b"kind: \xed\xa0\x80", r":1:7", "is not UTF-8"),
    "a lone surrogate escape": (r'{"kind": "\ud800"}', r":1:\d+", "not YAML"),
    "a terminal escape": (b"kind: \x1b[31mPod", r":1:7", r"U\+001B is not allowed"),
    "a terminal escape by an escape": (r'{"apiVersion": "v1", "kind": "\x1b[31mPod"}', r":1:22", r"\\x1b\[31mPod"),
    "a mark in the middle": ("kind: Pod\n\ufeffname: x", r":2:1", r"U\+FEFF is not allowed"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), r":1:1", "is not UTF-8"),
    # YAML.
    "a tab as indentation": ("metadata:\n\tname: x", r":2:1", "indent with spaces"),
    "an unclosed list": ("a: [b", r":\d:\d", "not YAML: did not find expected"),
    "an unclosed quote": ('a: "b', r":\d:\d", "not YAML"),
    "bad indentation": ("a:\n  b: 1\n c: 2", r":3:2", "not YAML"),
    "a colon too many": ("image: a: b", r":1:9", "mapping values are not allowed"),
    "Helm's template": ("metadata:\n  name: {{ .Release.Name }}\n", r":2:10", "unquoted {|key is a list or a mapping"),
    "a duplicate key": (
        POD.replace("kind: Pod", "kind: Pod\nkind: Job"),
        r":3:1",
        '"kind" is set twice .first in line 2',
    ),
    "a duplicate key in another spelling": ('1: a\n"1": b', r":2:1", '"1" is set twice'),
    "a duplicate key by a boolean": ("on: a\nyes: b", r":2:1", '"true" is set twice .*as yes is read as true'),
    "a duplicate key after a merge": ("<<: {a: 1}\nb: 1\nb: 2", r":3:1", '"b" is set twice'),
    "two merges": ("<<: {a: 1}\n<<: {b: 1}", r":2:1", "<< stands twice"),
    "a merge after its key": ("a: 1\n<<: {a: 2}", r":2:1", "set both before << and by it"),
    "a merge of text": ("<<: x", r":1:1", "<< takes a mapping"),
    "an alias without an anchor": ("a: *b", r":1:4", r"alias \*b has no anchor"),
    "an anchor of another document": ("a: &b 1\n---\na: *b", r":3:4", r"alias \*b has no anchor"),
    "an alias inside its anchor": ("a: &a {b: *a}", r":1:11", r"alias \*a stands inside what it names"),
    "a list as a key": ("? [a, b]\n: c", r":1:3", "a key is a list or a mapping"),
    "a null key": ("~: c", r":1:1", "a key is null"),
    "infinity": (pod("priority: .inf"), r":6:13", "no number that JSON has"),
    "a Python object": (
        "kind: !!python/object/apply:os.system [id]",
        r":1:7",
        "tag !!python/object/apply:os.system is not known",
    ),
    "a Python name": ("kind: !!python/name:os.system x", r":1:7", "cannot read 'x' as !!python/name:os.system"),
    "a tag of one's own": ("kind: !include /etc/passwd", r":1:7", "!include"),
    "binary": ("kind: !!binary UG9k", r":1:7", "!!binary"),
    "a set": ("!!set {a}", r":1:1", "!!set is not known"),
    "two JSON objects without a line between": ('{"a": 1}\n{"b": 2}', r":2:1", "put a line --- between documents"),
    "YAML 3": ("%YAML 3.0\n---\na: 1", r":1:1", "not YAML"),
    # Kubernetes.
    "nothing": ("", r"", "no Kubernetes objects"),
    "only a comment": ("# nothing\n---\n", r"", "no Kubernetes objects"),
    "plain text": ("hello", r":1:1", 'expected an object, found the string "hello"'),
    "a list of objects": ("- kind: Pod", r":1:1", "expected an object, found a list"),
    "no kind": ("apiVersion: v1", r":1:1", "kind is missing"),
    "no apiVersion": ("kind: Pod", r":1:1", "apiVersion is missing"),
    "a kind that is a number": ("apiVersion: v1\nkind: 5", r":1:1", "kind: expected a string, found the number 5"),
    "an unknown kind with a near miss": ("apiVersion: apps/v1\nkind: Deploymnt", r":2:1", 'did you mean "Deployment"'),
    "a kind in lower case": ("apiVersion: v1\nkind: pod", r":2:1", 'did you mean "Pod"'),
    "a kind that casemate does not run": (
        "apiVersion: networking.k8s.io/v1\nkind: Ingress",
        r":2:1",
        "take Ingress out",
    ),
    "an old API version": ("apiVersion: extensions/v1beta1\nkind: Deployment", r":1:1", "write apiVersion: apps/v1"),
    "a version of another group": ("apiVersion: v1\nkind: Job", r":1:1", "write apiVersion: batch/v1"),
    "an unknown field with a near miss": (pod("restartPolcy: Never"), r":6:3", 'did you mean "restartPolicy"'),
    "a field in the wrong case": (pod("hostnetwork: true"), r":6:3", 'did you mean "hostNetwork"'),
    "a field one level too high": (pod("runAsUser: 5"), r":6:3", "it belongs in securityContext"),
    "a number for a string": (pod("nodeName: 1.10"), r":6:3", "expected a string, found the number 1.1\n.*quote it"),
    "a boolean for a string": (pod("nodeName: yes"), r":6:3", "quote it: YAML reads y, yes, on"),
    "a string for a number": (
        pod('priority: "5"'),
        r":6:3",
        'expected an integer, found the string "5"\n.*remove the quotes',
    ),
    "a float for an integer": (pod("priority: 1.5"), r":6:3", "expected an integer, found the number 1.5"),
    "a boolean for a number": (pod("priority: on"), r":6:3", "expected an integer, found true"),
    "a mapping for a list": (pod("volumes: {name: x}"), r":6:3", "expected a list, found a mapping"),
    "a list for a mapping": (pod("securityContext: [a]"), r":6:3", "expected a mapping, found a list"),
    "a null in a list": (pod("tolerations: [null]"), r":6:17", "expected a mapping, found nothing"),
    "a required field that is null": (pod("readinessGates: [{conditionType: }]"), r":6:20", "conditionType is missing"),
    "a number for a label": (
        POD.replace("name: p", "name: p, labels: {a: 5}"),
        r":3:30",
        "metadata.labels.a: expected a string",
    ),
    "a List without objects": ("apiVersion: v1\nkind: List\nitems: 5", r":3:1", "items: expected a list"),
    "a List in a List with a mistake": (
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: List\n  items: [{apiVersion: v1, kind: Pd}]",
        r":6:28",
        'did you mean "Pod"',
    ),
    "a List with fields of its own": (
        "apiVersion: v1\nkind: List\nspec: {}\nitems: []",
        r":3:1",
        "spec: unknown field",
    ),
    "a List that is a number": ("apiVersion: v1\nkind: List\nitems: [5]", r":3:9", "found the number 5"),
}


def raised(*inputs: str, stdin: bytes = b"") -> InputError:
    with pytest.raises(InputError) as caught:
        inventory(load(inputs, io.BytesIO(stdin)))
    return caught.value


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_an_error_with_place_and_advice(name):
    text, place, words = HOSTILE[name]
    began = time.process_time()
    error = raised("-", stdin=text if isinstance(text, bytes) else text.encode())
    message = str(error)
    assert time.process_time() - began < 10
    assert re.search(f"<stdin>{place}|^-: ", message), message
    assert re.search(words, message), message
    assert error.fix
    assert len(message) < 60_000
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", message)


def test_a_file_over_the_limit_is_not_read_whole(tmp_path):
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(100 << 20)
    assert "larger than 16 MiB" in raised(str(path)).what


def test_standard_input_over_the_limit_is_not_read_whole():
    stream = io.BytesIO(b"a" * (17 << 20))
    with pytest.raises(InputError, match="larger than 16 MiB"):
        load(["-"], stream)
    assert stream.tell() <= (16 << 20) + 1


def test_a_loop_of_links_to_folders_is_not_followed(tmp_path):
    (tmp_path / "pod.yaml").write_text(POD)
    (tmp_path / "loop").symlink_to(tmp_path)
    assert len(load([str(tmp_path)], io.BytesIO())) == 1


def test_a_link_to_itself_is_an_error(tmp_path):
    (tmp_path / "self.yaml").symlink_to(tmp_path / "self.yaml")
    assert "too many levels of symbolic links" in raised(str(tmp_path)).what


def test_a_dangling_link_is_an_error(tmp_path):
    (tmp_path / "gone.yaml").symlink_to(tmp_path / "nowhere")
    assert "no such file" in raised(str(tmp_path)).what


def test_a_fifo_in_a_folder_is_an_error_and_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.yaml")
    error = raised(str(tmp_path))
    assert "is a FIFO" in error.what
    assert error.where.endswith("pipe.yaml")


def test_a_socket_is_an_error(tmp_path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s.yaml"))
        assert "is a socket" in raised(str(tmp_path / "s.yaml")).what


def test_an_endless_device_is_an_error():
    assert "is a device" in raised("/dev/zero").what


def test_a_pipe_that_the_shell_made_is_read():
    reader, writer = os.pipe()
    os.write(writer, POD.encode())
    os.close(writer)
    try:
        assert len(load([f"/dev/fd/{reader}"], io.BytesIO())) == 1
    finally:
        os.close(reader)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_an_error(tmp_path):
    path = tmp_path / "secret.yaml"
    path.write_text(POD)
    path.chmod(0)
    assert "permission denied" in raised(str(path)).what


def test_a_folder_without_manifests_is_an_error(tmp_path):
    (tmp_path / "README.md").write_text("kind: Pod")
    assert "no .yaml, .yml or .json file" in raised(str(tmp_path)).what


@pytest.mark.parametrize("name", ["nowhere.yaml", "", "a\0b", "x" * 5000, "/proc/self/mem/x"])
def test_a_name_that_is_no_file_is_an_error(name):
    error = raised(name)
    assert error.fix
    assert error.exit_code == 2


def test_a_file_name_cannot_speak_to_the_terminal(tmp_path):
    (tmp_path / "\x1b[31m\n.yaml").write_text("kind: 5")
    (tmp_path / os.fsdecode(b"\xff.yaml")).write_text("kind: 5")
    message = str(raised(str(tmp_path)))
    message.encode()
    assert "\x1b" not in message


def test_the_mistakes_of_all_files_are_reported_together(tmp_path):
    (tmp_path / "a.yaml").write_text("kind: Pod\nkind: Pod")
    (tmp_path / "b.json").write_text('{"kind": }')
    (tmp_path / "c.yml").write_text(pod("x: 1\ny: 2"))
    message = str(raised(str(tmp_path)))
    assert all(f"{name}:" in message for name in ("a.yaml:2:1", "c.yml:6:3", "c.yml:7:3"))


def test_what_follows_a_syntax_error_does_not_hide_what_stands_before_it():
    message = str(raised("-", stdin=(pod("x: 1") + "---\na: [").encode()))
    assert "spec.x: unknown field" in message
    assert "not YAML" in message
