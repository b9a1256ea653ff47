"""ObjectStore's promises about heads and readers, held against every store."""

import os

import pytest

from davbridge.errors import InvalidNameError, NotFoundError, PreconditionFailedError
from davbridge.store.base import Attributes, ObjectStore
from tests.support.contract import drain
from tests.support.stores import MIB

BODY = b"0123456789"


def test_head_of_nothing_is_not_found(store: ObjectStore) -> None:
    with pytest.raises(NotFoundError):
        store.head_object("nothing")


def test_head_returns_what_was_put(store: ObjectStore) -> None:
    attributes = Attributes("text/plain; charset=utf-8", {"mtime": "1.5", "two-words": "x y"})
    row = store.put_object("a", BODY, attributes)
    info = store.head_object("a")
    assert info.attributes == attributes
    assert info.row._replace(modified=row.modified) == row


def test_head_and_listing_and_reader_agree(store: ObjectStore) -> None:
    store.put_object("a", BODY, Attributes())
    info = store.head_object("a")
    (page,) = store.list_objects("")
    assert page.rows == (info.row,)
    with store.get_object("a") as reader:
        assert reader.info == info


def test_get_of_nothing_is_not_found(store: ObjectStore) -> None:
    with pytest.raises(NotFoundError):
        store.get_object("nothing")


@pytest.mark.parametrize(
    ("start", "end"), [(0, None), (0, 1), (3, 7), (9, 10), (5, None), (0, 10), (2, 100)]
)
def test_ranges_are_read_exactly(store: ObjectStore, start: int, end: int | None) -> None:
    store.put_object("a", BODY, Attributes())
    reader = store.get_object("a", start=start, end=end)
    assert reader.info.row.size == len(BODY)
    assert drain(reader) == BODY[start:end]


def test_an_empty_object_is_read_as_nothing(store: ObjectStore) -> None:
    store.put_object("empty", b"", Attributes())
    with store.get_object("empty") as reader:
        assert reader.info.row.size == 0
        assert reader.read(10) == b""


def test_blocks_are_never_longer_than_asked_for(store: ObjectStore) -> None:
    body = os.urandom(MIB + 1)
    store.put_object("a", body, Attributes())
    with store.get_object("a") as reader:
        blocks = list(iter(lambda: reader.read(300_000), b""))
        assert reader.read(1) == b""
    assert max(map(len, blocks)) <= 300_000
    assert b"".join(blocks) == body


def test_a_reader_may_be_left_early_and_closed_twice(store: ObjectStore) -> None:
    store.put_object("a", os.urandom(MIB), Attributes())
    reader = store.get_object("a")
    reader.read(10)
    reader.close()
    reader.close()


def test_if_match_pins_the_version_of_a_read(store: ObjectStore) -> None:
    row = store.put_object("a", BODY, Attributes())
    assert drain(store.get_object("a", if_match=row.etag)) == BODY
    store.put_object("a", b"other", Attributes())
    with pytest.raises(PreconditionFailedError):
        store.get_object("a", if_match=row.etag)


def test_a_reader_never_mixes_two_versions(store: ObjectStore) -> None:
    old, new = os.urandom(MIB), os.urandom(MIB)
    store.put_object("a", old, Attributes())
    with store.get_object("a") as reader:
        first = reader.read(1000)
        store.put_object("a", new, Attributes())
        rest = b"".join(iter(lambda: reader.read(256 * 1024), b""))
    assert first + rest == old


@pytest.mark.parametrize("key", ["k" * 1025, "ü" * 513, "", "\ud800"])
def test_reading_what_can_be_no_key_is_refused(store: ObjectStore, key: str) -> None:
    with pytest.raises(InvalidNameError):
        store.head_object(key)
    with pytest.raises(InvalidNameError):
        store.get_object(key)
