"""What each operation costs in requests to the store, behind the cache: exactly."""

from collections.abc import Callable, Iterator

import pytest

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.filestore import FileStore
from davbridge.paths import parse
from davbridge.store.base import DIRECTORY_TYPE
from davbridge.tree.composition import Clocks
from davbridge.tree.journal.entry import LEASE
from davbridge.tree.namespace import Namespace
from tests.tree.conftest import Drive, member_properties

LIST, LOOKUP, PUT, COPY, DELETE, GET, HEAD = (
    "list",
    "lookup",
    "put",
    "copy",
    "delete",
    "get",
    "head",
)


class CachedDrive(Drive):
    """A drive behind the cache; the clock stands still, so that nothing expires."""

    def __init__(self) -> None:
        super().__init__()
        self.cache = CachedStore(self.store, CacheSettings(), timer=self.clock.seconds)
        self.tree.close()
        self.tree = Namespace(
            self.cache, uncached=self.store, clocks=Clocks(timer=self.clock.seconds, now=self.clock)
        )

    def list_all(self, *paths: str) -> None:
        for path in paths:
            self.names(path)


@pytest.fixture
def drive() -> Iterator[CachedDrive]:
    drive = CachedDrive()
    drive.outside("d/", "d/a", "d/b", "d/sub/x", "e/y", "e/z", "lone/only")
    yield drive
    drive.tree.close()


Step = Callable[[CachedDrive], object]


def _new_inside_new(drive: CachedDrive) -> None:
    drive.mkcol("/d/new")
    drive.put("/d/new/file")


WARM: list[tuple[str, Step, list[str]]] = [
    ("members", lambda drive: drive.names("/d"), []),
    ("a look-up", lambda drive: drive.tree.lookup(parse("/d/a")), []),
    ("a look-up of a collection", lambda drive: drive.tree.lookup(parse("/d/sub")), []),
    ("a look-up of a missing name", lambda drive: drive.tree.find(parse("/d/._a")), []),
    ("properties", lambda drive: drive.tree.properties(parse("/d/a")), []),
    ("properties of members", lambda drive: member_properties(drive.tree, parse("/d")), []),
    ("bulk metadata", lambda drive: FileStore(drive.tree).get_bulk_metadata("/d"), []),
    ("a read", lambda drive: drive.read("/d/a"), [GET]),
    ("a new file", lambda drive: drive.put("/d/new"), [PUT]),
    ("an overwritten file", lambda drive: drive.put("/d/a"), [PUT]),
    (
        "a new collection: whether it hides a file that another bridge has written meanwhile",
        lambda drive: drive.mkcol("/d/new"),
        [PUT, LOOKUP],
    ),
    (
        "a file inside a new collection: what others put there is asked for",
        _new_inside_new,
        [PUT, LOOKUP, LIST, PUT],
    ),
    ("a deleted file", lambda drive: drive.tree.delete(parse("/d/a")), [DELETE]),
    (
        "the deleted last file of an unmarked collection: the marker first",
        lambda drive: drive.tree.delete(parse("/lone/only")),
        [PUT, DELETE],
    ),
    (
        "a copied file: another bridge's folder would hide it",
        lambda drive: drive.tree.copy(parse("/d/a"), parse("/e/a")),
        [COPY, LIST],
    ),
    (
        "a copied file over an equal one: is it still there when no delete can come any more?",
        lambda drive: drive.tree.copy(parse("/d/a"), parse("/e/y")),
        [COPY, LIST],
    ),
    (
        "a moved file: another bridge's folder, which would hide it, is looked for before it goes",
        lambda drive: drive.tree.move(parse("/d/a"), parse("/e/a")),
        [COPY, LIST, DELETE],
    ),
    (
        "a renamed file",
        lambda drive: drive.tree.move(parse("/lone/only"), parse("/lone/new")),
        [COPY, LIST, DELETE],
    ),
    (
        "a deleted tree: its listing, one batch",
        lambda drive: drive.tree.delete(parse("/d")),
        [LIST, DELETE],
    ),
    (
        "a copied tree: its listing, what is at the target, the copies, the listing that verifies",
        lambda drive: drive.tree.copy(parse("/e"), parse("/new")),
        [LIST, LOOKUP, COPY, COPY, LIST],
    ),
]


