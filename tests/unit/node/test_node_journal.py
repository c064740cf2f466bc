"""The journal: what was there comes back, byte for byte, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from casemate.errors import RefusedError, RuntimeFault
from casemate.model.node_plan import Applied, Journal, Restart
from casemate.node import journal
from casemate.node.journal import Store


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr(journal, "STATE", tmp_path / "state")
    made = Store("/etc/containerd/config.toml")
    with made.locked():
        return made


def test_a_file_comes_back_with_its_bytes_and_mode(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_bytes(b"a = 1\r\n# \xc3\xa9")
    file.chmod(0o640)
    kept = store.keep(1, 0, str(file), "b = 2\n")
    journal.replace(file, b"b = 2\n", 0o644)
    assert store.restore(kept)
    assert (file.read_bytes(), file.stat().st_mode & 0o7777) == (b"a = 1\r\n# \xc3\xa9", 0o640)
    assert not store.restore(kept)


def test_a_file_that_was_not_there_is_gone_again(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "new.toml"
    kept = store.keep(1, 0, str(file), "b = 2\n")
    journal.replace(file, b"b = 2\n", 0o644)
    assert store.restore(kept)
    assert not file.exists()


def test_a_damaged_copy_restores_nothing(store: Store, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("a = 1")
    kept = store.keep(1, 0, str(file), "b = 2\n")
    (store.folder / kept.backup).write_text("half of")
    file.write_text("b = 2\n")
    with pytest.raises(RuntimeFault, match="copy of this file is damaged"):
        store.restore(kept)
    assert file.read_text() == "b = 2\n"


def test_a_record_is_read_as_it_was_written_and_goes_with_the_last_apply(store: Store) -> None:
    done = Applied(number=1, phase="writing", kept=(), folders=(), handlers=(), restart=Restart(how="none"))
    written = Journal(config_file="/c", socket="/s", applied=(done,))
    store.write(written)
    assert store.read() == written
    assert (store.folder / "journal.json").stat().st_mode & 0o777 == 0o600
    store.write(journal.without_newest(written))
    assert store.read() is None
    assert not store.folder.exists()


def test_a_damaged_record_is_said(store: Store) -> None:
    store.folder.mkdir(parents=True)
    (store.folder / "journal.json").write_text("{")
    with pytest.raises(RuntimeFault, match="journal is damaged"):
        store.read()


def test_one_process_at_a_time_changes_a_node(store: Store) -> None:
    with store.locked(), pytest.raises(RefusedError, match="another casemate"), store.locked():
        pass


def test_two_configurations_have_two_journals() -> None:
    assert Store("/etc/containerd/config.toml").folder != Store("/etc/containerd-config.toml").folder


def test_a_replaced_file_is_whole_at_any_time(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("old")
    other = os.open(file, os.O_RDONLY)
    journal.replace(file, b"new", 0o600)
    assert os.read(other, 9) == b"old"  # a reader that had it open keeps the whole old one
    os.close(other)
    assert file.read_text() == "new"
    assert [each.name for each in tmp_path.iterdir()] == ["config.toml"]
