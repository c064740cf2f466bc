"""Replays all specs of `specs.yaml` under a handler: `python tests/integration/cri/conformance/outcomes.py HANDLER…`.

It prints what each came to, as `expected.yaml` has it.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import replays
import yaml

from casemate.engine import lifecycle
from casemate.engine.cri.client import CriClient
from casemate.engine.paths import EnginePaths
from casemate.errors import CasemateError
from casemate.images import build, layout, reference, store
from casemate.prove import image

HERE = Path(__file__).parent
sys.path.append(str(HERE.parents[3] / "examples" / "shop"))

from busybox import PATH, busybox  # noqa: E402

TOGETHER = 3
HANDLERS = ("runc", "crun", "runsc", "wasm")


def specs() -> list[dict[str, Any]]:
    """Rows of specs.yaml: group, name, and either `replay`, a function's name, or `why` there is none."""
    return [dict(each) for each in yaml.safe_load((HERE / "specs.yaml").read_text())]


def expected(handler: str) -> dict[str, str]:
    """Replay → why it fails under that handler; those that pass are not listed."""
    return dict(yaml.safe_load((HERE / "expected.yaml").read_text())[handler] or {})


def chosen(handler: str) -> Iterator[str]:
    """The replays of a handler: under one that runs modules only, those that need no program."""
    for name in dict.fromkeys(each["replay"] for each in specs() if "replay" in each):
        if handler != "wasm" or name in _WITHOUT_PROGRAM:
            yield name


_WITHOUT_PROGRAM = frozenset(
    """
    version conditions sandbox_runs sandbox_stops sandbox_goes stop_unknown_sandbox stop_stopped_sandbox
    remove_unknown_sandbox stop_unknown_container remove_unknown_container stop_stopped_container remove_unknown_image
    container_is_made container_starts container_stops created_goes running_goes stopped_goes stats_of_one
    stats_of_three stats_by_label group_without_user image_references image_is_listed
    """.split()  # noqa: SIM905
)


async def replay(socket: str, handler: str) -> dict[str, str]:
    """Replay → what went wrong, empty when nothing did."""
    async with CriClient(socket) as client:
        with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
            await asyncio.to_thread(_add_busybox, Path(folder), socket)
            module = (await image.bring_in(client, "conformance")).image if handler == "wasm" else ""
            bench = replays.Bench(client, handler, Path(folder), module)
            turns = asyncio.Semaphore(TOGETHER)
            names = tuple(chosen(handler))
            told = await asyncio.gather(*(_one(bench, each, turns) for each in names))
            return dict(zip(names, told, strict=True))


async def _one(bench: replays.Bench, name: str, turns: asyncio.Semaphore) -> str:
    async with turns:
        try:
            async with asyncio.timeout(60):
                await getattr(replays, name)(bench)
        except (AssertionError, CasemateError, TimeoutError, KeyError) as error:
            return " ".join(str(error).split())[:300] or type(error).__name__
        return ""


def _add_busybox(folder: Path, socket: str) -> None:
    name, file = reference.parse(replays.BUSYBOX), folder / "busybox.tar"
    build.write(file, name, busybox(), build.Settings(environment={"PATH": PATH}))
    store.add(layout.read(file, name), name, socket)


if __name__ == "__main__":
    engine = EnginePaths("conformance")
    lifecycle.start(engine)
    try:
        for handler in sys.argv[1:] or HANDLERS:
            found = asyncio.run(replay(str(engine.socket), handler))
            print(yaml.safe_dump({handler: {name: why for name, why in found.items() if why}}, width=1000), end="")
    finally:
        lifecycle.stop(engine)
