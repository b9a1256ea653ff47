"""ObjectStore's promises about listings and look-ups, held against every store."""

from datetime import UTC, datetime, timedelta

import pytest

from davbridge.errors import InvalidNameError
from davbridge.store.base import Attributes, Lookup, ObjectStore, Page
from tests.store.conftest import Needs
from tests.support.contract import are_since, fill, keys, prefixes, rows
from tests.support.stores import Feature

ODD_NAMES = [
    "with space",
    "grüße",
    "gru\u0308ße",
    "日本語",
    "🎉 party",
    "a+b",
    "a&b",
    "a#b",
    "100%",
    "%41",
    "it's; here",
    'quo"ted',
    "<tag>",
    "q?x=1",
    "~!*()$,:@=",
    "tab\there",
    "return\rhere",
    "line\nfeed",
    "bell\x07",
    "\x01",
    "not a character \ufffe",
    "[1]{2}|^`",
]


def test_an_empty_bucket_lists_as_one_last_page(store: ObjectStore) -> None:
    (page,) = store.list_objects("")
    assert page == Page((), (), is_last=True)


def test_a_row_has_size_time_and_etag(store: ObjectStore) -> None:
    began_at = datetime.now(UTC)
    written = store.put_object("a", b"hello", Attributes())
    (row,) = rows(store)
    assert (row.key, row.size) == ("a", 5)
    assert row.etag == written.etag
    assert row.etag
    assert '"' not in row.etag
    assert row.modified.utcoffset() == timedelta(0)
    assert are_since(began_at, row, written)


def test_flat_listings_hold_every_key_with_the_prefix(store: ObjectStore) -> None:
    fill(store, "a/b", "a-", "a/c/d", "ab", "b")
    assert sorted(keys(store, "a")) == ["a-", "a/b", "a/c/d", "ab"]
    assert sorted(keys(store, "a/")) == ["a/b", "a/c/d"]
    assert keys(store, "c") == []


def test_flat_listings_are_in_utf8_order(store: ObjectStore, needs: Needs) -> None:
    needs(Feature.BYTE_ORDER)
    # U+FF5E sorts before U+1F389 in UTF-8, and after it in UTF-16.
    names = ["a/b", "a-", "a", "ab", "B", "\uff5e", "\U0001f389", "a.b"]
    fill(store, *names)
    assert keys(store) == sorted(names, key=str.encode)


def test_a_delimiter_rolls_up_what_lies_deeper(store: ObjectStore) -> None:
    fill(store, "x", "dir/a", "dir/b", "dir2/deep/er", "mark/", "top.txt")
    assert keys(store, delimiter="/") == ["top.txt", "x"]
    assert prefixes(store) == ["dir/", "dir2/", "mark/"]
    assert keys(store, "dir/", "/") == ["dir/a", "dir/b"]
    assert prefixes(store, "dir2/") == ["dir2/deep/"]


def test_a_marker_is_a_row_of_its_own_collection(store: ObjectStore) -> None:
    fill(store, "mark/", "mark/a")
    assert keys(store, "mark/", "/") == ["mark/", "mark/a"]
    assert prefixes(store, "mark/") == []


def test_neighbouring_prefixes_are_kept_apart(store: ObjectStore) -> None:
    fill(store, "a/x", "a-/x", "a b/x", "ab/x", "a", "a-")
    assert sorted(prefixes(store)) == ["a b/", "a-/", "a/", "ab/"]
    assert keys(store, delimiter="/") == ["a", "a-"]
    assert keys(store, "a/") == ["a/x"]


def test_empty_segments_are_kept(store: ObjectStore, needs: Needs) -> None:
    needs(Feature.EMPTY_SEGMENTS)
    fill(store, "a//b", "a/b", "/c")
    assert prefixes(store) == ["/", "a/"]
    assert prefixes(store, "a/") == ["a//"]


