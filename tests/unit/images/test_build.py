import os
from pathlib import Path

import pytest

from casemate.errors import InputError
from casemate.images import layout
from casemate.images.build import Entry, File, Folder, Link, Settings, tree, write
from casemate.images.reference import parse

NAME = parse("casemate.local/app:1")
FILES: list[Entry] = [
    File("/a/b/c", b"x"),
    Link("/a/link", "b/c"),
    Folder("/tmp", 0o1777),
    File("/bin/run", b"#!", 0o755),
]
SETTINGS = Settings(entrypoint=("/bin/run",), environment={"PATH": "/bin"}, user="65534", labels={"who": "me"})


def test_equal_files_give_equal_bytes_whatever_their_order(tmp_path: Path) -> None:
    first = write(tmp_path / "1.tar", NAME, FILES, SETTINGS)
    second = write(tmp_path / "2.tar", NAME, reversed(FILES), SETTINGS)
    assert first == second
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()


def test_the_digest_stays_the_same_from_release_to_release(tmp_path: Path) -> None:
    if os.uname().machine != "x86_64":
        pytest.skip("digests are per architecture")
    digest = write(tmp_path / "i.tar", NAME, FILES, SETTINGS)
    assert digest == "sha256:e6b041d04c91868bc751e395d2457297363fdb97af4c436addf024ce40d90a95"


def test_a_built_image_reads_back(tmp_path: Path) -> None:
    digest = write(tmp_path / "i.tar", NAME, FILES, SETTINGS)
    assert layout.read(tmp_path / "i.tar", NAME).digest == digest


def test_a_folder_on_disk_becomes_entries_with_modes_and_links(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    (root / "bin/tool").write_bytes(b"#!")
    (root / "bin/tool").chmod(0o755)
    (root / "bin/alias").symlink_to("tool")
    assert tree(root, "/usr") == (
        Folder("/usr/bin", (root / "bin").stat().st_mode & 0o7777),
        Link("/usr/bin/alias", "tool"),
        File("/usr/bin/tool", root / "bin/tool", 0o755),
    )


@pytest.mark.parametrize(
    "entries",
    [[File("/a", b""), Folder("a")], [File("/../etc/passwd", b"")], [File("/", b"")], [File("", b"")]],
)
def test_paths_must_be_inside_the_image_and_unlike(tmp_path: Path, entries: list[Entry]) -> None:
    with pytest.raises(InputError):
        write(tmp_path / "i.tar", NAME, entries, Settings())


def test_a_failed_build_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write(tmp_path / "i.tar", NAME, [File("/a", tmp_path / "missing")], Settings())
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_is_no_part_of_an_image(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="neither file"):
        tree(tmp_path)
