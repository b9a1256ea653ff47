"""A value that is asked for once, by whoever needs it first, while the others wait for it.

Owns the waiting. Must not know what is asked for. Invariant: once there is an answer it stays, and
what asked for it is let go.
"""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from davbridge.errors import StoreError
from davbridge.waiting import store_wait

T = TypeVar("T")


class Lazy(Generic[T]):
    """Single flight. A StoreError is the answer, too: all who wait get it.

    Any other exception (Ctrl-C, say) concerns only the thread that it hit; the next one asks anew.
    """

    __slots__ = ("_answer", "_ask", "_error", "_lock")

    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask: Callable[[], T] | None = ask
        self._answer: list[T] = []
        self._error: StoreError | None = None
        self._lock = threading.Lock()

    @property
    def is_settled(self) -> bool:
        """Whether it has been asked for, and answered."""
        return self._ask is None

    def get(self) -> T:
        """The value. Raises what asking for it raised."""
        if self._ask is not None:
            with store_wait(), self._lock:
                if self._ask is not None:
                    self._settle(self._ask)
        if self._error is not None:
            raise self._error
        return self._answer[0]

    def _settle(self, ask: Callable[[], T]) -> None:
        try:
            self._answer.append(ask())
        except StoreError as error:
            self._error = error
        self._ask = None
