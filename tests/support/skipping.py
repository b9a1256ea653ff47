"""Time that passes as usual, but for the pauses, which are over at once."""

import time

from davbridge.clock import monotonic
from davbridge.store.s3.transport.transport import Timing


class Skipping:
    """Of one store. What it pauses for is skipped, and noted."""

    def __init__(self) -> None:
        self.skipped = 0.0
        """Seconds."""
        self.pauses: list[float] = []

    @property
    def timing(self) -> Timing:
        return Timing(self._timer, lambda: time.time() + self.skipped, self._pause)

    def skip(self, seconds: float) -> None:
        """So much time has passed for the store's client alone."""
        self.skipped += seconds

    def _timer(self) -> float:
        return monotonic() + self.skipped

    def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.skip(seconds)
