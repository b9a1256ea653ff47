"""PUT and MKCOL of one name, on one bridge and on two; and what a marker never replaces."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from datetime import UTC, datetime
from functools import partial
from threading import Barrier
from typing import TypeVar

import pytest

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.errors import (
    AlreadyExistsError,
    IsACollectionError,
    PreconditionFailedError,
    UnavailableError,
)
from davbridge.paths import parse
from davbridge.store.base import IF_ABSENT, Attributes, Condition, ObjectStore
from davbridge.store.memory import MemoryStore
from davbridge.tree.namespace import Namespace
from davbridge.tree.properties.client_metadata import ClientMetadata
from tests.support.contract import drain, keys
from tests.support.intercepted import Gate, GatedStore, InterceptedStore
from tests.support.objects import put
from tests.tree.conftest import Drive
from tests.tree.deaths import another

T = TypeVar("T")

MOMENT = 0.3
"""Seconds in which what doesn't wait would have come through."""

PATIENCE = 60.0

MTIME = datetime(2001, 2, 3, tzinfo=UTC)


def write(
    tree: Namespace, path: str, body: bytes = b"body", condition: Condition | None = None
) -> None:
    conditions = (condition,) if condition else ()
    writer = tree.open_writer(parse(path), Attributes(), *conditions, length=len(body))
    writer.write(body)
    writer.commit()


class Meanwhile(InterceptedStore):
    """Does something right before each such call, as long as there are deeds."""

    def __init__(self, inner: ObjectStore) -> None:
        super().__init__(inner)
        self.deeds: dict[tuple[str, str], list[Callable[[], object]]] = {}

    def before(self, name: str, key: str, *deeds: Callable[[], object]) -> None:
        self.deeds[name, key] = list(deeds)

    def intercept(self, name: str, key: str, call: Callable[[], T]) -> T:
        if deeds := self.deeds.get((name, key)):
            deeds.pop(0)()
        return call()


class TwoBridges:
    """This bridge, whose listings are kept, over a bucket that another bridge writes to."""

    def __init__(self) -> None:
        self.bucket = MemoryStore()
        self.store = Meanwhile(self.bucket)
        self.tree = Namespace(CachedStore(self.store, CacheSettings()), uncached=self.store)
        self.other = Namespace(self.bucket)
        put(self.bucket, "there")
        assert [member.name for member in self.tree.members(())] == ["there"]


@pytest.fixture
def bridges() -> Iterator[TwoBridges]:
    bridges = TwoBridges()
    yield bridges
    bridges.tree.close()
    bridges.other.close()


def in_turn(
    gate: Gate, first: Callable[[], object], second: Callable[[], object]
) -> list["Future[object]"]:
    """The second begins while the answer to the first's request is held."""
    with ThreadPoolExecutor(2) as threads:
        begun = [threads.submit(first)]
        gate.wait_until_answered()
        begun.append(threads.submit(second))
        wait_for(begun[1:], MOMENT)
        gate.open()
    return begun


def test_one_of_two_puts_of_spellings_of_a_new_name_makes_the_file(drive: Drive) -> None:
    """The other one is to be sent again, and replaces it."""
    names = "\u00e9", "e\u0301"
    drive.mkcol("/d")
    writers = [drive.tree.open_writer(("d", name), Attributes()) for name in names]
    for writer, name in zip(writers, names, strict=True):
        writer.write(name.encode())
    writers[0].commit()
    with pytest.raises(UnavailableError):
        writers[1].commit()
    assert drive.stored() == ["d/", f"d/{names[0]}"]
    assert drive.content(f"d/{names[0]}") == names[0].encode()
    write(drive.tree, f"/d/{names[1]}", b"again")
    assert drive.stored() == ["d/", f"d/{names[0]}"]
    assert drive.content(f"d/{names[0]}") == b"again"


@pytest.mark.parametrize("looks", [1, 2])
@pytest.mark.parametrize("is_file_first", [True, False], ids=["PUT first", "MKCOL first"])
def test_one_of_put_and_mkcol_of_one_name_wins(is_file_first: bool, looks: int) -> None:
    """The first has looked, as often as this, and found the name free."""
    store = GatedStore(MemoryStore())
    tree = Namespace(store)
    deeds = [partial(write, tree, "/a"), partial(tree.make_collection, parse("/a"))]
    gate = store.gate("lookup", "a", skip=looks - 1)
    ended = in_turn(gate, *(deeds if is_file_first else deeds[::-1]))
    errors = {each.exception(PATIENCE).__class__ for each in ended}
    if keys(store) == ["a"]:
        assert errors == {None.__class__, AlreadyExistsError}
    else:
        assert keys(store) == ["a/"]
        assert errors == {None.__class__, IsACollectionError}
    tree.close()


