"""A deadline is that of one reader's work, and an answer is for all who wait for it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from davbridge import deadline
from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.errors import DeadlinePassedError
from davbridge.store.base import Attributes
from davbridge.store.memory import MemoryStore
from tests.support.intercepted import GatedStore


def test_a_reader_with_time_is_not_refused_with_one_whose_deadline_is_past() -> None:
    inner = GatedStore(MemoryStore())
    inner.put_object("a", b"", Attributes())
    cached = CachedStore(inner, CacheSettings(ttl=0.0))
    left = [1.0]

    def out_of_time() -> int:
        with deadline.before(lambda: left[0], lambda: 0.0):
            return cached.head_object("a").row.size

    gate = inner.gate("head_object", "a")
    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(out_of_time)
        gate.wait_until_answered()
        follower = pool.submit(cached.head_object, "a")
        left[0] = 0.0
        gate.open()
        assert follower.result().row.key == "a"
        assert leader.result() == 0
    left[0] = 0.0
    assert out_of_time() == 0
    with deadline.before(lambda: 0.0, lambda: 0.0):
        assert [
            row.key for page in cached.list_objects("", delimiter="/") for row in page.rows
        ] == ["a"]


def test_a_write_through_the_cache_keeps_the_deadline() -> None:
    inner = MemoryStore()
    cached = CachedStore(inner, CacheSettings())
    with deadline.before(lambda: 0.0, lambda: 0.0):
        with pytest.raises(DeadlinePassedError):
            cached.put_object("a", b"", Attributes())
        with pytest.raises(DeadlinePassedError):
            cached.delete_object("a")
        (failure,) = cached.delete_objects(["a"])
        assert isinstance(failure.error, DeadlinePassedError)
    assert inner.lookup("a").row is None
