"""How a thread says that it only waits.

Owns the type of what a thread is within while it waits for a client, or for other requests to get
on: then it doesn't count among those that work, and others may begin (http.workers). Must not know
who counts.

A wait may happen anywhere below a request. So it is the thread that carries who is to know of it,
and not the modules that wait: `store_wait`, `queue_wait` and `bounded_wait` report to whoever
called `report_to` in the same thread. Threads that serve no request report to nobody.
"""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

Waiting = Callable[[], AbstractContextManager[object]]


class Observer(Protocol):
    """Who is told of a thread's waits."""

    def store_wait(self) -> AbstractContextManager[object]: ...

    def queue_wait(self) -> AbstractContextManager[object]: ...

    def bounded_wait(self) -> AbstractContextManager[object]: ...


_thread = threading.local()
_UNOBSERVED = nullcontext()


def report_to(observer: Observer) -> None:
    """From now on ``observer`` is told of what this thread waits for."""
    _thread.observer = observer


def store_wait() -> AbstractContextManager[object]:
    """What a thread is within while it waits for the store, be it for an answer that another
    thread has asked for. May be nested.

    Raises UnavailableError at a request's first wait, before anything was asked, where so many
    requests wait for the store that no more may.
    """
    observer: Observer | None = getattr(_thread, "observer", None)
    return _UNOBSERVED if observer is None else observer.store_wait()


def queue_wait() -> AbstractContextManager[object]:
    """What a thread is within while it waits for other requests to get on, however long they take.

    Raises UnavailableError where too many wait.
    """
    observer: Observer | None = getattr(_thread, "observer", None)
    return _UNOBSERVED if observer is None else observer.queue_wait()


def bounded_wait() -> AbstractContextManager[object]:
    """What a thread is within while it waits for what only a few requests may wait for at a time:
    whoever lets them wait sees to that."""
    observer: Observer | None = getattr(_thread, "observer", None)
    return _UNOBSERVED if observer is None else observer.bounded_wait()


def reported(pause: Callable[[float], None]) -> Callable[[float], None]:
    """The same pause, as a wait for other requests."""

    def reported_pause(seconds: float) -> None:
        with queue_wait():
            pause(seconds)

    return reported_pause
