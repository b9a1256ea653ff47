"""A look-up past the cache: what the store says now, and what becomes of older answers."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.errors import UnavailableError
from davbridge.store.base import Lookup
from tests.support.intercepted import GatedStore
from tests.support.objects import names, put
from tests.support.timer import Timer

NOTHING = Lookup(None, is_prefix=False)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as running:
        yield running


def test_a_lookup_past_the_cache_asks_the_store_and_updates_the_cache(
    inner: GatedStore, cached: CachedStore
) -> None:
    put(inner, "d/a", "d/b", body=b"old")
    assert names(cached, "d/") == ["d/a", "d/b"]
    new = put(inner, "d/a", body=b"newer")
    with inner.expect(lookup=1):
        assert cached.lookup("d/a", bypass_cache=True).row == new
        assert cached.lookup("d/a").row == new
        assert next(cached.list_objects("d/", delimiter="/")).rows[0] == new


def test_a_lookup_past_an_empty_cache_is_one_request(
    inner: GatedStore, cached: CachedStore
) -> None:
    row = put(inner, "d/a")
    with inner.expect(lookup=1):
        assert cached.lookup("d/a", bypass_cache=True).row == row
        assert cached.lookup("d/a").row == row


def test_a_lookup_past_the_cache_outweighs_a_listing_without_that_folder(
    inner: GatedStore, cached: CachedStore
) -> None:
    assert names(cached) == []
    assert names(cached, "d/") == []
    row = put(inner, "d/e/a")
    assert cached.lookup("d/e/a", bypass_cache=True).row == row
    assert cached.lookup("d/e/a").row == row
    assert cached.lookup("d/e").is_prefix
    assert names(cached) == ["d/"]


def test_a_lookup_past_the_cache_finds_what_has_gone(
    inner: GatedStore, cached: CachedStore
) -> None:
    put(inner, "a", "b", "d/x")
    for prefix in ("", "d/"):
        names(cached, prefix)
    inner.delete_objects(["a", "d/x"])
    for key in ("a", "d"):
        assert cached.lookup(key, bypass_cache=True) == NOTHING
        assert cached.lookup(key) == NOTHING
    assert names(cached) == ["b"]
    assert names(cached, "d/") == []


def test_the_last_known_name_that_goes_leaves_a_folder_that_may_hold_others_by_now(
    inner: GatedStore, cached: CachedStore
) -> None:
    put(inner, "d/a")
    for prefix in ("", "d/"):
        names(cached, prefix)
    put(inner, "d/b")
    inner.delete_object("d/a")
    assert cached.lookup("d/a", bypass_cache=True) == NOTHING
    assert names(cached) == ["d/"]
    assert names(cached, "d/") == ["d/b"]


def test_a_file_that_has_become_a_folder_is_one(inner: GatedStore, cached: CachedStore) -> None:
    put(inner, "a", "z")
    for prefix in ("", "a/"):
        names(cached, prefix)
    inner.delete_object("a")
    put(inner, "a/x")
    assert cached.lookup("a", bypass_cache=True) == Lookup(None, is_prefix=True)
    assert names(cached) == ["a/", "z"]
    assert names(cached, "a/") == ["a/x"]


@pytest.mark.parametrize("change", [False, True], ids=["the same", "another"])
def test_a_listing_that_was_asked_for_before_is_not_kept(
    change: bool, inner: GatedStore, cached: CachedStore, pool: ThreadPoolExecutor
) -> None:
    put(inner, "a", body=b"old")
    gate = inner.gate("list_objects", "")
    reader = pool.submit(names, cached)
    gate.wait_until_answered()
    new = put(inner, "a", body=b"newer") if change else inner.lookup("a").row
    assert cached.lookup("a", bypass_cache=True).row == new
    gate.open()
    reader.result()
    assert cached.lookup("a").row == new


def test_a_lookup_past_the_cache_does_not_join_one_that_is_under_way(
    inner: GatedStore, timer: Timer, pool: ThreadPoolExecutor
) -> None:
    """That one's answer may be from before the write that the reader knows of; nor is it kept."""
    cached = CachedStore(inner, CacheSettings(ttl=60, negative_ttl=10, max_entries=1), timer=timer)
    put(inner, "a", body=b"old")
    names(cached)
    gate = inner.gate("lookup", "a")
    reader = pool.submit(cached.lookup, "a", bypass_cache=True)
    gate.wait_until_answered()
    new = put(inner, "a", body=b"newer")
    assert cached.lookup("a", bypass_cache=True).row == new
    gate.open()
    assert reader.result().row != new
    assert cached.lookup("a").row == new
    cached.close()


def test_a_write_of_our_own_that_ends_meanwhile_is_not_undone(
    inner: GatedStore, cached: CachedStore, pool: ThreadPoolExecutor
) -> None:
    put(inner, "a", body=b"old")
    names(cached)
    gate = inner.gate("lookup", "a")
    reader = pool.submit(cached.lookup, "a", bypass_cache=True)
    gate.wait_until_answered()
    new = put(cached, "a", body=b"newer")
    gate.open()
    assert reader.result().row != new
    assert cached.lookup("a").row == new


def test_a_lookup_past_the_cache_is_older_than_a_listing_that_was_asked_for_later(
    inner: GatedStore, cached: CachedStore, timer: Timer, pool: ThreadPoolExecutor
) -> None:
    put(inner, "a", body=b"old")
    gate = inner.gate("lookup", "a")
    reader = pool.submit(cached.lookup, "a", bypass_cache=True)
    gate.wait_until_answered()
    timer.advance(1)
    put(inner, "a", body=b"newer")
    assert names(cached) == ["a"]
    gate.open()
    reader.result()
    assert cached.lookup("a") == inner.lookup("a")


def test_a_failed_lookup_past_the_cache_changes_nothing(
    inner: GatedStore, cached: CachedStore
) -> None:
    row = put(inner, "a")
    names(cached)
    inner.lose_answer("lookup", "a", UnavailableError("lost"))
    with pytest.raises(UnavailableError):
        cached.lookup("a", bypass_cache=True)
    with inner.expect():
        assert cached.lookup("a").row == row
    assert cached.lookup("a", bypass_cache=True).row == row
