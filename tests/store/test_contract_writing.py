"""ObjectStore's promises about writes and deletions, held against every store."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from davbridge.errors import (
    InvalidNameError,
    NotFoundError,
    PreconditionFailedError,
    TooLargeError,
    TruncatedError,
)
from davbridge.store.base import (
    ALWAYS,
    DIRECTORY_TYPE,
    IF_ABSENT,
    Attributes,
    Condition,
    ObjectRow,
    ObjectStore,
    is_same_version,
)
from tests.store.conftest import Needs
from tests.support.contract import LONG, are_since, drain, fill, keys, write
from tests.support.stores import LIMIT, SMALL_PART, Feature


def test_put_replaces(store: ObjectStore) -> None:
    first = store.put_object("a", b"one", Attributes("text/plain"))
    second = store.put_object("a", b"other", Attributes("text/html"))
    assert first.etag != second.etag
    assert drain(store.get_object("a")) == b"other"
    assert store.head_object("a").attributes.content_type == "text/html"


def test_put_if_absent_replaces_nothing(store: ObjectStore) -> None:
    store.put_object("a", b"one", Attributes(), IF_ABSENT)
    with pytest.raises(PreconditionFailedError):
        store.put_object("a", b"two", Attributes(), IF_ABSENT)
    assert drain(store.get_object("a")) == b"one"
    store.delete_object("a")
    store.put_object("a", b"three", Attributes(), IF_ABSENT)


def test_put_if_match_replaces_only_that_version(store: ObjectStore) -> None:
    one = store.put_object("a", b"one", Attributes())
    two = store.put_object("a", b"two", Attributes(), Condition(if_match=one.etag))
    with pytest.raises(PreconditionFailedError):
        store.put_object("a", b"three", Attributes(), Condition(if_match=one.etag))
    assert store.head_object("a").row.etag == two.etag


def test_put_if_match_of_nothing_is_refused(store: ObjectStore) -> None:
    row = store.put_object("a", b"one", Attributes())
    store.delete_object("a")
    with pytest.raises(PreconditionFailedError):
        store.put_object("a", b"two", Attributes(), Condition(if_match=row.etag))


def test_conditions_leave_no_trace_in_the_metadata(store: ObjectStore) -> None:
    attributes = Attributes("text/plain", {"mtime": "1"})
    store.put_object("a", b"one", attributes, IF_ABSENT)
    assert store.head_object("a").attributes == attributes


@pytest.mark.parametrize("length", [None, 1000])
def test_exactly_one_of_concurrent_if_absent_writes_wins(
    store: ObjectStore, length: int | None, needs: Needs
) -> None:
    needs(Feature.ONE_WINNER)
    start = threading.Barrier(8)

    def contend(number: int) -> ObjectRow | None:
        start.wait()
        try:
            return write(store, "a", bytes([number]) * 1000, None, IF_ABSENT, length=length)
        except PreconditionFailedError:
            return None

    with ThreadPoolExecutor(8) as pool:
        winners = [row for row in pool.map(contend, range(8)) if row]
    assert len(winners) == 1
    assert store.head_object("a").row.etag == winners[0].etag


def test_a_directory_marker_keeps_its_type(store: ObjectStore) -> None:
    row = store.put_object("dir/", b"", Attributes(DIRECTORY_TYPE), IF_ABSENT)
    assert row.size == 0
    assert store.head_object("dir/").attributes.content_type == DIRECTORY_TYPE


def test_a_directory_marker_keeps_its_metadata(store: ObjectStore, needs: Needs) -> None:
    needs(Feature.MARKER_METADATA)
    attributes = Attributes(DIRECTORY_TYPE, {"mtime": "1"})
    store.put_object("dir/", b"", attributes)
    assert store.head_object("dir/").attributes == attributes


def test_a_directory_marker_keeps_its_body(store: ObjectStore, needs: Needs) -> None:
    needs(Feature.MARKER_BODY)
    store.put_object("dir/", b"body", Attributes())
    assert drain(store.get_object("dir/")) == b"body"


@pytest.mark.parametrize(
    "size", [0, 1, SMALL_PART - 1, SMALL_PART, SMALL_PART + 1, 2 * SMALL_PART, len(LONG)]
)
@pytest.mark.parametrize("is_announced", [True, False])
def test_a_writer_writes_bodies_of_every_size(
    store: ObjectStore, size: int, is_announced: bool
) -> None:
    attributes = Attributes("application/x-test", {"mtime": "1"})
    length = size if is_announced else None
    began_at = datetime.now(UTC)
    row = write(store, "a", LONG[:size], attributes, length=length)
    info = store.head_object("a")
    assert info.row == row._replace(modified=info.row.modified)
    assert info.row.size == size
    assert are_since(began_at, info.row, row)
    assert info.attributes == attributes
    assert drain(store.get_object("a")) == LONG[:size]


def test_a_writer_takes_one_huge_block(store: ObjectStore) -> None:
    write(store, "a", LONG, block=len(LONG))
    assert drain(store.get_object("a")) == LONG


def test_nothing_is_visible_before_the_commit(store: ObjectStore) -> None:
    writer = store.open_writer("a", Attributes())
    writer.write(LONG)
    with pytest.raises(NotFoundError):
        store.head_object("a")
    assert keys(store) == []
    writer.commit()
    assert keys(store) == ["a"]


def test_an_aborted_writer_leaves_what_was_there(store: ObjectStore) -> None:
    store.put_object("a", b"old", Attributes())
    for body in (b"", b"short", LONG):
        writer = store.open_writer("a", Attributes())
        writer.write(body)
        writer.abort()
        writer.abort()
        assert drain(store.get_object("a")) == b"old"


def test_abort_after_commit_does_nothing(store: ObjectStore) -> None:
    writer = store.open_writer("a", Attributes())
    writer.write(b"body")
    writer.commit()
    writer.abort()
    assert drain(store.get_object("a")) == b"body"


def test_a_finished_writer_takes_nothing_more(store: ObjectStore) -> None:
    writer = store.open_writer("a", Attributes())
    writer.abort()
    with pytest.raises(ValueError, match="committed or aborted"):
        writer.write(b"late")
    with pytest.raises(ValueError, match="committed or aborted"):
        writer.commit()
    assert keys(store) == []


@pytest.mark.parametrize("announced", [0, 4, 6, SMALL_PART + 1])
def test_a_body_of_another_length_is_not_committed(store: ObjectStore, announced: int) -> None:
    writer = store.open_writer("a", Attributes(), length=announced)
    writer.write(b"short")
    with pytest.raises(TruncatedError):
        writer.commit()
    assert keys(store) == []


def test_a_long_body_of_another_length_is_not_committed(store: ObjectStore) -> None:
    writer = store.open_writer("a", Attributes(), length=len(LONG) + 1)
    writer.write(LONG)
    with pytest.raises(TruncatedError):
        writer.commit()
    assert keys(store) == []


def test_a_writer_keeps_conditions(store: ObjectStore) -> None:
    one = write(store, "a", b"one", None, IF_ABSENT)
    with pytest.raises(PreconditionFailedError):
        write(store, "a", b"two", None, IF_ABSENT)
    write(store, "a", b"three", None, Condition(if_match=one.etag))
    with pytest.raises(PreconditionFailedError):
        write(store, "a", b"four", None, Condition(if_match=one.etag))
    assert drain(store.get_object("a")) == b"three"


def test_a_writer_of_parts_keeps_if_absent(store: ObjectStore) -> None:
    store.put_object("a", b"one", Attributes())
    with pytest.raises(PreconditionFailedError):
        write(store, "a", LONG, None, IF_ABSENT)
    assert drain(store.get_object("a")) == b"one"
    write(store, "b", LONG, None, IF_ABSENT)
    assert store.head_object("b").row.size == len(LONG)


def test_a_writer_of_parts_keeps_if_match(store: ObjectStore, needs: Needs) -> None:
    needs(Feature.CONDITIONAL_COMPLETE)
    row = store.put_object("a", b"one", Attributes())
    write(store, "a", LONG, None, Condition(if_match=row.etag))
    with pytest.raises(PreconditionFailedError):
        write(store, "a", LONG[1:], None, Condition(if_match=row.etag))
    assert store.head_object("a").row.size == len(LONG)


@pytest.mark.parametrize("size", [5, len(LONG)], ids=["whole", "in parts"])
def test_a_commit_that_was_refused_can_be_sent_again(store: ObjectStore, size: int) -> None:
    there = store.put_object("a", b"there", Attributes())
    writer = store.open_writer("a", Attributes(), IF_ABSENT)
    writer.write(LONG[:size])
    for condition in (None, IF_ABSENT):
        with pytest.raises(PreconditionFailedError):
            writer.commit(condition)
        assert drain(store.get_object("a")) == b"there"
    row = writer.commit(Condition(if_match=there.etag, is_optimistic=True))
    assert store.head_object("a").row.etag == row.etag
    assert drain(store.get_object("a")) == LONG[:size]
    with pytest.raises(ValueError, match="committed or aborted"):
        writer.commit()


@pytest.mark.parametrize("size", [5, len(LONG)], ids=["whole", "in parts"])
def test_a_commit_that_was_refused_can_be_aborted(store: ObjectStore, size: int) -> None:
    store.put_object("a", b"there", Attributes())
    writer = store.open_writer("a", Attributes(), IF_ABSENT)
    writer.write(LONG[:size])
    with pytest.raises(PreconditionFailedError):
        writer.commit()
    writer.abort()
    with pytest.raises(ValueError, match="committed or aborted"):
        writer.commit(ALWAYS)
    assert drain(store.get_object("a")) == b"there"


def test_a_body_over_the_limit_is_refused(store: ObjectStore) -> None:
    assert store.max_object_size == LIMIT
    with pytest.raises(TooLargeError):
        store.open_writer("a", Attributes(), length=LIMIT + 1)
    writer = store.open_writer("a", Attributes())
    block = bytes(LIMIT // 4)
    for _ in range(4):
        writer.write(block)
    with pytest.raises(TooLargeError):
        writer.write(b"x")
    writer.abort()
    assert keys(store) == []


@pytest.mark.parametrize("key", ["k" * 1025, "ü" * 513, "", "\ud800"])
def test_a_write_to_what_can_be_no_key_is_refused(store: ObjectStore, key: str) -> None:
    row = store.put_object("a", b"", Attributes())
    with pytest.raises(InvalidNameError):
        store.put_object(key, b"", Attributes())
    with pytest.raises(InvalidNameError):
        store.open_writer(key, Attributes())
    with pytest.raises(InvalidNameError):
        store.copy_object(row, key)
    with pytest.raises(InvalidNameError):
        store.delete_object(key)


def test_the_longest_key_can_be_written(store: ObjectStore) -> None:
    # Segments of 255 bytes are the most that SeaweedFS takes.
    key = "/".join(["k" * 255] * 4)[:1024]
    fill(store, key)
    assert keys(store) == [key]
    assert store.lookup(key).row is not None


def test_delete_removes_the_object(store: ObjectStore) -> None:
    fill(store, "a", "ab")
    store.delete_object("a")
    store.delete_object("a")
    with pytest.raises(NotFoundError):
        store.head_object("a")
    assert keys(store) == ["ab"]


def test_delete_spares_another_version_than_was_meant(store: ObjectStore) -> None:
    old, new = (store.put_object("a", body, Attributes()) for body in (b"old", b"new"))
    with pytest.raises(PreconditionFailedError):
        store.delete_object("a", version=old)
    assert drain(store.get_object("a")) == b"new"
    store.delete_object("a", version=new)
    with pytest.raises(NotFoundError):
        store.delete_object("a", version=new)
    assert keys(store) == []


def test_a_batch_deletes_only_the_versions_that_were_meant(
    store: ObjectStore, needs: Needs
) -> None:
    needs(Feature.CONDITIONAL_DELETE_BATCH)
    fill(store, "a", "b", "c", "any")
    versions = {row.key: row for row in next(store.list_objects("")).rows if row.key != "any"}
    store.put_object("b", b"new", Attributes())
    store.delete_object("c")
    (failure,) = store.delete_objects(["a", "b", "c", "any"], versions=versions)
    assert failure.key == "b"
    assert isinstance(failure.error, PreconditionFailedError)
    assert keys(store) == ["b"]


def test_delete_of_no_keys_does_nothing(store: ObjectStore) -> None:
    assert store.delete_objects([]) == []


def test_a_batch_deletes_the_rest_and_reports_what_it_could_not(store: ObjectStore) -> None:
    fill(store, "a", "b", "c\x01", "c")
    (failure,) = store.delete_objects(["a", "k" * 1025, "b", "c\x01"])
    assert failure.key == "k" * 1025
    assert isinstance(failure.error, InvalidNameError)
    assert keys(store) == ["c"]


def test_a_backslash_is_kept_or_refused_and_never_a_slash(store: ObjectStore) -> None:
    source = store.put_object("a/b", b"theirs", Attributes())
    attempts: tuple[Callable[[], object], ...] = (
        lambda: store.put_object("a\\b", b"mine", Attributes()),
        lambda: write(store, "a\\b", b"mine"),
        lambda: store.copy_object(source, "a\\b"),
    )
    for attempt in attempts:
        kept = "a\\b"
        try:
            attempt()
        except InvalidNameError:
            kept = ""
        assert set(keys(store)) == {"a/b", kept} - {""}
        with store.get_object("a/b") as reader:
            assert drain(reader) == b"theirs"


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        ({}, True),
        ({"etag": "f"}, False),
        ({"size": 2}, False),
        ({"modified": datetime(2026, 11, 22, 16, 42, 58, tzinfo=UTC)}, True),
        ({"modified": datetime(2026, 11, 22, 16, 42, 59, tzinfo=UTC)}, False),
    ],
)
def test_a_version_is_one_object_and_not_only_its_bytes(
    change: dict[str, Any], is_same: bool
) -> None:
    """A listing may tell the time a second off from what the write told."""
    row = ObjectRow("a", 1, datetime(2026, 11, 22, 16, 42, 57, tzinfo=UTC), "e")
    other = row._replace(**change)
    assert is_same_version(row, other) == is_same_version(other, row) == is_same
