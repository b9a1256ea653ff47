"""How a thread says that it only waits.

Owns the type of what a thread is within while it waits for a client, or for other requests to get
on: then it doesn't count among those that work, and others may begin (http.workers). Must not know
who counts.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

Waiting = Callable[[], AbstractContextManager[object]]


def within(waiting: Waiting, pause: Callable[[float], None]) -> Callable[[float], None]:
    """A pause that is told."""

    def told(seconds: float) -> None:
        with waiting():
            pause(seconds)

    return told
