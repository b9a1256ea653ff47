"""What our own writes change of what is kept, and what they leave in doubt."""

from collections.abc import Callable
from typing import TypeVar

import pytest

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.errors import NotFoundError, PreconditionFailedError, UnavailableError
from davbridge.store.base import IF_ABSENT, PAGE_SIZE, Attributes, Lookup, ObjectInfo
from davbridge.store.memory import MemoryStore
from davbridge.waiting import store_wait
from tests.support.intercepted import GatedStore
from tests.support.objects import PLAIN, names, put
from tests.support.observers import Refusing, thread_reporting_to
from tests.support.timer import Timer

T = TypeVar("T")

NOTHING = Lookup(None, is_prefix=False)

LOST = UnavailableError("the answer was lost")


def put_object(store: CachedStore, key: str) -> None:
    store.put_object(key, b"new", PLAIN)


def commit(store: CachedStore, key: str) -> None:
    writer = store.open_writer(key, PLAIN)
    writer.write(b"new")
    writer.commit()


def copy_object(store: CachedStore, key: str) -> None:
    store.copy_object(put(store, "source"), key)


def copy_object_onto(store: CachedStore, key: str) -> None:
    row = store.lookup("b").row
    assert row
    store.copy_object(row, key)


class WaitingStore(GatedStore):
    """Waits for its answers as a store behind a network does."""

    def intercept(self, name: str, key: str, call: Callable[[], T]) -> T:
        with store_wait():
            return super().intercept(name, key, call)


WRITES = pytest.mark.parametrize("write", [put_object, commit, copy_object])

Write = Callable[[CachedStore, str], None]


@WRITES
def test_a_write_is_seen_in_the_kept_listing(
    inner: GatedStore, cached: CachedStore, write: Write
) -> None:
    put(inner, "a/1", "a/3")
    put(cached, "source")
    names(cached, "a/")
    write(cached, "a/2")
    with inner.expect():
        assert names(cached, "a/") == ["a/1", "a/2", "a/3"]
        row = cached.lookup("a/2").row
    assert row == inner.lookup("a/2").row


@WRITES
def test_a_write_makes_every_collection_above_it_known(
    inner: GatedStore, cached: CachedStore, write: Write
) -> None:
    put(inner, "z")
    put(cached, "source")
    assert names(cached, "a/") == []
    assert names(cached) == ["source", "z"]
    write(cached, "a/b/c")
    with inner.expect():
        assert names(cached) == ["a/", "source", "z"]
        assert names(cached, "a/") == ["a/b/"]
        assert cached.lookup("a/b") == Lookup(None, is_prefix=True)


def test_a_marker_is_in_its_own_listing_and_a_prefix_in_the_one_above(
    inner: GatedStore, cached: CachedStore
) -> None:
    assert names(cached, "a/") == names(cached) == []
    put(cached, "a/")
    with inner.expect():
        assert names(cached) == ["a/"]
        assert names(cached, "a/") == ["a/"]
        assert cached.lookup("a") == Lookup(None, is_prefix=True)


@pytest.mark.parametrize("batch", [False, True])
def test_the_last_deletion_takes_the_collections_above_along(
    inner: GatedStore, cached: CachedStore, batch: bool
) -> None:
    put(inner, "a/b/c/1", "z")
    for prefix in ("", "a/", "a/b/", "a/b/c/"):
        names(cached, prefix)
    if batch:
        assert cached.delete_objects(["a/b/c/1"]) == []
    else:
        cached.delete_object("a/b/c/1")
    with inner.expect():
        assert names(cached) == ["z"]
        assert names(cached, "a/") == []
        assert cached.lookup("a/b") == NOTHING


def test_a_deletion_leaves_a_collection_that_holds_more(
    inner: GatedStore, cached: CachedStore
) -> None:
    put(inner, "a/1", "a/2", "a/")
    names(cached)
    names(cached, "a/")
    cached.delete_objects(["a/1", "a/2"])
    with inner.expect():
        assert names(cached) == ["a/"]
        assert names(cached, "a/") == ["a/"]


