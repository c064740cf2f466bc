"""Plans on files of every kind, each read by a real containerd: what it would be told is what was planned."""

from __future__ import annotations

import shutil
from pathlib import Path

import containerd2
import pytest

from casemate.errors import CasemateError, RefusedError
from casemate.node import effective, prepare
from casemate.node.daemon import Where

pytestmark = pytest.mark.root

V2 = '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.{}]\nruntime_type = "io.containerd.runc.v2"\n'
V3 = '[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.{}]\nruntime_type = "io.containerd.runc.v2"\n'
IMPORT = 'imports = ["conf.d/*.toml"]\n'
ABSOLUTE = 'imports = ["{folder}/conf.d/*.toml"]\n'
PAUSE_2 = '[plugins."io.containerd.grpc.v1.cri"]\nsandbox_image = "own/pause:1"\n'

# what lies there, and the file that must be changed: for containerd 2.4
NEW: dict[str, tuple[dict[str, str], str]] = {
    "no file at all": ({}, "config.toml"),
    "an empty drop-in folder that nothing imports": ({"config.toml": "version = 3\n", "conf.d/": ""}, "config.toml"),
    "version 3 with imports": ({"config.toml": "version = 3\n" + IMPORT}, "conf.d/50-casemate.toml"),
    "version 4 with imports": ({"config.toml": "version = 4\n" + IMPORT}, "conf.d/50-casemate.toml"),
    "version 2 with imports": ({"config.toml": "version = 2\n" + IMPORT + PAUSE_2}, "conf.d/50-casemate.toml"),
    "version 2 without imports": ({"config.toml": "version = 2\n" + PAUSE_2}, "config.toml"),
    "another drop-in, sorted after ours": (
        {"config.toml": "version = 3\n" + IMPORT, "conf.d/99-nvidia.toml": "version = 3\n" + V3.format("nvidia")},
        "conf.d/50-casemate.toml",
    ),
    "a drop-in of an older version": (
        {"config.toml": "version = 3\n" + IMPORT, "conf.d/10-old.toml": "version = 2\n" + V2.format("nvidia")},
        "conf.d/50-casemate.toml",
    ),
    "an inline table of handlers": (
        {
            "config.toml": 'version = 3\nplugins."io.containerd.cri.v1.runtime".containerd.runtimes = '
            '{runc = {runtime_type = "io.containerd.runc.v2"}}\n'
        },
        "config.toml",
    ),
}
# the same for containerd 1.6
OLD: dict[str, tuple[dict[str, str], str]] = {
    "no file at all": ({}, "config.toml"),
    "version 2": ({"config.toml": "version = 2\n" + PAUSE_2}, "config.toml"),
    "imports without the plugin": (
        {"config.toml": "version = 2\n" + ABSOLUTE + PAUSE_2, "conf.d/a.toml": "version = 2\noom_score = -5\n"},
        "config.toml",
    ),
    "a relative pattern, which is not read": (
        {"config.toml": "version = 2\n" + IMPORT, "conf.d/a.toml": "version = 2\n" + V2.format("nvidia")},
        "config.toml",
    ),
    "an import that replaces the plugin": (
        {"config.toml": "version = 2\n" + ABSOLUTE + PAUSE_2, "conf.d/a.toml": "version = 2\n" + V2.format("nvidia")},
        "conf.d/a.toml",
    ),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty node with a second program of runc's kind."""
    programs = tmp_path / "bin"
    programs.mkdir()
    shutil.copy("/usr/bin/crun", programs / "youki")
    monkeypatch.setenv("PATH", f"{programs}:/usr/sbin:/usr/bin:/sbin:/bin")
    return tmp_path


def laid_out(folder: Path, files: dict[str, str]) -> Where:
    for name, text in files.items():
        place = folder / name
        place.parent.mkdir(exist_ok=True)
        place.mkdir() if name.endswith("/") else place.write_text(text.replace("{folder}", str(folder)))
    return Where(socket=str(folder / "none.sock"), config=str(folder / "config.toml"), restart="true")


def check(folder: Path, files: dict[str, str], changed: str) -> None:
    found = prepare.prepare(laid_out(folder, files), ["youki"])
    assert [each.path for each in found.plan.changes] == [str(folder / changed)]
    before, after = set(effective.runtimes(found.before)), set(effective.runtimes(found.after))
    assert after - before == {"youki"}
    assert before <= after
    for change in found.plan.changes:
        Path(change.path).parent.mkdir(exist_ok=True)
        Path(change.path).write_text(change.after)
    assert effective.without_imports(effective.of_daemon(found.daemon)) == found.after


@pytest.mark.parametrize("files", sorted(NEW))
def test_containerd_2_reads_what_was_planned(files: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{containerd2.build()}:{folder / 'bin'}:/usr/bin:/bin")
    check(folder, *NEW[files])


@pytest.mark.parametrize("files", sorted(OLD))
def test_containerd_1_reads_what_was_planned(files: str, folder: Path) -> None:
    check(folder, *OLD[files])


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"config.toml": 'version = 2\nimports = ["gone.toml"]\n'}, "not there"),
        ({"config.toml": "[plugins.cri]\n"}, "schema version 1"),
        ({"config.toml": "version = 2\n[broken\n"}, "no TOML"),
        ({"config.toml": "version = 2\n" + V2.format("youki")}, "starts something else"),
    ],
)
def test_what_cannot_be_planned_on_is_refused(files: dict[str, str], words: str, folder: Path) -> None:
    with pytest.raises(CasemateError, match=words) as raised:
        prepare.prepare(laid_out(folder, files), ["youki"])
    assert raised.value.exit_code == 2


def test_a_handler_that_is_there_needs_no_plan(folder: Path) -> None:
    there = f'{V2.format("youki")}[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.youki.options]\n'
    text = f'version = 2\n{there}BinaryName = "{folder}/bin/youki"\n'
    found = prepare.prepare(laid_out(folder, {"config.toml": text}), ["youki"])
    assert found.plan.is_empty


def test_a_change_of_other_settings_is_refused(folder: Path) -> None:
    found = prepare.prepare(laid_out(folder, {"config.toml": "version = 2\n"}), ["youki"])
    other = {**found.after, "oom_score": 7}
    with pytest.raises(RefusedError, match="also change other settings"):
        prepare._check(found.before, other, [])
