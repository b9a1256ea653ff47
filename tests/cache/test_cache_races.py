"""Answers asked for before a write ended are given to those who wait, and are not kept."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from davbridge.cache import CachedStore
from davbridge.errors import UnavailableError
from davbridge.store.base import PAGE_SIZE, Lookup
from tests.support.intercepted import GatedStore
from tests.support.objects import PLAIN, names, put
from tests.support.timer import Timer

NOTHING = Lookup(None, is_prefix=False)

MANY = [f"many/{number:05}" for number in range(PAGE_SIZE + 1)]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as running:
        yield running


@pytest.mark.parametrize(
    ("prefix", "key"),
    [("", "new"), ("", "a/b/new"), ("a/", "a/b/new"), ("a/", "a/"), ("", "a/")],
)
def test_a_listing_begun_before_a_put_ended_is_not_kept(
    inner: GatedStore, cached: CachedStore, pool: ThreadPoolExecutor, prefix: str, key: str
) -> None:
    gate = inner.gate("list_objects", prefix)
    reader = pool.submit(names, cached, prefix)
    gate.wait_until_answered()
    put(cached, key)
    # Who asks now doesn't join the one that is under way.
    assert names(cached, prefix) == names(inner, prefix) != []
    gate.open()
    assert reader.result() == []
    assert names(cached, prefix) == names(inner, prefix)


@pytest.mark.parametrize(("prefix", "key"), [("", "old"), ("", "a/b/old"), ("a/b/", "a/b/old")])
def test_a_listing_begun_before_a_deletion_ended_is_not_kept(
    inner: GatedStore, cached: CachedStore, pool: ThreadPoolExecutor, prefix: str, key: str
) -> None:
    put(inner, key)
    gate = inner.gate("list_objects", prefix)
    reader = pool.submit(names, cached, prefix)
    gate.wait_until_answered()
    cached.delete_object(key)
    gate.open()
    assert reader.result() != []
    assert names(cached, prefix) == []


def test_a_listing_under_way_while_its_own_later_page_changes_is_not_kept(
    inner: GatedStore, cached: CachedStore
) -> None:
    put(inner, *MANY)
    pages = cached.list_objects("many/", delimiter="/")
    next(pages)
    cached.delete_object(MANY[0])
    list(pages)
    assert names(cached, "many/") == MANY[1:]


def test_a_listing_that_only_became_known_during_a_write_is_corrected_by_it(
    inner: GatedStore, cached: CachedStore, pool: ThreadPoolExecutor
) -> None:
    before = inner.gate("list_objects", "")
    reader = pool.submit(names, cached)
    before.wait_until_answered()
    gate = inner.gate("put_object", "new")
    writer = pool.submit(put, cached, "new")
    gate.wait_until_answered()
    before.open()
    assert reader.result() == []
    gate.open()
    writer.result()
    with inner.expect():
        assert names(cached) == ["new"]


def test_a_listing_that_is_asked_for_again_does_not_undo_a_write(
    inner: GatedStore, cached: CachedStore, pool: ThreadPoolExecutor, timer: Timer
) -> None:
    put(inner, "old")
    names(cached)
    timer.advance(10)
    gate = inner.gate("list_objects", "")
    reader = pool.submit(cached.lookup, "absent")
    gate.wait_until_answered()
    put(cached, "new")
    gate.open()
    assert reader.result() == NOTHING
    with inner.expect():
        assert names(cached) == ["new", "old"]


def test_a_lookup_begun_before_a_put_ended_is_not_kept(
    inner: GatedStore, cached: CachedStore, pool: ThreadPoolExecutor
) -> None:
    put(inner, *MANY)
    cached.lookup(MANY[0])
    gate = inner.gate("lookup", "many/new")
    reader = pool.submit(cached.lookup, "many/new")
    gate.wait_until_answered()
    put(cached, "many/new/1")
    gate.open()
    assert reader.result() == NOTHING
    assert cached.lookup("many/new").is_prefix


def test_a_head_begun_before_a_put_ended_is_not_kept(
    inner: GatedStore, cached: CachedStore, pool: ThreadPoolExecutor
) -> None:
    old = put(inner, "a")
    gate = inner.gate("head_object", "a")
    reader = pool.submit(cached.head_object, "a")
    gate.wait_until_answered()
    new = cached.put_object("a", b"new", PLAIN)
    gate.open()
    assert reader.result().row == old
    assert cached.head_object("a").row == new


def test_a_lookup_begun_before_an_invalidation_is_not_kept(
    inner: GatedStore, cached: CachedStore, pool: ThreadPoolExecutor
) -> None:
    gate = inner.gate("list_objects", "")
    reader = pool.submit(cached.lookup, "a")
    gate.wait_until_answered()
    put(inner, "a")
    cached.invalidate("a")
    gate.open()
    assert reader.result() == NOTHING
    assert cached.lookup("a").row


def test_after_two_overlapping_writes_the_store_is_asked_which_was_last(
    inner: GatedStore, cached: CachedStore, pool: ThreadPoolExecutor
) -> None:
    names(cached)
    first_gate = inner.gate("put_object", "a")
    first = pool.submit(cached.put_object, "a", b"first", PLAIN)
    first_gate.wait_until_answered()
    last = cached.put_object("a", b"second", PLAIN)
    assert cached.lookup("a").row == last
    first_gate.open()
    # Its answer comes later, although the store did it sooner.
    assert first.result().etag != last.etag
    assert cached.lookup("a").row == last
    assert cached.head_object("a").row == last


def test_a_deletion_that_overlaps_a_put_is_asked_about(
    inner: GatedStore, cached: CachedStore, pool: ThreadPoolExecutor
) -> None:
    put(cached, "a/1", "z")
    names(cached)
    names(cached, "a/")
    gate = inner.gate("delete_object", "a/1")
    deletion = pool.submit(cached.delete_object, "a/1")
    gate.wait_until_answered()
    put(cached, "a/1")
    gate.open()
    deletion.result()
    assert names(cached, "a/") == ["a/1"]
    assert names(cached) == ["a/", "z"]


def test_a_put_into_a_collection_survives_the_deletion_of_its_last_other_member(
    inner: GatedStore, cached: CachedStore, pool: ThreadPoolExecutor
) -> None:
    put(cached, "a/old")
    names(cached)
    names(cached, "a/")
    gate = inner.gate("put_object", "a/new")
    writer = pool.submit(put, cached, "a/new")
    gate.wait_until_answered()
    cached.delete_object("a/old")
    gate.open()
    writer.result()
    assert names(cached) == ["a/"]
    assert names(cached, "a/") == ["a/new"]


def test_a_lost_put_into_a_collection_is_looked_for_though_a_listing_above_is_newer(
    inner: GatedStore, cached: CachedStore, pool: ThreadPoolExecutor
) -> None:
    """What is known of the collection holds a member that goes at this moment: the listing above,
    asked for just then, hasn't got the collection any more."""
    put(cached, "d/a/old")
    names(cached, "d/a/")
    deletion_gate = inner.gate("delete_object", "d/a/old")
    deletion = pool.submit(cached.delete_object, "d/a/old")
    deletion_gate.wait_until_answered()
    assert names(cached) == []
    inner.lose_answer("put_object", "d/a/new", UnavailableError("the answer was lost"))
    with pytest.raises(UnavailableError):
        put(cached, "d/a/new")
    assert names(cached, "d/a/") == ["d/a/new"]
    assert cached.lookup("d/a").is_prefix
    deletion_gate.open()
    deletion.result()
    assert names(cached) == ["d/"]


