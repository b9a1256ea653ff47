"""The two clocks: the time of day, and a monotonic one that runs on while the machine sleeps."""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the time of day as an aware datetime."""

_CLOCK_NAME = "CLOCK_BOOTTIME" if sys.platform == "linux" else "CLOCK_MONOTONIC"
_CLOCK = getattr(time, _CLOCK_NAME, None)


def monotonic() -> float:
    """Seconds since some moment, including those in which the machine was asleep. `time.monotonic`
    leaves them out on Linux and macOS, but not on Windows, which has no other clock."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


def utc_now() -> datetime:
    return datetime.now(UTC)