@pytest.mark.parametrize(("what", "step", "requests"), WARM, ids=[what for what, _, _ in WARM])
def test_operations_in_listed_collections_cost_exact_requests(
    drive: CachedDrive, what: str, step: Step, requests: list[str]
) -> None:
    drive.list_all("/", "/d", "/d/sub", "/e", "/lone")
    drive.store.taken()
    step(drive)
    taken = drive.store.taken()
    assert (taken[2:], sorted(taken)) == (
        requests[2:],
        sorted(requests),
    )  # two looks may be at once


def test_a_moved_tree_costs_exact_requests(drive: CachedDrive) -> None:
    """As a copied one, journaled; the journals, for two bridges that move trees onto one another
    would lose what is in both; a look at the properties that it has, and at what changed; a batch;
    a look at the properties that have come meanwhile; the journal."""
    drive.list_all("/", "/e")
    drive.store.taken()
    drive.tree.move(parse("/e"), parse("/new"))
    taken = drive.store.taken()
    assert sorted(taken[:2]) == [LIST, LOOKUP]
    assert taken[2:] == [PUT, LIST, LOOKUP, COPY, COPY, LIST, LIST, DELETE, LOOKUP, DELETE]


def test_a_moved_tree_of_one_object_needs_no_journal(drive: CachedDrive) -> None:
    drive.mkcol("/New folder")
    drive.list_all("/")
    drive.store.taken()
    drive.tree.move(parse("/New folder"), parse("/Letters"))
    taken = drive.store.taken()
    assert sorted(taken[:2]) == [LIST, LOOKUP]
    assert taken[2:] == [LOOKUP, COPY, LIST, LIST, DELETE, LOOKUP]


def test_a_file_over_a_folder_costs_exact_requests(drive: CachedDrive) -> None:
    """Journals, and what is in the folder; the journal, and those of others; the copy; then, if
    nothing has come to it, the folder goes, and what others put there is asked for."""
    drive.list_all("/", "/d", "/e")
    drive.store.taken()
    drive.tree.copy(parse("/d/a"), parse("/e"))
    assert drive.store.taken() == [LIST, LIST, PUT, LIST, COPY, LIST, DELETE, LIST, DELETE]


def test_a_folder_over_a_file_costs_exact_requests(drive: CachedDrive) -> None:
    """As a copied tree, journaled; then the file goes."""
    drive.list_all("/", "/d", "/e")
    drive.store.taken()
    drive.tree.copy(parse("/e"), parse("/d/a"))
    taken = drive.store.taken()
    assert taken[:2] == [LIST, LIST]
    assert taken[2:] == [PUT, LIST, COPY, COPY, LIST, DELETE, DELETE]


COLD: list[tuple[str, Step, list[str]]] = [
    ("members", lambda drive: drive.names("/d"), [LIST]),
    ("members of the root", lambda drive: drive.names("/"), [LIST]),
    (
        "members with their properties",
        lambda drive: (drive.names("/d"), member_properties(drive.tree, parse("/d"))),
        [LIST],
    ),
    ("a look-up", lambda drive: drive.tree.lookup(parse("/d/a")), [LIST]),
    ("a look-up of a missing name", lambda drive: drive.tree.find(parse("/d/._a")), [LIST]),
    ("a read", lambda drive: drive.read("/d/a"), [LIST, GET]),
    ("an overwritten file", lambda drive: drive.put("/d/a"), [LIST, PUT]),
    ("a new file: the parent as well", lambda drive: drive.put("/d/new"), [LIST, LIST, PUT]),
    ("a new collection", lambda drive: drive.mkcol("/new"), [LIST, PUT, LOOKUP]),
    ("a deleted file", lambda drive: drive.tree.delete(parse("/d/a")), [LIST, DELETE]),
    (
        "a deleted tree: whether it has properties is asked before it goes, of what is known then",
        lambda drive: drive.tree.delete(parse("/d")),
        [LIST, LIST, DELETE],
    ),
]