def test_a_deletion_in_an_unknown_collection_invalidates_those_above(
    inner: GatedStore, cached: CachedStore
) -> None:
    put(inner, "a/b/1", "z")
    assert names(cached) == ["a/", "z"]
    assert names(cached, "a/") == ["a/b/"]
    cached.delete_object("a/b/1")
    assert names(cached) == ["z"]
    assert names(cached, "a/") == []


def test_a_write_leaves_neighbouring_listings_cached(
    inner: GatedStore, cached: CachedStore
) -> None:
    put(inner, "a", "a-", "ab", "a/", "a/1", "a-/1")
    for prefix in ("", "a/", "a-/"):
        names(cached, prefix)
    cached.delete_objects(["a/", "a/1"])
    with inner.expect():
        assert names(cached) == ["a", "a-", "a-/", "ab"]
        assert names(cached, "a-/") == ["a-/1"]
        assert cached.lookup("a").row


def test_the_head_of_what_was_just_written_costs_nothing(
    inner: GatedStore, cached: CachedStore
) -> None:
    attributes = Attributes("image/png", {"mtime": "1"})
    row = cached.put_object("a", b"x", attributes)
    with inner.expect():
        assert cached.head_object("a") == ObjectInfo(row, attributes)
    writer = cached.open_writer("b", attributes)
    row = writer.commit()
    with inner.expect():
        assert cached.head_object("b") == ObjectInfo(row, attributes)


def test_a_write_replaces_the_known_head(cached: CachedStore) -> None:
    put(cached, "a")
    cached.head_object("a")
    row = cached.copy_object(put(cached, "b"), "a", attributes=Attributes("image/png"))
    assert cached.head_object("a") == ObjectInfo(row, Attributes("image/png"))
    cached.copy_object(cached.head_object("b").row, "a")
    assert cached.head_object("a").attributes == PLAIN
    cached.delete_object("a")
    with pytest.raises(NotFoundError):
        cached.head_object("a")


def test_writes_do_not_prolong_what_is_cached(
    inner: GatedStore, cached: CachedStore, timer: Timer
) -> None:
    names(cached)
    timer.advance(59)
    put(cached, "ours")
    put(inner, "theirs")
    timer.advance(1)
    assert names(cached) == ["ours", "theirs"]


@pytest.mark.parametrize("name", ["put_object", "commit", "copy_object"])
def test_a_write_whose_answer_was_lost_invalidates_its_name(
    inner: GatedStore, cached: CachedStore, name: str
) -> None:
    write = {"put_object": put_object, "commit": commit, "copy_object": copy_object}[name]
    put(cached, "a/old", "source")
    for prefix in ("", "a/", "a/b/"):
        names(cached, prefix)
    inner.lose_answer(name, "a/b/new", LOST)
    with pytest.raises(UnavailableError):
        write(cached, "a/b/new")
    assert names(cached, "a/") == ["a/b/", "a/old"]
    assert names(cached, "a/b/") == ["a/b/new"]
    assert cached.lookup("a/b/new").row


def test_a_deletion_whose_answer_was_lost_invalidates_its_name(
    inner: GatedStore, cached: CachedStore
) -> None:
    for delete in (cached.delete_object, lambda key: cached.delete_objects([key])):
        put(cached, "a/1", "z")
        assert names(cached) == ["a/", "z"]
        assert names(cached, "a/") == ["a/1"]
        for name in ("delete_object", "delete_objects"):
            inner.lose_answer(name, "a/1", LOST)
        with pytest.raises(UnavailableError):
            delete("a/1")
        assert names(cached) == ["z"]
        assert names(cached, "a/") == []
        cached.clear()


def test_a_refused_write_invalidates_what_it_relied_on(
    inner: GatedStore, cached: CachedStore
) -> None:
    assert cached.lookup("a") == NOTHING
    row = put(inner, "a")
    with pytest.raises(PreconditionFailedError):
        cached.put_object("a", b"mine", PLAIN, IF_ABSENT)
    assert cached.lookup("a").row == row


