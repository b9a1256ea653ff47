"""The time, as it is passed in."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives aware times."""


def utc_now() -> datetime:
    return datetime.now(UTC)
