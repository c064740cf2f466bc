"""`casemate engine install`: by its plan, whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from commandline import CASEMATE

from casemate.engine.install import apply, tools
from casemate.engine.install.plan import Part, Plan, Source
from casemate.errors import RuntimeFault

pytestmark = pytest.mark.root
GO = {
    name: subprocess.run(["go", "env", name], capture_output=True, text=True, check=True).stdout.strip()
    for name in ("GOCACHE", "GOMODCACHE", "GOPATH")
}


def elsewhere(home: Path) -> dict[str, str]:
    """The environment of someone whose cache of tools is in another home, and whose Go cache is ours."""
    return {**os.environ, **GO, "HOME": str(home), "NO_COLOR": "1"}


def install(home: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [CASEMATE, "engine", "install", *options]
    return subprocess.run(
        command, env=elsewhere(home), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def test_offline_names_what_is_missing_and_ends_with_3(tmp_path: Path) -> None:
    done = install(tmp_path, "--offline")
    assert done.returncode == 3
    assert "missing: native, probe, gvisor" in done.stderr
    assert not (tmp_path / ".cache").exists()


def test_nobody_to_ask_is_no_consent(tmp_path: Path) -> None:
    done = install(tmp_path)
    assert done.returncode == 2
    assert "--yes" in done.stderr


def test_a_killed_install_leaves_nothing_half_done_and_the_next_completes_it(tmp_path: Path) -> None:
    cache = tmp_path / ".cache" / "casemate"
    child = subprocess.Popen(
        [CASEMATE, "engine", "install", "--yes"],
        env=elsewhere(tmp_path),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not list(cache.glob("native/.building-*")) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert not (cache / "native" / tools.source_digest("casemate.engine.native")).exists()
    assert install(tmp_path, "--offline").returncode == 3

    done = install(tmp_path, "--yes")
    assert done.returncode == 0, done.stderr
    assert sorted(each.name for each in (cache / "native").iterdir()) == [tools.source_digest("casemate.engine.native")]
    again = install(tmp_path, "--yes")
    assert again.returncode == 0
    assert "nothing is missing" in again.stdout


def test_the_native_programs_pass_their_own_tests() -> None:
    source = Path(__file__).parents[3] / "src" / "casemate" / "engine" / "native"
    done = subprocess.run(["go", "test", "./..."], cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_packages_come_by_apt_and_again_without_harm() -> None:
    said: list[str] = []
    part = Part("busybox-static", Source.PACKAGE, "", "", present=False)
    apply.apply(Plan((part,)), said.append)
    assert said == ["installing packages: busybox-static"]
    part = Part("no-such-package-anywhere", Source.PACKAGE, "", "", present=False)
    with pytest.raises(RuntimeFault, match="no-such-package-anywhere"):
        apply.apply(Plan((part,)), said.append)
