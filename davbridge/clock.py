"""The two clocks: the time of day, and the seconds that only go forward."""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Gives the time of day as aware datetimes."""

_LASTING = getattr(time, "CLOCK_BOOTTIME" if sys.platform == "linux" else "CLOCK_MONOTONIC", None)


def lasting() -> float:
    """Seconds since some moment, those included in which this machine was asleep. `time.monotonic`
    leaves them out on Linux and macOS; on Windows, which has no such clock, it doesn't."""
    return time.monotonic() if _LASTING is None else time.clock_gettime(_LASTING)


def utc_now() -> datetime:
    return datetime.now(UTC)