def test_a_copy_of_what_is_gone_invalidates_what_it_relied_on(
    inner: GatedStore, cached: CachedStore
) -> None:
    row = put(inner, "a")
    names(cached)
    inner.delete_object("a")
    with pytest.raises(NotFoundError):
        cached.copy_object(row, "b")
    assert cached.lookup("a") == NOTHING


def test_an_aborted_writer_changes_nothing(inner: GatedStore, cached: CachedStore) -> None:
    names(cached)
    writer = cached.open_writer("a", PLAIN)
    writer.write(b"half")
    writer.abort()
    with inner.expect():
        assert names(cached) == []


def test_a_key_that_a_batch_could_not_delete_is_asked_for_again(
    inner: GatedStore, cached: CachedStore
) -> None:
    put(cached, "a/1")
    names(cached, "a/")
    failures = cached.delete_objects(["a/1", "k" * 1025])
    assert [failure.key for failure in failures] == ["k" * 1025]
    with inner.expect():
        assert names(cached, "a/") == []


def test_a_large_listing_is_corrected_like_any_other(
    inner: GatedStore, cached: CachedStore
) -> None:
    keys = [f"{number:05}" for number in range(2 * PAGE_SIZE)]
    put(inner, *keys)
    names(cached)
    cached.delete_object(keys[0])
    put(cached, "00005-", "zz")
    with inner.expect():
        found = names(cached)
        pages = list(cached.list_objects("", delimiter="/"))
    assert found == names(inner)
    assert [page.is_last for page in pages] == [False, False, True]


def test_invalidate_forgets_what_another_program_changed(
    inner: GatedStore, cached: CachedStore
) -> None:
    put(inner, "a/b/1", "z")
    for prefix in ("", "a/", "a/b/"):
        names(cached, prefix)
    cached.head_object("a/b/1")
    inner.delete_object("a/b/1")
    cached.invalidate("a/b/1")
    assert names(cached, "a/b/") == names(cached, "a/") == []
    assert names(cached) == ["z"]
    put(inner, "a/b/2")
    cached.invalidate("a/b/2")
    assert names(cached) == ["a/", "z"]
    assert names(cached, "a/b/") == ["a/b/2"]


def test_invalidate_spares_what_cannot_have_changed(inner: GatedStore, cached: CachedStore) -> None:
    put(inner, "a/1", "a/2", "b/1")
    for prefix in ("", "a/", "b/"):
        names(cached, prefix)
    cached.invalidate("a/1")
    with inner.expect():
        names(cached)
        names(cached, "b/")
    with inner.expect(list_objects=1):
        names(cached, "a/")


def delete_object(store: CachedStore, key: str) -> None:
    store.delete_object(key)


def delete_objects(store: CachedStore, key: str) -> None:
    store.delete_objects([key, key + "2"])


@pytest.mark.parametrize(
    "write", [put_object, commit, copy_object_onto, delete_object, delete_objects]
)
def test_a_write_that_may_not_wait_for_the_store_leaves_what_is_cached(
    timer: Timer, write: Write
) -> None:
    inner = WaitingStore(MemoryStore())
    cached = CachedStore(inner, CacheSettings(ttl=60, negative_ttl=10), timer=timer)
    put(inner, "a/1", "b")
    cached_before = names(cached), names(cached, "a/"), cached.head_object("a/1")
    with inner.expect(), thread_reporting_to(Refusing()) as thread, pytest.raises(UnavailableError):
        thread.submit(write, cached, "a/1").result()
    with inner.expect():
        assert (names(cached), names(cached, "a/"), cached.head_object("a/1")) == cached_before


def test_a_body_that_may_not_wait_for_the_store_is_given_up(timer: Timer) -> None:
    inner = WaitingStore(MemoryStore())
    cached = CachedStore(inner, CacheSettings(), timer=timer)
    writer = cached.open_writer("a", PLAIN)
    writer.write(b"new")
    with thread_reporting_to(Refusing()) as thread, pytest.raises(UnavailableError):
        thread.submit(writer.commit).result()
    with pytest.raises(ValueError, match="aborted"):
        writer.commit()
