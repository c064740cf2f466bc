"""Files that commands write are whole, or as they were."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from casemate.cli import written
from casemate.errors import InputError

_WRITE = """
import sys
from pathlib import Path
from casemate.cli import written
from casemate.errors import CasemateError
folder = Path(sys.argv[1])
try:
    written.write({folder / "small": b"new", folder / "large": b"x" * 9000}, folder)
except CasemateError as error:
    sys.exit(str(error))
"""


def test_a_file_that_finds_no_room_changes_none(tmp_path: Path) -> None:
    (tmp_path / "small").write_text("old")

    def no_room() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    command = [sys.executable, "-c", _WRITE, str(tmp_path)]
    ended = subprocess.run(command, preexec_fn=no_room, capture_output=True, text=True, check=False)
    assert ended.stderr == f"{tmp_path}: cannot be written: File too large\n  → name another place\n"
    assert [each.name for each in tmp_path.iterdir()] == ["small"]
    assert (tmp_path / "small").read_text() == "old"


def test_a_file_keeps_its_mode_and_a_link_its_target(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "file").chmod(0o640)
    (tmp_path / "link").symlink_to("file")
    written.write({tmp_path / "link": b"new"}, tmp_path)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_bytes() == b"new"
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_a_pipe_is_written_to_as_it_is(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    written.write({tmp_path / "pipe": b"new"}, tmp_path)
    reader.join(30)
    assert read == [b"new"]


def test_a_place_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    with pytest.raises(InputError, match="cannot be written: File exists"):
        written.write({tmp_path / "file" / "below": b"new"}, tmp_path / "file")
