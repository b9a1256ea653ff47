"""The clock that only goes forward.

Owns the choice among those that Python offers. Must not know who measures with it.
"""

import sys
import time

_LASTING = getattr(time, "CLOCK_BOOTTIME" if sys.platform == "linux" else "CLOCK_MONOTONIC", None)


def lasting() -> float:
    """Seconds since some moment, those included in which this machine was asleep. `time.monotonic`
    leaves them out on Linux and macOS; on Windows, which has no such clock, it doesn't."""
    return time.monotonic() if _LASTING is None else time.clock_gettime(_LASTING)
