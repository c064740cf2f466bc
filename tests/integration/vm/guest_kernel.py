"""Bring Debian's cloud kernel and AppArmor's compiler here, without installing them: `python .../guest_kernel.py`.

1. The packages are fetched by apt, which checks their signatures, and unpacked into the cache: this machine's own boot
   and policies are not touched. What is there is whole: it is moved there last.
2. The newest version that apt offers is taken the first time, and kept.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CACHE: Final = Path("~/.cache/casemate/vm").expanduser()
_META: Final = "linux-image-cloud-amd64"


@dataclass(frozen=True)
class GuestKernel:
    """An unpacked kernel, with AppArmor's compiler beside it."""

    folder: Path

    @property
    def image(self) -> Path:
        """What QEMU boots."""
        return next(self.folder.glob("boot/vmlinuz-*"))

    @property
    def release(self) -> str:
        """What it calls itself (uname -r)."""
        return self.image.name.removeprefix("vmlinuz-")

    def modules(self, *names: str) -> tuple[Path, ...]:
        """The files of these modules and of all that they need, in the order in which they load."""
        files = {each.stem: each for each in self.folder.glob("lib/modules/*/kernel/**/*.ko")}
        ordered: dict[str, Path] = {}
        for name in names:
            ordered |= dict.fromkeys(_needed(name, files))  # type: ignore[arg-type]
        return tuple(files[name] for name in ordered)

    def compile_policy(self, profiles: str) -> bytes:
        """AppArmor profiles as the kernel loads them."""
        features = self.folder / "usr/share/apparmor-features/features"
        options = ("--skip-kernel-load", "--skip-cache", "--stdout", "--features-file", str(features))
        parser = self.folder / "sbin/apparmor_parser"
        return subprocess.run([parser, *options], input=profiles.encode(), capture_output=True, check=True).stdout


def newest() -> GuestKernel:
    """The kernel that set-up has brought here last."""
    found = sorted(CACHE.glob("linux-*"), key=lambda each: each.stat().st_mtime)
    assert found, "python tests/integration/vm/guest_kernel.py"
    return GuestKernel(found[-1])


def bring() -> GuestKernel:
    """Fetch and unpack them, unless that was done before."""
    if any(CACHE.glob("linux-*")):
        return newest()
    subprocess.run(["apt-get", "update", "-qq"], check=True)
    package = _ask("apt-cache", "depends", "--important", _META).rpartition("Depends: ")[2].split()[0]
    version = _ask("apt-cache", "show", "--no-all-versions", package).partition("\nVersion: ")[2].split()[0]
    done = CACHE / f"linux-{version}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=".unpacking-") as folder:
        subprocess.run(["apt-get", "download", "-qq", f"{package}={version}", "apparmor"], cwd=folder, check=True)
        made = Path(folder, "made")
        for each in sorted(Path(folder).glob("*.deb")):
            subprocess.run(["nice", "dpkg-deb", "-x", each, made], check=True)
        made.rename(done)
    return GuestKernel(done)


def _needed(name: str, files: dict[str, Path]) -> Iterator[str]:
    """The module and what it needs, deepest first; what is no file is built into the kernel."""
    file = files.get(name)
    if file is None:
        return
    depends = file.read_bytes().partition(b"\0depends=")[2].partition(b"\0")[0].decode("ascii")
    for each in filter(None, depends.split(",")):
        yield from _needed(each.replace("-", "_"), files)
    yield name


def _ask(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    print(bring().folder)
