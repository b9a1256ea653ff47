"""Single flight: a call whose result several threads want at the same time is made once, by the
first of them."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Generic, TypeVar

from davbridge.errors import StoreError
from davbridge.waiting import store_wait

T = TypeVar("T")


class SingleFlight(Generic[T]):
    """One call, whose result all threads get that ask for it. The first of them makes the call.

    ``shared``: the exceptions that count as a result. Any other one (Ctrl-C, say) is raised only in
    the thread that made the call; the next thread calls again.
    """

    __slots__ = ("_call", "_error", "_lock", "_result", "_shared")

    def __init__(self, call: Callable[[], T], *, shared: type[Exception] = StoreError) -> None:
        self._call: Callable[[], T] | None = call
        """None once there is a result, so that the call's arguments can be freed."""
        self._shared = shared
        self._result: list[T] = []
        self._error: Exception | None = None
        self._lock = threading.Lock()

    @property
    def is_done(self) -> bool:
        """Whether there is a result."""
        return self._call is None

    def get(self, wait: Callable[[], AbstractContextManager[object]] = store_wait) -> T:
        """The result. Raises what the call raised. ``wait``: the context in which this thread makes
        the call, or waits for the thread that does."""
        if self._call is not None:
            with wait(), self._lock:
                if self._call is not None:
                    self._make(self._call)
        if self._error is not None:
            raise self._error
        return self._result[0]

    def _make(self, call: Callable[[], T]) -> None:
        try:
            self._result.append(call())
        except self._shared as error:
            self._error = error
        self._call = None
