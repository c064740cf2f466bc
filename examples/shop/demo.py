"""The whole demonstration: start an engine, run the shop, call it, show it, prove its boundaries, take it down.

No manifest names a runtime: `casemate run --decide` gives each part the one that it needs, and says why.

`python examples/shop/demo.py [--keep]`. The engine is one of its own, called `demo`. `--keep` leaves the shop running.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ENGINE = "demo"
CASEMATE = Path(sys.executable).with_name("casemate")


def say(text: str) -> None:
    """One line between the commands."""
    print(f"\n{text}", flush=True)  # noqa: T201


def casemate(*arguments: str) -> int:
    """Run and show one command; its exit code."""
    shown = " ".join(each for each in arguments if not each.startswith("--image="))
    say(f"$ casemate {shown}")
    return subprocess.run([CASEMATE, *arguments], env={**os.environ, "CASEMATE_ENGINE": ENGINE}, check=False).returncode


def image_options(folder: str) -> list[str]:
    """Build the shop's images and name them to `casemate run`."""
    say("Building the shop's images from busybox and its own files …")
    build = [sys.executable, str(HERE / "build.py"), "--options", folder]
    return subprocess.run(build, stdout=subprocess.PIPE, text=True, check=True).stdout.split()


def show() -> int:
    """Run the shop, call it, show it, prove the boundaries that it runs behind."""
    with tempfile.TemporaryDirectory(prefix="casemate-shop-") as folder:
        manifests = str(HERE / "manifests")
        images = image_options(folder)
        code = casemate("run", "--decide", "-f", manifests, "--name", "shop", *images, "--timeout", "180")
    if code:
        return code
    say("$ python examples/shop/try.py")
    code = subprocess.run([sys.executable, str(HERE / "try.py")], check=False).returncode
    casemate("ps")
    return casemate("prove", "--all") or code


def main(keep: bool) -> int:
    """The exit code of the first step that failed, or 0."""
    code = casemate("engine", "start")
    if code:
        return code
    try:
        code = show()
    finally:
        if not keep:
            casemate("down", "--all")
            code = casemate("engine", "stop") or code
    if keep:
        say(f"The shop runs at http://127.0.0.1:30080/; take it down: CASEMATE_ENGINE={ENGINE} casemate engine stop")
    return code


if __name__ == "__main__":
    sys.exit(main("--keep" in sys.argv[1:]))
