"""The time, as it is passed in."""

from collections.abc import Callable
from datetime import UTC, datetime

from davbridge.clock import lasting

__all__ = ["Clock", "lasting", "utc_now"]

Clock = Callable[[], datetime]
"""Gives aware times."""


def utc_now() -> datetime:
    return datetime.now(UTC)