def test_a_put_that_was_admitted_before_a_mkcol_is_refused_after_it(drive: Drive) -> None:
    writer = drive.tree.open_writer(parse("/a"), Attributes())
    writer.write(b"body")
    drive.mkcol("/a")
    with pytest.raises(IsACollectionError):
        writer.commit()
    assert drive.stored() == ["a/"]


def test_a_folder_is_not_made_over_a_file_that_another_bridge_has_written(
    bridges: TwoBridges,
) -> None:
    write(bridges.other, "/a", b"acknowledged")
    with pytest.raises(AlreadyExistsError):
        bridges.tree.make_collection(parse("/a"))
    assert keys(bridges.bucket) == ["a", "there"]
    assert drain(bridges.bucket.get_object("a")) == b"acknowledged"


@pytest.mark.parametrize("look", [("lookup", "a"), ("list_objects", "a/")], ids="-".join)
def test_a_new_folder_is_removed_again_where_it_may_hide_a_file(
    bridges: TwoBridges, look: tuple[str, str]
) -> None:
    def lose() -> None:
        raise UnavailableError("the answer was lost")

    write(bridges.other, "/a", b"acknowledged")
    bridges.store.before(*look, lose)
    with pytest.raises(UnavailableError):
        bridges.tree.make_collection(parse("/a"))
    assert keys(bridges.bucket) == ["a", "there"]


def test_a_folder_whose_marker_cannot_be_removed_again_is_reported(
    bridges: TwoBridges, caplog: pytest.LogCaptureFixture
) -> None:
    def lose() -> None:
        raise UnavailableError("the answer was lost")

    bridges.store.before("lookup", "a", lose)
    bridges.store.before("delete_object", "a/", lose)
    with pytest.raises(UnavailableError):
        bridges.tree.make_collection(parse("/a"))
    assert "'a/' is left" in caplog.text


def test_a_folder_that_turns_out_to_hide_a_file_stays_where_something_is_inside(
    bridges: TwoBridges,
) -> None:
    def use() -> None:
        put(bridges.bucket, "a", "a/x")

    bridges.store.before("lookup", "a", use)
    with pytest.raises(AlreadyExistsError):
        bridges.tree.make_collection(parse("/a"))
    assert keys(bridges.bucket) == ["a", "a/", "a/x", "there"]


def test_a_folder_that_another_bridge_has_made_anew_is_not_removed_again(drive: Drive) -> None:
    def make_anew() -> None:
        drive.store.before = lambda _operation, _key: None
        drive.clock.advance(10)
        with another(drive) as other:
            other.delete(parse("/a"))
            other.make_collection(parse("/a"))
            drive.outside("a")

    drive.store.before = lambda operation, key: (
        make_anew() if (operation, key) == ("lookup", "a") and "a/" in drive.stored() else None
    )
    with pytest.raises(AlreadyExistsError):
        drive.mkcol("/a")
    assert drive.stored() == ["a", "a/"]


@pytest.mark.parametrize("data", [b"", b"a tool's data"], ids=["empty", "with data"])
def test_a_marker_that_is_there_is_not_made_again(bridges: TwoBridges, data: bytes) -> None:
    row = put(bridges.bucket, "a/", body=data)
    with pytest.raises(AlreadyExistsError):
        bridges.tree.make_collection(parse("/a"))
    assert bridges.bucket.head_object("a/").row == row
    assert bridges.bucket.head_object("a/").attributes.content_type == "text/plain"


def test_a_marker_that_comes_before_the_last_member_goes_is_not_replaced(
    bridges: TwoBridges,
) -> None:
    put(bridges.bucket, "d/x")
    mark = lambda: put(bridges.bucket, "d/", body=b"a tool's data")  # noqa: E731
    bridges.store.before("put_object", "d/", mark)
    tree = Namespace(bridges.store)
    assert tree.delete(parse("/d/x")) == []
    assert drain(bridges.bucket.get_object("d/")) == b"a tool's data"
    tree.close()


def test_a_put_replaces_the_version_that_another_bridge_has_written_meanwhile(
    bridges: TwoBridges,
) -> None:
    write(bridges.other, "/a", b"theirs")
    write(bridges.other, "/there", b"theirs, which the kept listing doesn't show")
    for name in ("a", "there"):
        write(bridges.tree, name, b"ours")
        assert drain(bridges.bucket.get_object(name)) == b"ours"
        assert bridges.tree.lookup(parse(name)).size == 4


