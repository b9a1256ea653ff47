"""How a thread reports that it waits.

A thread that waits doesn't count as working, so that another one can work
(`http.workers.thread_states`).

A wait may happen anywhere below a request. So the thread has an observer, and the modules that wait
don't need to know it: `store_wait`, `queue_wait` and `bounded_wait` report to the observer that was
set in the same thread. A thread that serves no request has none.
"""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

Waiting = Callable[[], AbstractContextManager[object]]
"""Returns the context in which a thread waits."""


class WaitObserver(Protocol):
    """The observer of a thread's waits."""

    def store_wait(self) -> AbstractContextManager[object]: ...

    def queue_wait(self) -> AbstractContextManager[object]: ...

    def bounded_wait(self) -> AbstractContextManager[object]: ...


_thread = threading.local()
_UNOBSERVED = nullcontext()


def set_observer(observer: WaitObserver) -> None:
    """From now on, the waits of this thread are reported to ``observer``."""
    _thread.observer = observer


def store_wait() -> AbstractContextManager[object]:
    """The context in which a thread waits for the store, be it for the answer to a request of
    another thread. May be nested.

    Raises UnavailableError if too many requests wait for the store. That happens only at the first
    wait of a request, before anything was sent.
    """
    observer: WaitObserver | None = getattr(_thread, "observer", None)
    return _UNOBSERVED if observer is None else observer.store_wait()


def queue_wait() -> AbstractContextManager[object]:
    """The context in which a thread waits for other requests, however long they take.

    Raises UnavailableError if too many requests wait.
    """
    observer: WaitObserver | None = getattr(_thread, "observer", None)
    return _UNOBSERVED if observer is None else observer.queue_wait()


def bounded_wait() -> AbstractContextManager[object]:
    """The context of a wait whose number of requests the caller limits."""
    observer: WaitObserver | None = getattr(_thread, "observer", None)
    return _UNOBSERVED if observer is None else observer.bounded_wait()


def reported(pause: Callable[[float], None]) -> Callable[[float], None]:
    """``pause``, reported as a wait for other requests."""

    def reported_pause(seconds: float) -> None:
        with queue_wait():
            pause(seconds)

    return reported_pause
