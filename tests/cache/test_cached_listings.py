"""Listings of collections: asked for once, page by page, and kept for the TTL."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.errors import UnavailableError
from davbridge.store.base import PAGE_SIZE
from tests.support.intercepted import GatedStore
from tests.support.objects import names, put
from tests.support.timer import Timer


def many(prefix: str, count: int) -> list[str]:
    return [f"{prefix}{number:05}" for number in range(count)]


def test_a_listing_is_asked_for_once(inner: GatedStore, cached: CachedStore) -> None:
    put(inner, "a/1", "a/b/2", "a/")
    with inner.expect(list_objects=1):
        assert names(cached, "a/") == ["a/", "a/1", "a/b/"]
        assert names(cached, "a/") == ["a/", "a/1", "a/b/"]


def test_an_empty_listing_is_cached(inner: GatedStore, cached: CachedStore) -> None:
    with inner.expect(list_objects=1):
        assert names(cached, "a/") == []
        assert names(cached, "a/") == []


def test_a_kept_listing_has_the_pages_that_the_store_gave(
    inner: GatedStore, cached: CachedStore
) -> None:
    put(inner, *many("a/", 1500), *many("a/00500/", 3), "a/")
    cold = list(cached.list_objects("a/", delimiter="/"))
    assert cold == list(inner.list_objects("a/", delimiter="/"))
    assert cold == list(cached.list_objects("a/", delimiter="/"))


def test_a_listing_is_asked_for_again_after_the_ttl(
    inner: GatedStore, cached: CachedStore, timer: Timer
) -> None:
    put(inner, "old")
    names(cached)
    put(inner, "new")
    timer.advance(59.9)
    assert names(cached) == ["old"]
    timer.advance(0.1)
    assert names(cached) == ["new", "old"]


def test_an_empty_collection_expires_as_soon_as_an_absent_one(
    inner: GatedStore, cached: CachedStore, timer: Timer
) -> None:
    names(cached, "a/")
    put(inner, "a/new")
    timer.advance(9.9)
    assert names(cached, "a/") == []
    timer.advance(0.1)
    assert names(cached, "a/") == ["a/new"]


def test_the_ttl_counts_from_before_the_listing_was_asked_for(
    inner: GatedStore, cached: CachedStore, timer: Timer
) -> None:
    put(inner, *many("", PAGE_SIZE + 1))
    pages = cached.list_objects("", delimiter="/")
    next(pages)
    timer.advance(50)
    list(pages)
    timer.advance(10)
    with inner.expect(list_objects=2):
        names(cached)


def test_a_reader_of_one_page_asks_for_one(inner: GatedStore, cached: CachedStore) -> None:
    put(inner, *many("", 2 * PAGE_SIZE + 1))
    with inner.expect(list_objects=1):
        next(cached.list_objects("", delimiter="/"))
        cached.close()  # What had been asked for ahead would have come by now.


def test_a_reader_that_reads_on_finds_the_next_page_asked_for(
    inner: GatedStore, cached: CachedStore
) -> None:
    put(inner, *many("", 4 * PAGE_SIZE))
    pages = cached.list_objects("", delimiter="/")
    with inner.expect(list_objects=3):
        next(pages)
        gate = inner.gate("list_objects", "")
        gate.open()
        ahead = inner.gate("list_objects", "")
        next(pages)
        ahead.wait_until_answered()
        ahead.open()
        # And no further, however long the reader takes.
        cached.close()
    with inner.expect(list_objects=1):
        assert len(list(pages)) == 2


def test_a_page_that_failed_ahead_of_its_reader_fails_for_the_reader(
    inner: GatedStore, cached: CachedStore
) -> None:
    put(inner, *many("", 3 * PAGE_SIZE))
    pages = cached.list_objects("", delimiter="/")
    next(pages)
    inner.lose_answer("list_objects", "", UnavailableError("no"), skip=1)
    next(pages)
    with pytest.raises(UnavailableError):
        next(pages)
    assert len(names(cached)) == 3 * PAGE_SIZE


def test_a_closed_cache_still_reads(inner: GatedStore, cached: CachedStore) -> None:
    put(inner, *many("", 2 * PAGE_SIZE + 1))
    cached.close()
    assert len(names(cached)) == 2 * PAGE_SIZE + 1


def test_a_reader_continues_where_another_one_stopped(
    inner: GatedStore, cached: CachedStore
) -> None:
    put(inner, *many("", 2 * PAGE_SIZE + 1))
    first = cached.list_objects("", delimiter="/")
    next(first)
    with inner.expect(list_objects=2):
        assert len(names(cached)) == 2 * PAGE_SIZE + 1
        assert len(list(first)) == 2


def test_two_readers_of_one_cold_listing_make_one_request(
    inner: GatedStore, cached: CachedStore
) -> None:
    put(inner, "a")
    gate = inner.gate("list_objects", "")
    with ThreadPoolExecutor() as pool, inner.expect(list_objects=1):
        readers = [pool.submit(names, cached) for _ in range(8)]
        gate.wait_until_answered()
        gate.open()
        assert [reader.result() for reader in readers] == [["a"]] * 8


def test_readers_share_the_request_for_each_page(inner: GatedStore, cached: CachedStore) -> None:
    put(inner, *many("", 3 * PAGE_SIZE))
    with ThreadPoolExecutor() as pool, inner.expect(list_objects=3):
        for found in pool.map(lambda _: names(cached), range(8)):
            assert len(found) == 3 * PAGE_SIZE


def test_nothing_is_cached_without_a_ttl_but_requests_are_shared(
    inner: GatedStore, until_waiting: Callable[[int], None]
) -> None:
    cached = CachedStore(inner, CacheSettings(ttl=0))
    put(inner, "a")
    with inner.expect(list_objects=2):
        names(cached)
        names(cached)
    gate = inner.gate("list_objects", "")
    with ThreadPoolExecutor() as pool, inner.expect(list_objects=1):
        first = pool.submit(names, cached)
        gate.wait_until_answered()
        second = pool.submit(names, cached)
        until_waiting(1)
        gate.open()
        assert first.result() == second.result() == ["a"]


@pytest.mark.parametrize(
    ("prefix", "delimiter", "page_size"),
    [("", "", PAGE_SIZE), ("", "/", 2), ("a", "/", PAGE_SIZE), ("", "-", PAGE_SIZE)],
)
def test_a_listing_of_no_collection_is_passed_through(
    inner: GatedStore, cached: CachedStore, prefix: str, delimiter: str, page_size: int
) -> None:
    put(inner, "a/1", "a/2", "b-c")
    for _ in range(2):
        with inner.expect(list_objects=1):
            pages = cached.list_objects(prefix, delimiter=delimiter, page_size=page_size)
            next(pages)


def test_a_failure_reaches_all_readers_that_wait_and_is_not_cached(
    inner: GatedStore, cached: CachedStore, until_waiting: Callable[[int], None]
) -> None:
    put(inner, "a")
    gate = inner.gate("list_objects", "")
    gate.error = UnavailableError("slow down")
    with ThreadPoolExecutor() as pool, inner.expect(list_objects=1):
        readers = [pool.submit(names, cached) for _ in range(3)]
        until_waiting(2)
        gate.open()
        for reader in readers:
            with pytest.raises(UnavailableError, match="slow down"):
                reader.result()
    with inner.expect(list_objects=1):
        assert names(cached) == ["a"]


def test_a_failure_in_the_middle_leaves_no_half_listing(
    inner: GatedStore, cached: CachedStore
) -> None:
    put(inner, *many("", 2 * PAGE_SIZE + 1))
    inner.lose_answer("list_objects", "", UnavailableError("gone"), skip=1)
    with pytest.raises(UnavailableError):
        names(cached)
    assert len(names(cached)) == 2 * PAGE_SIZE + 1


def test_a_listing_that_is_read_is_not_disturbed_by_writes(
    inner: GatedStore, cached: CachedStore
) -> None:
    keys = many("", 2 * PAGE_SIZE)
    put(inner, *keys)
    names(cached)
    pages = cached.list_objects("", delimiter="/")
    first = next(pages)
    cached.delete_objects(keys[: PAGE_SIZE + 10])
    put(cached, "new")
    assert [row.key for page in (first, *pages) for row in page.rows] == keys
    assert names(cached) == [*keys[PAGE_SIZE + 10 :], "new"]


def test_clear_forgets_everything(inner: GatedStore, cached: CachedStore) -> None:
    names(cached)
    put(inner, "a")
    cached.clear()
    assert names(cached) == ["a"]
    assert cached.lookup("a").row


def test_clear_reaches_a_listing_on_its_way(inner: GatedStore, cached: CachedStore) -> None:
    gate = inner.gate("list_objects", "")
    with ThreadPoolExecutor() as pool:
        reader = pool.submit(names, cached)
        gate.wait_until_answered()
        put(inner, "a")
        cached.clear()
        gate.open()
        assert reader.result() == []
    assert names(cached) == ["a"]


def test_a_collection_that_the_listing_above_does_not_show_is_empty_without_asking(
    inner: GatedStore, cached: CachedStore, timer: Timer
) -> None:
    put(inner, "file", "folder/x")
    assert names(cached) == ["file", "folder/"]
    with inner.expect():
        assert names(cached, "file/") == []
        assert names(cached, "missing/") == []
    with inner.expect(list_objects=1):
        assert names(cached, "folder/") == ["folder/x"]
    put(inner, "missing/x")
    timer.now += 11
    with inner.expect(list_objects=1):
        assert names(cached, "missing/") == ["missing/x"]