@pytest.mark.parametrize("others", [3, 100])
def test_a_put_gets_through_however_often_others_write(bridges: TwoBridges, others: int) -> None:
    numbers = iter(range(others))

    def theirs() -> None:
        put(bridges.bucket, "a", body=b"%d" % next(numbers))

    bridges.store.before("commit", "a", *[theirs] * others)
    write(bridges.tree, "/a", b"ours")
    assert drain(bridges.bucket.get_object("a")) == b"ours"


def test_a_name_that_another_bridge_has_freed_meanwhile_is_written(bridges: TwoBridges) -> None:
    bridges.other.delete(parse("/there"))
    write(bridges.tree, "/there", b"ours")
    assert drain(bridges.bucket.get_object("there")) == b"ours"


def test_a_put_is_refused_where_a_refusal_turns_out_to_be_a_folders(bridges: TwoBridges) -> None:
    """As on a store that keeps folders, which has no file beside one."""

    def make_folder() -> None:
        put(bridges.bucket, "a/")
        raise PreconditionFailedError("a folder is there")

    bridges.store.before("commit", "a", make_folder)
    with pytest.raises(IsACollectionError):
        write(bridges.tree, "/a")
    assert keys(bridges.bucket) == ["a/", "there"]
    with pytest.raises(IsACollectionError):
        write(bridges.tree, "/a")


def test_a_write_under_a_clients_condition_is_not_tried_again(bridges: TwoBridges) -> None:
    row = put(bridges.bucket, "a", body=b"theirs")
    for condition in (IF_ABSENT, Condition(if_match="another")):
        with pytest.raises(PreconditionFailedError):
            write(bridges.tree, "/a", b"ours", condition)
        assert bridges.bucket.head_object("a").row == row


def test_client_metadata_moves_along_though_the_move_begins_right_after_the_commit() -> None:
    store = GatedStore(MemoryStore())
    tree = Namespace(store)
    tree.make_collection(parse("/d"))

    writer = tree.open_writer(parse("/d/a"), Attributes(), length=4)
    writer.write(b"body")
    tell = partial(writer.commit, ClientMetadata("", MTIME))
    move = partial(tree.move, parse("/d"), parse("/e"))
    told, moved = in_turn(store.gate("commit", "d/a"), tell, move)
    assert told.exception(PATIENCE) is None
    assert moved.result(PATIENCE) == []
    assert tree.find(parse("/d")) is None
    assert tree.lookup(parse("/e/a")).modified == MTIME
    tree.close()


def test_a_write_whose_client_metadata_cannot_be_kept_is_done_all_the_same(drive: Drive) -> None:
    writer = drive.tree.open_writer(parse("/a"), Attributes(), length=0)
    no = UnavailableError("no")
    drive.store.fault = lambda operation, key: no if operation == "put" and key != "a" else None
    assert writer.commit(ClientMetadata("", MTIME)).client_metadata is None
    assert drive.stored() == ["a"]


def test_a_write_is_refused_that_is_no_longer_allowed_when_it_has_its_path_lock(
    drive: Drive,
) -> None:
    class RefusedError(Exception):
        pass

    def refuse(*, is_new: bool) -> None:
        raise RefusedError

    writer = drive.tree.open_writer(parse("/a"), Attributes(), length=0, recheck=refuse)
    for refused in (
        writer.commit,
        lambda: drive.tree.make_collection(parse("/b"), refuse),
        lambda: drive.tree.update_properties((), {"{n}p": "<p xmlns='n'/>"}, recheck=refuse),
    ):
        with pytest.raises(RefusedError):
            refused()
    assert drive.stored() == []


@pytest.mark.parametrize("bridges", [1, 3])
def test_of_many_who_make_a_collection_at_once_one_makes_it(bridges: int) -> None:
    """Over several bridges the store decides, by If-None-Match on the marker."""
    bucket = MemoryStore()
    trees = [Namespace(CachedStore(bucket, CacheSettings())) for _ in range(bridges)]
    barrier = Barrier(24)

    def make(number: int) -> bool:
        barrier.wait()
        try:
            trees[number % bridges].make_collection(parse("/d"))
        except AlreadyExistsError:
            return False
        return True

    with ThreadPoolExecutor(24) as pool:
        made = list(pool.map(make, range(24)))
    assert made.count(True) == 1
    for tree in trees:
        tree.close()
