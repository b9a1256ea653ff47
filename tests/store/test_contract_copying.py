"""ObjectStore's promises about copies, held against every store."""

from datetime import UTC, datetime

import pytest

from davbridge.errors import NotFoundError, PreconditionFailedError
from davbridge.store.base import IF_ABSENT, Attributes, Condition, ObjectStore
from tests.store.conftest import Needs
from tests.support.contract import LONG, are_since, drain, write
from tests.support.stores import Feature

KEPT = Attributes("text/plain", {"mtime": "1"})

BODIES = pytest.mark.parametrize("body", [b"", b"short", LONG], ids=["empty", "short", "parts"])


@BODIES
def test_a_copy_has_body_and_attributes(store: ObjectStore, body: bytes) -> None:
    source = write(store, "a b", body, KEPT)
    began_at = datetime.now(UTC)
    copy = store.copy_object(source, "c/d")
    info = store.head_object("c/d")
    assert info.attributes == KEPT
    assert info.row == copy._replace(modified=info.row.modified)
    assert are_since(began_at, info.row, copy)
    assert drain(store.get_object("c/d")) == body
    assert drain(store.get_object("a b")) == body


@BODIES
def test_a_copy_can_have_other_attributes(store: ObjectStore, body: bytes) -> None:
    source = write(store, "a", body, KEPT)
    other = Attributes("text/html", {"other": "2"})
    store.copy_object(source, "b", attributes=other)
    assert store.head_object("b").attributes == other
    assert store.head_object("a").attributes == KEPT


@BODIES
def test_a_copy_onto_itself_changes_the_attributes(store: ObjectStore, body: bytes) -> None:
    source = write(store, "a", body, KEPT)
    other = Attributes("text/html")
    store.copy_object(source, "a", attributes=other)
    assert store.head_object("a").attributes == other
    assert drain(store.get_object("a")) == body


@BODIES
def test_a_copy_of_what_is_gone_is_refused(store: ObjectStore, body: bytes) -> None:
    source = write(store, "a", body)
    store.delete_object("a")
    with pytest.raises(NotFoundError):
        store.copy_object(source, "b")
    with pytest.raises(NotFoundError):
        store.head_object("b")


@BODIES
def test_a_copy_of_what_has_changed_is_refused(
    store: ObjectStore, needs: Needs, body: bytes
) -> None:
    needs(Feature.PINNED_COPY)
    source = write(store, "a", body)
    write(store, "a", body + b"more")
    with pytest.raises(PreconditionFailedError):
        store.copy_object(source, "b")
    with pytest.raises(NotFoundError):
        store.head_object("b")


def test_a_copy_replaces_its_target(store: ObjectStore) -> None:
    source = store.put_object("a", b"new", KEPT)
    store.put_object("b", b"old", Attributes())
    store.copy_object(source, "b")
    assert drain(store.get_object("b")) == b"new"


def test_a_copy_keeps_conditions_on_its_target(store: ObjectStore, needs: Needs) -> None:
    needs(Feature.CONDITIONAL_COPY)
    source = store.put_object("a", b"new", KEPT)
    old = store.put_object("b", b"old", Attributes())
    with pytest.raises(PreconditionFailedError):
        store.copy_object(source, "b", condition=IF_ABSENT)
    with pytest.raises(PreconditionFailedError):
        store.copy_object(source, "b", condition=Condition(if_match=source.etag))
    assert drain(store.get_object("b")) == b"old"
    store.copy_object(source, "b", condition=Condition(if_match=old.etag))
    store.copy_object(source, "c", condition=IF_ABSENT)
    assert drain(store.get_object("b")) == drain(store.get_object("c")) == b"new"


def test_a_copy_in_parts_keeps_if_absent(store: ObjectStore) -> None:
    source = write(store, "a", LONG)
    store.copy_object(source, "b", condition=IF_ABSENT)
    with pytest.raises(PreconditionFailedError):
        store.copy_object(source, "b", condition=IF_ABSENT)


def test_a_copied_directory_marker_stays_one(store: ObjectStore) -> None:
    marker = store.put_object("a/", b"", Attributes("application/x-directory"))
    store.copy_object(marker, "b/")
    assert store.head_object("b/").attributes.content_type == "application/x-directory"
