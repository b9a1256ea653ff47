"""What is kept is bounded in entries and bytes, and what is over the bounds is streamed."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.store.base import PAGE_SIZE, Attributes, Lookup, ObjectInfo, ObjectRow, Page
from davbridge.store.memory import MemoryStore
from tests.support.intercepted import CountingStore, GatedStore
from tests.support.memory import bytes_taken_by, peak_of
from tests.support.objects import names, put
from tests.support.timer import Timer

MIB = 1024 * 1024


class EndlessStore(MemoryStore):
    """Has whatever is asked for, made up on the spot, as a parser makes it: nothing is shared."""

    def __init__(self, rows: int = 0, prefixes: int = 0) -> None:
        super().__init__()
        self._rows = rows
        self._prefixes = prefixes

    def list_objects(
        self, prefix: str, *, delimiter: str = "", page_size: int = PAGE_SIZE
    ) -> Iterator[Page]:
        for start in range(0, max(self._rows, self._prefixes), page_size):
            numbers = range(start, start + page_size)
            rows = [row_of(f"{prefix}{number:08}.jpeg") for number in numbers[: self._rows]]
            folders = [f"{prefix}{number:08}/" for number in numbers[: self._prefixes]]
            is_last = numbers.stop >= max(self._rows, self._prefixes)
            yield Page(tuple(rows), tuple(folders), is_last)

    def lookup(self, key: str, *, bypass_cache: bool = False) -> Lookup:
        return Lookup(row_of(key), is_prefix=False)

    def head_object(self, key: str) -> ObjectInfo:
        return ObjectInfo(row_of(key), Attributes("image/jpeg", {"mtime": key[-12:]}))


def row_of(key: str) -> ObjectRow:
    number = hash(key)
    modified = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number % 10**6)
    return ObjectRow(key, 1000 + number % 10**9, modified, f"{number % 2**128:032x}")


def list_one(cached: CachedStore, number: int) -> None:
    names(cached, f"folder-{number:08}/")


def look_one_up(cached: CachedStore, number: int) -> None:
    cached.lookup(f"folder/z{number:08}.jpeg")


def head_one(cached: CachedStore, number: int) -> None:
    cached.head_object(f"folder/{number:08}.jpeg")


@pytest.mark.parametrize(
    ("inner", "fill", "count"),
    [
        pytest.param(EndlessStore(rows=1), list_one, 1500, id="small listings"),
        pytest.param(EndlessStore(rows=200), list_one, 25, id="listings"),
        pytest.param(EndlessStore(prefixes=500), list_one, 30, id="listings of folders"),
        pytest.param(EndlessStore(rows=PAGE_SIZE * 2), look_one_up, 2500, id="lookups"),
        pytest.param(EndlessStore(), head_one, 1700, id="heads"),
    ],
)
def test_the_bound_in_bytes_is_what_memory_takes(
    inner: EndlessStore, fill: Callable[[CachedStore, int], None], count: int
) -> None:
    cached = CachedStore(inner, CacheSettings(max_bytes=MIB))

    def fill_it_twice_over() -> None:
        for number in range(count):
            fill(cached, number)

    assert MIB // 2 < bytes_taken_by(fill_it_twice_over) < MIB * 1.25


def test_the_estimate_for_a_large_listing_is_within_a_factor_of_two() -> None:
    inner = CountingStore(EndlessStore(rows=10_000))
    cached = CachedStore(inner, CacheSettings())
    taken = bytes_taken_by(lambda: list_one(cached, 0))
    for max_bytes, requests in ((taken * 2, 10), (taken // 2, 20)):
        cached = CachedStore(inner, CacheSettings(max_bytes=max_bytes))
        with inner.expect(list_objects=requests):
            list_one(cached, 0)
            list_one(cached, 0)


@pytest.mark.parametrize(("max_entries", "requests"), [(22, 0), (21, 1)])
def test_the_bound_in_entries_counts_rows_and_listings(
    inner: GatedStore, max_entries: int, requests: int
) -> None:
    for number in range(10):
        put(inner, f"a/{number}", f"b/{number}")
    cached = CachedStore(inner, CacheSettings(max_entries=max_entries))
    names(cached, "a/")
    names(cached, "b/")
    with inner.expect(**({"list_objects": requests} if requests else {})):
        names(cached, "a/")


def test_the_least_recently_used_listing_makes_room(inner: GatedStore) -> None:
    put(inner, "a/1", "b/1", "c/1")
    cached = CachedStore(inner, CacheSettings(max_entries=4))
    names(cached, "a/")
    names(cached, "b/")
    names(cached, "a/")
    names(cached, "c/")
    with inner.expect():
        names(cached, "a/")
    with inner.expect(list_objects=1):
        names(cached, "b/")


def test_a_write_that_makes_a_listing_too_large_is_seen_all_the_same(inner: GatedStore) -> None:
    put(inner, "a", "b")
    cached = CachedStore(inner, CacheSettings(max_entries=3))
    names(cached)
    put(cached, "c")
    assert names(cached) == ["a", "b", "c"]
    assert cached.lookup("c").row


def test_a_listing_over_the_bound_streams_through_in_the_space_of_the_bound() -> None:
    inner = CountingStore(EndlessStore(rows=PAGE_SIZE * 40))
    cached = CachedStore(inner, CacheSettings(max_bytes=MIB))

    def read_it() -> None:
        assert sum(len(page.rows) for page in cached.list_objects("", delimiter="/")) == 40_000

    # All of it would be 13 MiB.
    assert peak_of(read_it) < 3 * MIB
    with inner.expect(list_objects=40):
        read_it()
    # That it is large is known, although nothing of it is kept.
    with inner.expect(lookup=1):
        assert cached.lookup("00000001.jpeg").row


@pytest.mark.parametrize(("max_bytes", "seconds"), [(MIB, 0), (8 * MIB, 60)])
def test_readers_that_stop_half_way_keep_no_more_than_the_bound(
    timer: Timer, max_bytes: int, seconds: int
) -> None:
    """Each of the listings alone had room, or was young enough, when it was read."""
    inner = EndlessStore(prefixes=12 * PAGE_SIZE)
    cached = CachedStore(inner, CacheSettings(max_bytes=max_bytes), timer=timer)
    half_read: list[Iterator[Page]] = []

    def read_half_of_each() -> None:
        for number in range(4):
            pages = cached.list_objects(f"folder-{number}/", delimiter="/")
            for _ in range(10):
                next(pages)
            half_read.append(pages)
        timer.advance(seconds)
        cached.lookup("other/one")

    # All that they have read is 3 MiB.
    assert bytes_taken_by(read_half_of_each) < 2 * MIB
    cached.close()
