"""What upper layers derive from a page: it stays with the page, outlives the change of a row, and
is counted among the bytes."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.store.base import PAGE_SIZE, Page
from davbridge.store.derived import DerivedKind
from davbridge.store.memory import MemoryStore
from tests.support.intercepted import CountingStore, GatedStore
from tests.support.objects import names, put
from tests.support.timer import Timer

TEXT: DerivedKind[str] = DerivedKind()
OTHER: DerivedKind[str] = DerivedKind()

MIB = 1024 * 1024

LARGE = [f"{number:05}" for number in range(3 * PAGE_SIZE)]


def pages(cached: CachedStore, prefix: str = "") -> list[Page]:
    return list(cached.list_objects(prefix, delimiter="/"))


def derive_all(cached: CachedStore, nbytes: int = 10) -> None:
    for number, page in enumerate(pages(cached)):
        page.derived.set(TEXT, str(number), nbytes)


def derived(cached: CachedStore) -> list[str | None]:
    return [page.derived.get(TEXT) for page in pages(cached)]


def test_a_derived_value_stays_with_its_page(inner: GatedStore, cached: CachedStore) -> None:
    put(inner, *LARGE)
    assert derived(cached) == [None, None, None]
    derive_all(cached)
    assert derived(cached) == ["0", "1", "2"]
    assert pages(cached)[0].derived.get(OTHER) is None


def test_a_derived_value_made_while_the_listing_arrives_stays(
    inner: GatedStore, cached: CachedStore
) -> None:
    put(inner, *LARGE)
    derive_all(cached)
    assert derived(cached) == ["0", "1", "2"]


def test_derived_values_of_two_empty_pages_are_apart(cached: CachedStore) -> None:
    for prefix in ("", "other/"):
        assert pages(cached, prefix)[0].derived.get(TEXT) is None
    pages(cached)[0].derived.set(TEXT, "of the root", 10)
    assert pages(cached, "other/")[0].derived.get(TEXT) is None


def test_a_derived_value_goes_when_the_listing_expires(
    inner: GatedStore, cached: CachedStore, timer: Timer
) -> None:
    put(inner, *LARGE)
    derive_all(cached)
    timer.advance(60)
    assert derived(cached) == [None, None, None]


@pytest.mark.parametrize("key", ["00000", "01500", "zzz"])
def test_a_write_passes_the_derived_value_on_and_leaves_the_other_pages_alone(
    inner: GatedStore, cached: CachedStore, key: str
) -> None:
    """Whoever made the value compares: see davbridge.store.derived."""
    put(inner, *LARGE)
    derive_all(cached)
    before = pages(cached)
    put(cached, key)
    after = pages(cached)
    assert derived(cached)[:3] == ["0", "1", "2"]
    assert len(set(map(id, before)).difference(map(id, after))) == 1


def test_a_deletion_passes_the_derived_value_on(inner: GatedStore, cached: CachedStore) -> None:
    put(inner, *LARGE)
    derive_all(cached)
    cached.delete_object("01500")
    assert derived(cached) == ["0", "1", "2"]


def test_a_page_that_is_divided_gives_its_derived_value_to_both(
    inner: GatedStore, cached: CachedStore
) -> None:
    put(inner, *LARGE)
    derive_all(cached)
    put(cached, "015000")
    assert derived(cached) == ["0", "1", "1", "2"]
    assert names(cached) == names(inner)


def test_a_derived_value_of_a_page_that_was_replaced_is_not_cached(
    inner: GatedStore, cached: CachedStore
) -> None:
    put(inner, *LARGE)
    old = pages(cached)[0]
    put(cached, "00000")
    old.derived.set(TEXT, "late", 10)
    assert derived(cached) == [None, None, None]


def test_a_derived_value_of_a_page_of_an_older_listing_is_not_cached(
    inner: GatedStore, cached: CachedStore, timer: Timer
) -> None:
    put(inner, *LARGE)
    old = pages(cached)[0]
    timer.advance(60)
    pages(cached)
    old.derived.set(TEXT, "late", 10)
    assert derived(cached) == [None, None, None]


def test_a_derived_value_that_does_not_fit_is_not_cached_and_costs_nothing() -> None:
    inner = CountingStore(MemoryStore())
    put(inner, "a", "b")
    cached = CachedStore(inner, CacheSettings(max_bytes=MIB))
    derive_all(cached, 2 * MIB)
    with inner.expect():
        assert derived(cached) == [None]


def test_derived_values_are_counted_among_the_bytes() -> None:
    inner = CountingStore(MemoryStore())
    put(inner, "a/1", "b/1", "c/1")
    cached = CachedStore(inner, CacheSettings(max_bytes=5 * MIB))
    for prefix in ("a/", "b/", "c/"):
        for page in pages(cached, prefix):
            page.derived.set(TEXT, prefix, MIB * 2)
    with inner.expect(list_objects=1):
        for prefix, value in (("c/", "c/"), ("b/", "b/"), ("a/", None)):
            assert [page.derived.get(TEXT) for page in pages(cached, prefix)] == [value]


def test_a_derived_value_that_replaces_another_is_counted_once() -> None:
    inner = CountingStore(MemoryStore())
    put(inner, "a/1", "b/1")
    cached = CachedStore(inner, CacheSettings(max_bytes=MIB))
    names(cached, "b/")
    for _ in range(10):
        for page in pages(cached, "a/"):
            page.derived.set(TEXT, "again", MIB // 3)
    with inner.expect():
        names(cached, "a/")
        names(cached, "b/")


def test_derived_values_make_room_for_names() -> None:
    inner = CountingStore(MemoryStore())
    put(inner, *LARGE[:1200])
    cached = CachedStore(inner, CacheSettings(max_bytes=2 * MIB))
    derive_all(cached, MIB // 4)
    assert derived(cached) == ["0", "1"]
    for number in range(1200):
        put(cached, f"new-{number:05}")
    with inner.expect():
        assert len(names(cached)) == 2400
        assert set(derived(cached)) == {None}


def test_the_bytes_of_derived_values_are_given_back_with_them(inner: GatedStore) -> None:
    """However often rows change and values are made anew, the bytes add up."""
    put(inner, *LARGE)
    cached = CachedStore(inner, CacheSettings(max_bytes=16 * MIB))
    for number in range(200):
        derive_all(cached, MIB // 2)
        put(cached, f"{number:05}-")
        cached.delete_object(f"{number:05}-")
    derive_all(cached, MIB // 2)
    with inner.expect():
        assert None not in derived(cached)


def test_the_bytes_of_derived_values_from_many_threads_add_up(inner: GatedStore) -> None:
    put(inner, *LARGE)
    cached = CachedStore(inner, CacheSettings(max_bytes=16 * MIB))

    def work(number: int) -> None:
        for step in range(20):
            derive_all(cached, MIB // 2)
            put(cached, f"{step:05}-{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    derive_all(cached, MIB // 2)
    with inner.expect():
        assert None not in derived(cached)
