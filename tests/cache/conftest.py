"""A cache over a store in memory that counts what it is asked."""

import sys
import time
from collections.abc import Callable, Iterator
from types import FrameType

import pytest

from davbridge import single_flight
from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.store.memory import MemoryStore
from tests.support.intercepted import GatedStore
from tests.support.timer import Timer


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def inner() -> GatedStore:
    """What the cache wraps. Writing to it is what other programs do to the bucket."""
    return GatedStore(MemoryStore())


@pytest.fixture
def cached(inner: GatedStore, timer: Timer) -> Iterator[CachedStore]:
    cached = CachedStore(inner, CacheSettings(ttl=60, negative_ttl=10), timer=timer)
    yield cached
    cached.close()


@pytest.fixture
def until_waiting() -> Callable[[int], None]:
    """Returns when so many threads wait for an answer that another one has asked for."""

    def wait(count: int) -> None:
        deadline = time.monotonic() + 10
        while sum(_waits(frame.f_code.co_filename) for frame in _top_frames()) < count:
            assert time.monotonic() < deadline, f"never {count} threads wait"
            time.sleep(0.001)

    return wait


def _top_frames() -> list[FrameType]:
    return list(sys._current_frames().values())


def _waits(filename: str) -> bool:
    # The thread that asks is further down, inside of the store.
    return filename == single_flight.__file__
