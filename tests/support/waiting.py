"""Waiting for what other threads and processes do. How long it takes says nothing: only whether it
comes."""

import time
from collections.abc import Callable

PATIENCE = 30.0
"""Seconds after which a test gives up. A busy machine needs a few."""

FOREVER = 20 * PATIENCE
"""Seconds. A timeout that is set to this ends nothing within a test: what ends has another cause.
"""


def until(is_so: Callable[[], bool]) -> None:
    """Returns once ``is_so``."""
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.005)