@pytest.mark.parametrize("page_size", [1, 2, 3, 7])
def test_pages_add_up_to_the_listing_whatever_their_size(
    store: ObjectStore, page_size: int
) -> None:
    fill(store, "a", "b/1", "b/2", "b/3", "c/1", "d", "e/f/g")
    pages = list(store.list_objects("", delimiter="/", page_size=page_size))
    assert [row.key for page in pages for row in page.rows] == ["a", "d"]
    assert [common for page in pages for common in page.prefixes] == ["b/", "c/", "e/"]
    assert all(len(page.rows) + len(page.prefixes) <= page_size for page in pages)
    assert [page.is_last for page in pages] == [False] * (len(pages) - 1) + [True]


def test_listings_and_deletes_of_1100_keys_take_two_batches(store: ObjectStore) -> None:
    names = [f"dir/{number:04}" for number in range(1100)]
    fill(store, *names, "other")
    pages = list(store.list_objects("dir/", delimiter="/"))
    assert [len(page.rows) for page in pages] == [1000, 100]
    assert [row.key for page in pages for row in page.rows] == names
    assert store.delete_objects([*names, "absent"]) == []
    assert keys(store) == ["other"]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_keys_are_listed_as_they_were_written(
    store: ObjectStore, needs: Needs, name: str
) -> None:
    if "\n" in name:
        needs(Feature.LINE_FEED)
    fill(store, name, f"{name}/inside")
    assert keys(store, name, "/") == [name]
    assert prefixes(store, name) == [f"{name}/"]
    found = store.lookup(name)
    assert found.row is not None
    assert found == Lookup(store.head_object(name).row, is_prefix=True)
    with store.get_object(name) as reader:
        assert reader.read(10) == b"x"
    copy = store.copy_object(found.row, f"copy of {name}")
    assert keys(store, copy.key, "/") == [copy.key]
    assert store.delete_objects([name, f"{name}/inside"]) == []
    assert keys(store) == [copy.key]


def test_lookup_of_nothing_finds_nothing(store: ObjectStore) -> None:
    fill(store, "ab", "a-b/c", "b")
    assert store.lookup("a") == Lookup(None, is_prefix=False)


def test_lookup_of_an_object_finds_its_row(store: ObjectStore) -> None:
    fill(store, "a", "a.txt", "ab/c")
    assert store.lookup("a") == Lookup(store.head_object("a").row, is_prefix=False)


def test_lookup_of_an_implicit_directory_finds_a_directory(store: ObjectStore) -> None:
    fill(store, "a/b/c", "a-", "a.txt")
    assert store.lookup("a") == Lookup(None, is_prefix=True)
    assert store.lookup("a/b") == Lookup(None, is_prefix=True)


def test_lookup_of_a_marker_finds_a_directory(store: ObjectStore) -> None:
    fill(store, "a/")
    assert store.lookup("a") == Lookup(None, is_prefix=True)


def test_lookup_of_an_object_beside_a_directory_finds_both(store: ObjectStore) -> None:
    fill(store, "a", "a/b")
    assert store.lookup("a") == Lookup(store.head_object("a").row, is_prefix=True)


def test_lookup_finds_a_directory_past_many_names_that_sort_before_the_slash(
    store: ObjectStore,
) -> None:
    fill(store, *(f"a-{number:03}" for number in range(120)))
    assert store.lookup("a") == Lookup(None, is_prefix=False)
    fill(store, "a/b", "a")
    assert store.lookup("a") == Lookup(store.head_object("a").row, is_prefix=True)


def test_a_prefix_ends_with_its_last_key(store: ObjectStore, needs: Needs) -> None:
    needs(Feature.FORGETS_PREFIXES)
    fill(store, "a/b/c")
    store.delete_object("a/b/c")
    assert store.lookup("a") == Lookup(None, is_prefix=False)
    assert prefixes(store) == []


@pytest.mark.parametrize("key", ["k" * 1025, "", "\ud800"])
def test_lookup_of_what_can_be_no_key_is_refused(store: ObjectStore, key: str) -> None:
    with pytest.raises(InvalidNameError):
        store.lookup(key)
