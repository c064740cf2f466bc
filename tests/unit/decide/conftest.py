"""Time is no property of a decision: a busy machine must not fail its laws."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("decide", deadline=None)
settings.load_profile("decide")
