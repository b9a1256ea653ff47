"""Runs calls in parallel, for as long as somebody who waits for the start would wait."""

import time
from collections.abc import Callable, Mapping
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def side_by_side(calls: Mapping[str, Callable[[], T]], seconds: float) -> dict[str, T]:
    """What they gave, by name, as far as it came in time. A store that is silent holds up neither
    the start nor the end: nobody waits for the rest."""
    came: dict[str, T] = {}
    threads = [
        Thread(target=lambda name=name, call=call: came.update({name: call()}), daemon=True)
        for name, call in calls.items()
    ]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return dict(came)
