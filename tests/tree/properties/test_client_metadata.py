"""What clients tell of a version: bound to it, and carried along with it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from davbridge.paths import parse
from davbridge.store.base import ALWAYS, Attributes, Condition, ObjectRow
from davbridge.store.memory import MemoryStore
from davbridge.tree.namespace import Namespace
from davbridge.tree.properties.client_metadata import (
    ClientMetadata,
    client_metadata_of,
    rebind,
    with_client_metadata,
    without_client_metadata,
)
from tests.tree.conftest import member_properties

THEN = datetime(2020, 2, 2, 2, 2, 2, tzinfo=UTC)


class RenewingStore(MemoryStore):
    """Gives copies an ETag of their own, as AWS does for what was uploaded in parts."""

    def copy_object(
        self,
        source: ObjectRow,
        target: str,
        *,
        attributes: Attributes | None = None,
        condition: Condition = ALWAYS,
    ) -> ObjectRow:
        row = super().copy_object(source, target, attributes=attributes, condition=condition)
        if row.key.endswith(".json"):
            return row
        renewed = row._replace(etag=f"{row.etag[:32]}-{target.count('/') + 2}")
        kept = self._get(target)
        self._objects.put(replace(kept, info=replace(kept.info, row=renewed)))
        return renewed


def test_client_metadata_counts_for_its_version_alone() -> None:
    properties = with_client_metadata(
        {"{urn:p}q": "<q xmlns='urn:p'/>"}, ClientMetadata("e1", THEN, "SHA1:00")
    )
    assert client_metadata_of(properties, "e1") == ClientMetadata("e1", THEN, "SHA1:00")
    assert client_metadata_of(properties, "e2") is None
    assert without_client_metadata(properties) == {"{urn:p}q": "<q xmlns='urn:p'/>"}
    assert client_metadata_of(rebind(properties, "e1", "e2"), "e2") == ClientMetadata(
        "e2", THEN, "SHA1:00"
    )
    assert rebind(properties, "other", "e2") == properties
    assert with_client_metadata(properties, None) == {"{urn:p}q": "<q xmlns='urn:p'/>"}


@pytest.mark.parametrize(
    "record",
    [
        "",
        "null",
        "[" * 100_000,
        "[]",
        "1",
        '{"etag": "e"}',
        '{"etag": "e", "modified": 1e99, "checksums": ""}',
        '{"etag": "e", "modified": null, "checksums": "SHA1:0\\r\\nA: b"}',
    ],
)
def test_a_record_of_another_tool_is_no_client_metadata(record: str) -> None:
    assert client_metadata_of({"{urn:davbridge:}facts": record}, "e") is None


@pytest.fixture
def tree() -> Namespace:
    return Namespace(MemoryStore())


def put(tree: Namespace, path: str, body: bytes, modified: datetime | None = None) -> None:
    writer = tree.open_writer(parse(path), Attributes())
    writer.write(body)
    writer.commit(ClientMetadata("", modified))


def test_a_time_that_a_client_set_lasts_until_the_next_version(tree: Namespace) -> None:
    put(tree, "/f", b"one", THEN)
    assert tree.lookup(parse("/f")).modified == THEN
    assert [member.modified for member in tree.members(())] == [THEN]
    put(tree, "/f", b"two")
    assert tree.lookup(parse("/f")).modified > THEN
    put(tree, "/f", b"one", THEN)
    put(tree, "/f", b"one")
    assert tree.lookup(parse("/f")).modified > THEN


def test_clients_neither_see_nor_write_the_record_of_client_metadata(tree: Namespace) -> None:
    put(tree, "/f", b"one", THEN)
    assert tree.properties(parse("/f")) == {}
    assert member_properties(tree, ()) == {"f": {}}
    tree.update_properties(parse("/f"), {"{urn:p}q": "<q xmlns='urn:p'/>"})
    assert tree.properties(parse("/f")) == {"{urn:p}q": "<q xmlns='urn:p'/>"}
    assert tree.lookup(parse("/f")).modified == THEN


@pytest.mark.parametrize("verb", ["copy", "move"])
def test_a_time_that_a_client_set_moves_along_though_the_copy_has_another_etag(verb: str) -> None:
    tree = Namespace(RenewingStore())
    tree.make_collection(parse("/d"))
    tree.make_collection(parse("/d/e"))
    for path in ("/f", "/d/f", "/d/e/f"):
        put(tree, path, b"body", THEN)
    etag = tree.lookup(parse("/f")).etag
    for source, target in (("/f", "/g"), ("/d", "/c")):
        assert getattr(tree, verb)(parse(source), parse(target)) == []
    for path in ("/g", "/c/f", "/c/e/f"):
        copied = tree.lookup(parse(path))
        assert copied.etag != etag
        assert copied.modified == THEN
    tree.close()
