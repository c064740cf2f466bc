"""critest's specs by name, replayed under each handler: what holds, and what does not, is what the page says."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

import outcomes
import replays
import table

from casemate.engine import lifecycle
from casemate.engine.paths import EnginePaths


@pytest.fixture(scope="module")
def socket() -> Iterator[str]:
    """The CRI socket of an engine of these tests' own."""
    engine = EnginePaths("conformance")
    lifecycle.start(engine)
    yield str(engine.socket)
    lifecycle.stop(engine)


@pytest.mark.root
@pytest.mark.parametrize("handler", outcomes.HANDLERS)
def test_a_handler_does_what_the_page_says(socket: str, handler: str) -> None:
    found = asyncio.run(outcomes.replay(socket, handler))
    wrong = {name: why for name, why in found.items() if bool(why) != (name in outcomes.expected(handler))}
    assert not wrong


def test_every_replay_is_of_a_spec() -> None:
    named = {each["replay"] for each in outcomes.specs() if "replay" in each}
    assert all(hasattr(replays, name) for name in named)
    assert all(set(outcomes.expected(handler)) <= set(outcomes.chosen(handler)) for handler in outcomes.HANDLERS)


def test_the_page_is_as_the_data_says() -> None:
    assert table.PAGE.read_text() == table.page()
