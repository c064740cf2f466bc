"""Which files of a folder Git ignores: the same as Git itself says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from casemate.sources.gitignore import walk

_FILES = (
    "a.yaml",
    "b.yaml",
    "build/a.yaml",
    "build/keep/a.yaml",
    "src/a.yaml",
    "src/build/a.yaml",
    "src/deep/er/a.yaml",
    "src/deep/er/[x].yaml",
    "src/gen-1.yaml",
    "src/gen-2.yaml",
    "#odd.yaml",
    "with space.yaml",
)

_RULES = {
    "a name at every depth": {".gitignore": "build\n"},
    "folders only": {".gitignore": "build/\na.yaml/\n"},
    "from the top": {".gitignore": "/build\n/a.yaml\n"},
    "a slash in the middle": {".gitignore": "src/build\nsrc/*.yaml\n"},
    "taken back": {".gitignore": "*.yaml\n!b.yaml\n!src/gen-?.yaml\n"},
    "nothing comes back from an ignored folder": {".gitignore": "build/\n!build/keep/a.yaml\n"},
    "stars over folders": {".gitignore": "**/er\nsrc/**/a.yaml\n"},
    "all inside": {".gitignore": "src/**\n!src/gen-1.yaml\n"},
    "classes": {".gitignore": "gen-[0-1].yaml\n[!a].yaml\n"},
    "escapes and comments": {".gitignore": "\\#odd.yaml\n# b.yaml\n\\[x].yaml\nwith\\ space.yaml\n"},
    "spaces at the end": {".gitignore": "b.yaml   \n"},
    "nearer files outrank": {".gitignore": "a.yaml\n", "src/.gitignore": "!a.yaml\n", "src/deep/.gitignore": "*\n"},
    "exclude": {".git/info/exclude": "b.yaml\n"},
}


@pytest.mark.skipif(not shutil.which("git"), reason="needs git")
@pytest.mark.parametrize("rules", _RULES.values(), ids=_RULES.keys())
def test_the_same_files_as_git_takes(tmp_path: Path, rules: dict[str, str]) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for name in _FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for name, text in rules.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    listed = ["git", "ls-files", "-z", "--others", "--exclude-standard", "*.yaml"]
    expected = subprocess.run(listed, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.split("\0")
    assert sorted(_walked(tmp_path, tmp_path)) == sorted(each for each in expected if each)
    assert sorted(_walked(tmp_path, tmp_path / "src")) == sorted(each for each in expected if each.startswith("src/"))


def _walked(top: Path, folder: Path) -> list[str]:
    return [str(Path(str(each)).relative_to(top)) for each in walk(str(folder), frozenset((".yaml",)))]


def test_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "a.yaml").touch()
    assert _walked(tmp_path, tmp_path) == ["a.yaml"]


def test_the_root_of_all_folders_is_walked() -> None:
    assert next(walk("/", frozenset((".conf",)))).startswith("/")


def test_names_are_as_a_person_would_write_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "below").mkdir()
    for name in ("a.yaml", "below/b.yaml"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    yaml = frozenset((".yaml",))
    assert list(walk(".", yaml)) == ["a.yaml", "below/b.yaml"]
    assert list(walk("below/", yaml)) == ["below/b.yaml"]
    assert list(walk(str(tmp_path), yaml)) == [f"{tmp_path}/a.yaml", f"{tmp_path}/below/b.yaml"]
