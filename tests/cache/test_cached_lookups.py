"""Lookups and HEADs: from the listing around the key where that is cheap, kept where it isn't."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.errors import InvalidNameError, NotFoundError, PreconditionFailedError
from davbridge.store.base import PAGE_SIZE, Attributes, Lookup, ObjectInfo
from tests.support.intercepted import GatedStore
from tests.support.objects import PLAIN, names, put
from tests.support.timer import Timer

NOTHING = Lookup(None, is_prefix=False)

MANY = [f"many/{number:05}" for number in range(PAGE_SIZE + 1)]


def test_a_lookup_brings_all_siblings_along(inner: GatedStore, cached: CachedStore) -> None:
    row = put(inner, "a/b/1", "a/b")
    with inner.expect(list_objects=1):
        assert cached.lookup("a/b") == Lookup(row, is_prefix=True)
        assert cached.lookup("a/absent") == NOTHING
        assert names(cached, "a/") == ["a/b", "a/b/"]


@pytest.mark.parametrize("name", ["._report", ".DS_Store", "desktop.ini", "Thumbs.db"])
def test_an_absent_name_in_a_listed_collection_costs_nothing(
    inner: GatedStore, cached: CachedStore, name: str
) -> None:
    names(cached, "a/")
    with inner.expect():
        assert cached.lookup(f"a/{name}") == NOTHING
        with pytest.raises(NotFoundError):
            cached.head_object(f"a/{name}")


def test_a_name_below_an_absent_collection_costs_nothing(
    inner: GatedStore, cached: CachedStore, timer: Timer
) -> None:
    put(inner, "b")
    names(cached)
    with inner.expect():
        assert names(cached, "a/") == []
        assert cached.lookup("a/1") == NOTHING
    timer.advance(10)
    put(inner, "a/1")
    with inner.expect(list_objects=1):
        assert cached.lookup("a/1").row


def test_an_absent_name_is_asked_for_again_after_the_negative_ttl(
    inner: GatedStore, cached: CachedStore, timer: Timer
) -> None:
    names(cached)
    put(inner, "new", "new2")
    timer.advance(9.9)
    assert cached.lookup("new") == NOTHING
    timer.advance(0.1)
    with inner.expect(list_objects=1):
        assert cached.lookup("new").row
        # The whole collection is fresh again.
        assert cached.lookup("new2").row
        assert cached.lookup("absent") == NOTHING


def test_a_present_name_is_believed_for_the_whole_ttl(
    inner: GatedStore, cached: CachedStore, timer: Timer
) -> None:
    put(inner, "a")
    names(cached)
    timer.advance(59.9)
    with inner.expect():
        assert cached.lookup("a").row


def test_the_listing_stays_while_its_negatives_are_asked_for_again(
    inner: GatedStore, cached: CachedStore, timer: Timer
) -> None:
    put(inner, "a")
    names(cached)
    timer.advance(10)
    gate = inner.gate("list_objects", "")
    with ThreadPoolExecutor() as pool:
        absent = pool.submit(cached.lookup, "absent")
        gate.wait_until_answered()
        assert cached.lookup("a").row
        gate.open()
        assert absent.result() == NOTHING


def test_in_a_large_collection_each_name_is_one_bounded_request(
    inner: GatedStore, cached: CachedStore
) -> None:
    put(inner, *MANY)
    with inner.expect(list_objects=1, lookup=1):
        assert cached.lookup(MANY[0]).row
        assert cached.lookup(MANY[0]).row
    with inner.expect(lookup=2):
        assert cached.lookup(MANY[-1]).row
        assert cached.lookup("many/absent") == NOTHING
        assert cached.lookup("many/absent") == NOTHING
    with inner.expect(list_objects=1):
        assert names(cached, "many/") == MANY


def test_a_large_collection_is_remembered_as_large(inner: GatedStore, cached: CachedStore) -> None:
    put(inner, *MANY)
    cached.lookup("many/absent")
    put(cached, "many/new")
    with inner.expect(lookup=1):
        assert cached.lookup("many/another") == NOTHING


def test_a_large_listing_answers_and_is_mended_by_lookups(
    inner: GatedStore, cached: CachedStore, timer: Timer
) -> None:
    put(inner, *MANY)
    names(cached, "many/")
    put(inner, "many/new/1", "many/new")
    timer.advance(10)
    with inner.expect(lookup=1):
        assert cached.lookup(MANY[0]).row
        assert cached.lookup("many/new").is_prefix
        assert names(cached, "many/") == [*MANY, "many/new", "many/new/"]


def test_an_absent_name_in_a_large_collection_expires_sooner(
    inner: GatedStore, cached: CachedStore, timer: Timer
) -> None:
    put(inner, *MANY)
    cached.lookup("many/absent")
    timer.advance(9.9)
    with inner.expect():
        assert cached.lookup("many/absent") == NOTHING
    timer.advance(0.1)
    with inner.expect(lookup=1):
        assert cached.lookup("many/absent") == NOTHING


def test_two_lookups_of_one_name_are_one_request(inner: GatedStore, cached: CachedStore) -> None:
    put(inner, *MANY)
    cached.lookup(MANY[0])
    gate = inner.gate("lookup", MANY[-1])
    with ThreadPoolExecutor() as pool, inner.expect(lookup=1):
        readers = [pool.submit(cached.lookup, MANY[-1]) for _ in range(4)]
        gate.wait_until_answered()
        gate.open()
        assert all(reader.result().row for reader in readers)


def test_every_lookup_asks_the_store_without_a_ttl(inner: GatedStore) -> None:
    cached = CachedStore(inner, CacheSettings(ttl=0))
    for _ in range(2):
        with inner.expect(lookup=1):
            assert cached.lookup("a") == NOTHING


def test_without_a_negative_ttl_an_absent_name_is_asked_for_each_time(inner: GatedStore) -> None:
    cached = CachedStore(inner, CacheSettings(negative_ttl=0))
    names(cached)
    put(inner, "new")
    assert cached.lookup("new").row


@pytest.mark.parametrize("key", ["", "k" * 1025])
def test_a_name_that_can_be_no_key_is_refused_even_where_a_listing_is_known(
    cached: CachedStore, key: str
) -> None:
    names(cached)
    with pytest.raises(InvalidNameError):
        cached.lookup(key)
    with pytest.raises(InvalidNameError):
        cached.head_object(key)


def test_a_head_is_asked_for_once(inner: GatedStore, cached: CachedStore) -> None:
    row = put(inner, "a")
    with inner.expect(head_object=1):
        assert cached.head_object("a") == ObjectInfo(row, PLAIN)
        assert cached.head_object("a") == ObjectInfo(row, PLAIN)


def test_an_absent_head_is_kept_for_the_negative_ttl(
    inner: GatedStore, cached: CachedStore, timer: Timer
) -> None:
    for _ in range(2):
        with inner.expect(head_object=1):
            for _ in range(2):
                with pytest.raises(NotFoundError):
                    cached.head_object("a")
        timer.advance(10)


def test_a_head_expires_with_the_ttl(inner: GatedStore, cached: CachedStore, timer: Timer) -> None:
    put(inner, "a")
    cached.head_object("a")
    inner.put_object("a", b"x", Attributes("image/png"))
    timer.advance(60)
    assert cached.head_object("a").attributes.content_type == "image/png"


def test_a_head_goes_when_the_listing_shows_another_version(
    inner: GatedStore, cached: CachedStore
) -> None:
    put(inner, "a")
    cached.head_object("a")
    row = put(inner, "a", body=b"another")
    names(cached)
    with inner.expect(head_object=1):
        assert cached.head_object("a").row == row
        assert cached.head_object("a").row == row


def test_a_listing_goes_when_a_head_shows_another_version(
    inner: GatedStore, cached: CachedStore
) -> None:
    put(inner, "a")
    names(cached)
    row = put(inner, "a", body=b"another")
    assert cached.head_object("a").row == row
    assert cached.lookup("a").row == row


def test_a_listing_goes_when_a_head_finds_nothing(inner: GatedStore, cached: CachedStore) -> None:
    put(inner, "a")
    names(cached)
    inner.delete_object("a")
    with pytest.raises(NotFoundError):
        cached.head_object("a")
    assert cached.lookup("a") == NOTHING


def test_a_pinned_read_that_is_refused_invalidates_what_it_relied_on(
    inner: GatedStore, cached: CachedStore
) -> None:
    old = put(inner, "a")
    names(cached)
    new = put(inner, "a", body=b"another")
    with pytest.raises(PreconditionFailedError):
        cached.get_object("a", if_match=old.etag)
    assert cached.lookup("a").row == new


def test_bodies_are_not_kept(inner: GatedStore, cached: CachedStore) -> None:
    put(inner, "a", body=b"body")
    for _ in range(2):
        with inner.expect(get_object=1), cached.get_object("a") as reader:
            assert reader.read(10) == b"body"


def test_a_listing_on_its_way_answers_for_the_names_that_it_has_passed(
    inner: GatedStore, cached: CachedStore
) -> None:
    put(inner, *(f"{number:04}" for number in range(1500)))
    pages = cached.list_objects("", delimiter="/")
    next(pages)
    with inner.expect():
        assert cached.lookup("0500").row is not None
        assert cached.lookup("0500a") == Lookup(None, is_prefix=False)
    with inner.expect(lookup=1):
        assert cached.lookup("1200").row is not None