@pytest.mark.parametrize(("what", "step", "requests"), COLD, ids=[what for what, _, _ in COLD])
def test_operations_with_an_empty_cache_cost_exact_requests(
    drive: CachedDrive, what: str, step: Step, requests: list[str]
) -> None:
    step(drive)
    assert drive.store.taken() == requests


def test_a_listing_costs_a_request_for_each_thousand_members(drive: CachedDrive) -> None:
    drive.outside(*(f"big/{number:05}" for number in range(2500)))
    assert len(drive.names("/big")) == 2500
    assert drive.store.taken() == [LIST] * 3
    assert len(drive.names("/big")) == 2500
    assert drive.store.taken() == []


def test_a_tree_of_a_thousand_is_deleted_in_four_batches_and_its_marker(drive: CachedDrive) -> None:
    drive.outside("big/", *(f"big/{number:04}" for number in range(999)))
    drive.list_all("/")
    drive.store.taken()
    assert drive.tree.delete(parse("/big")) == []
    assert drive.store.taken() == [LIST, *[DELETE] * 5]


def test_a_copy_and_a_delete_of_more_than_a_thousand_are_journaled(drive: CachedDrive) -> None:
    drive.outside("big/", *(f"big/{number:04}" for number in range(1000)))
    drive.list_all("/")
    drive.store.taken()
    assert drive.tree.copy(parse("/big"), parse("/new")) == []
    assert drive.tree.delete(parse("/big")) == []
    # A lease is renewed where this takes long.
    requests = [request for request in drive.store.requests if not request[1].endswith(LEASE)]
    taken = [operation for operation, _ in requests]
    looks = [LIST, LIST]
    copied = [PUT, LIST, *[COPY] * 1001, *looks, DELETE]
    assert sorted(taken[:3]) == [LIST, LIST, LOOKUP]
    # What is deleted for longer than a look holds is looked at once more, page by page.
    deleted = [LIST, *[DELETE] * 4, LIST, *[DELETE] * 2]
    assert taken[3:] == [*copied, *looks, PUT, LIST, *deleted]


def test_an_empty_file_of_our_own_is_never_asked_about(drive: CachedDrive) -> None:
    drive.list_all("/", "/d")
    drive.put("/d/empty", b"")
    drive.store.taken()
    drive.list_all("/d")
    drive.tree.lookup(parse("/d/empty"))
    assert drive.store.taken() == []


def test_an_empty_file_of_others_is_asked_about_once(drive: CachedDrive) -> None:
    drive.outside("d/empty", body=b"")
    drive.outside("d/directory", body=b"", content_type=DIRECTORY_TYPE)
    drive.clock.advance(10)
    for _ in range(3):
        drive.clock.advance(3600)
        drive.list_all("/d")
    assert sorted(drive.store.taken()) == [HEAD, HEAD, LIST, LIST, LIST]


def test_properties_of_a_collection_cost_one_get(drive: CachedDrive) -> None:
    for path in ("/d/a", "/d/b"):
        drive.tree.update_properties(parse(path), {"{n}p": "<p xmlns='n'/>"})
    other = Namespace(CachedStore(drive.store, CacheSettings()))
    drive.store.taken()
    list(other.members(parse("/d")))
    member_properties(other, parse("/d"))
    other.properties(parse("/d/a"))
    assert drive.store.taken() == [LIST, GET]
    other.close()


def test_a_property_update_costs_one_put(drive: CachedDrive) -> None:
    drive.list_all("/", "/d")
    drive.tree.update_properties(parse("/d/a"), {"{n}p": "<p xmlns='n'/>"})
    drive.store.taken()
    drive.tree.update_properties(parse("/d/b"), {"{n}p": "<p xmlns='n'/>"})
    assert drive.store.taken() == [PUT]
