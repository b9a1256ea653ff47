"""Observers of waits (davbridge.waiting), and threads that report to them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

from davbridge.errors import UnavailableError
from davbridge.waiting import WaitObserver, set_observer


class Refusing:
    """Lets nobody wait."""

    def store_wait(self) -> AbstractContextManager[object]:
        raise UnavailableError("too many requests wait for the store")

    def queue_wait(self) -> AbstractContextManager[object]:
        raise UnavailableError("too many requests wait for others")

    def bounded_wait(self) -> AbstractContextManager[object]:
        raise UnavailableError("too many requests wait")


class Recording:
    """Keeps when waits begin and end."""

    def __init__(self) -> None:
        self.waits: list[str] = []

    @contextmanager
    def _recorded(self) -> Iterator[None]:
        self.waits.append("begins")
        yield
        self.waits.append("ends")

    store_wait = queue_wait = bounded_wait = _recorded


def thread_reporting_to(observer: WaitObserver) -> ThreadPoolExecutor:
    """One thread, whose waits the observer is told of."""
    return ThreadPoolExecutor(1, initializer=lambda: set_observer(observer))