def test_a_lost_put_is_not_hidden_by_a_listing_above_that_is_on_its_way(
    inner: GatedStore, cached: CachedStore, pool: ThreadPoolExecutor
) -> None:
    put(cached, "a/old")
    names(cached, "a/")
    deletion_gate = inner.gate("delete_object", "a/old")
    deletion = pool.submit(cached.delete_object, "a/old")
    deletion_gate.wait_until_answered()
    gate = inner.gate("list_objects", "")
    reader = pool.submit(names, cached)
    gate.wait_until_answered()
    inner.lose_answer("put_object", "a/new", UnavailableError("the answer was lost"))
    with pytest.raises(UnavailableError):
        put(cached, "a/new")
    gate.open()
    assert reader.result() == []
    assert names(cached) == ["a/"]
    assert names(cached, "a/") == ["a/new"]
    deletion_gate.open()
    deletion.result()


def test_many_threads_see_their_own_writes(inner: GatedStore, cached: CachedStore) -> None:
    def work(number: int) -> None:
        collection = f"{number % 2}/"
        for step in range(40):
            key = f"{collection}{step % 3}/{number}"
            put(cached, key)
            assert cached.lookup(key).row
            assert key in names(cached, f"{collection}{step % 3}/")
            assert f"{collection}{step % 3}/" in names(cached, collection)
            assert collection in names(cached)
            cached.delete_object(key)
            assert not cached.lookup(key).row
            assert key not in names(cached, f"{collection}{step % 3}/")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert names(cached) == names(cached, "0/") == names(cached, "1/0/") == []
