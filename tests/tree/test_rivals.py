"""Bridges that don't know of one another, or wrongly take one another for dead: whatever they do on
the same trees, no bytes are lost."""

from collections.abc import Callable

import pytest

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.errors import NotFoundError, UnavailableError
from davbridge.paths import parse
from davbridge.store.base import Attributes
from davbridge.store.memory import MemoryStore
from davbridge.tree.journal.lease_monitor import HELD_SECONDS, LEASE_SECONDS
from davbridge.tree.namespace import Namespace
from tests.tree.conftest import Drive
from tests.tree.deaths import (
    SOURCE,
    another,
    bodies,
    fill,
    half_done,
    journals,
    move,
    moved,
    recovered,
)
from tests.tree.wrappers import WatchedStore


def once(meanwhile: Callable[[], object], at: tuple[str, str]) -> Callable[[str, str], None]:
    """What happens right before the first such request."""
    seen: list[bool] = []

    def before(operation: str, key: str) -> None:
        if (operation, key) == at and not seen:
            seen.append(True)
            meanwhile()

    return before


def move_from_outside(drive: Drive) -> None:
    """Another bridge, of a mount around this one say, moves the same, and is quicker."""
    for key, target in zip(SOURCE, moved(SOURCE), strict=True):
        row = drive.bucket.lookup(key).row
        if row and not drive.bucket.lookup(target).row:
            drive.bucket.copy_object(row, target)
        drive.bucket.delete_object(key)


def test_a_move_that_fails_spares_those_copies_whose_source_is_gone(drive: Drive) -> None:
    fill(drive)
    drive.store.before = once(lambda: move_from_outside(drive), ("copy", "s/b"))
    assert move(drive)
    assert bodies(drive) == moved(SOURCE)


def test_a_move_of_a_file_that_fails_spares_the_copy_whose_source_is_gone(drive: Drive) -> None:
    """Its properties can't be written; another bridge has seen the copy, and ends the same move."""
    drive.put("/d", b"1")
    drive.tree.update_properties(parse("/d"), {"{n}colour": "<colour xmlns='n'/>"})
    drive.clock.advance(100)

    def meanwhile() -> None:
        drive.bucket.delete_object("d")
        drive.store.fault = lambda operation, _key: (
            UnavailableError("gone") if operation == "put" else None
        )

    drive.store.before = once(meanwhile, ("put", ".davbridge.properties.json"))
    with pytest.raises(UnavailableError):
        drive.tree.move(parse("/d"), parse("/e"))
    assert drive.content("e") == b"1"


def test_two_bridges_that_move_a_file_to_one_name_both_leave_it_there(
    drive: Drive,
) -> None:
    """As where a client has asked again, and got to another bridge."""
    drive.outside("f", body=b"only")
    drive.clock.advance(100)
    with another(drive) as other:
        drive.store.before = once(lambda: other.move(parse("/f"), parse("/g")), ("delete", "f"))
        with pytest.raises(NotFoundError):
            drive.tree.move(parse("/f"), parse("/g"))
    assert bodies(drive) == {"g": b"only"}


def test_a_bridge_that_has_given_up_does_not_take_over_what_is_begun_anew(drive: Drive) -> None:
    half_done(drive)
    store, rival = WatchedStore(drive.bucket), WatchedStore(drive.bucket)
    with another(drive, store=store) as tree, another(drive, store=rival) as other:
        tree.journal_scanner.scan()
        drive.clock.advance(LEASE_SECONDS)
        store.fault = lambda operation, _key: (
            UnavailableError("gone") if operation == "delete" else None
        )
        tree.journal_scanner.scan()
        store.fault = lambda _operation, _key: None
        other.journal_scanner.scan()
        drive.clock.advance(LEASE_SECONDS)
        other.journal_scanner.scan()
        assert bodies(drive) == moved(SOURCE)
        assert journals(drive) == []
        other.delete(parse("/t"))
        fill(drive)
        resumed = tree.running_operations.counts.resumed
        rival.before = once(tree.journal_scanner.scan, ("copy", "s/b"))
        assert other.move(parse("/s"), parse("/t")) == []
        assert tree.running_operations.counts.resumed == resumed
    assert bodies(drive) == moved(SOURCE)


def test_a_lease_counts_from_when_it_was_asked_for(drive: Drive) -> None:
    """The answer takes long; another bridge has seen the journal long before."""
    fill(drive)
    asked: list[str] = []

    def before(operation: str, key: str) -> None:
        if operation == "copy" and not asked:
            asked.append(key)
            drive.clock.advance(HELD_SECONDS / 2)
        elif operation == "put" and key.endswith(".plan"):
            drive.clock.advance(HELD_SECONDS / 2 + 1)

    drive.store.before = before
    with pytest.raises(UnavailableError):
        move(drive)
    assert not [key for operation, key in drive.store.requests if operation == "delete"]
    drive.store.before = lambda _operation, _key: None
    recovered(drive)
    assert bodies(drive) == moved(SOURCE)


def test_a_bridge_that_is_paused_stops_before_another_may_resume(drive: Drive) -> None:
    """So that what he has asked for last has ended by then."""
    fill(drive)
    drive.store.before = once(lambda: drive.clock.advance(HELD_SECONDS + 1), ("list", "t/"))
    assert HELD_SECONDS + 1 < LEASE_SECONDS
    with pytest.raises(UnavailableError):
        move(drive)
    assert not [key for operation, key in drive.store.requests if operation == "delete"]


def test_a_lease_that_was_lost_is_not_renewed(drive: Drive) -> None:
    """Another has gone on, and ended: nothing of the journal is there that would be in the way."""
    fill(drive)

    def overtaken() -> None:
        drive.store.before = lambda _operation, _key: None
        drive.clock.advance(LEASE_SECONDS + 1)
        recovered(drive)
        drive.outside("s/a", body=SOURCE["s/a"])
        drive.tree.running_operations.current()[0].renew()

    drive.store.before = once(overtaken, ("list", "t/"))
    with pytest.raises(UnavailableError):
        move(drive)
    assert bodies(drive) == moved(SOURCE) | {"s/a": SOURCE["s/a"]}
    assert journals(drive) == []


def test_a_move_that_fails_is_undone_only_by_the_bridge_that_surely_has_its_lease(
    drive: Drive,
) -> None:
    """Another has taken it over in the same moment, and goes on with what was copied."""
    fill(drive)

    def overtaken() -> None:
        [plan] = journals(drive)
        drive.outside(plan.replace(".plan", ".lease"))
        drive.store.fault = lambda operation, key: (
            UnavailableError("gone") if (operation, key) == ("copy", "s/b") else None
        )

    drive.store.before = once(overtaken, ("copy", "s/a"))
    with pytest.raises(UnavailableError):
        move(drive)
    assert not [key for operation, key in drive.store.requests if operation == "delete"]


@pytest.mark.parametrize("verb", ["move", "copy"])
@pytest.mark.parametrize("names", [("1",), ("1", "2"), ("",)], ids=str)
def test_a_folder_that_another_bridge_has_moved_away_empties_no_target(
    verb: str, names: tuple[str, ...]
) -> None:
    """As where a client asks again, and gets to a bridge that has a listing from before."""
    bucket = MemoryStore()
    for key in ("b/old", *(f"a/{name}" for name in names)):
        bucket.put_object(key, b"" if key.endswith("/") else key.encode(), Attributes())
    stores = [CachedStore(bucket, CacheSettings()) for _ in range(2)]
    one, other = (Namespace(store, uncached=bucket) for store in stores)
    assert {member.name for member in other.members(())} == {"a", "b"}
    assert one.move(parse("/a"), parse("/b")) == []
    moved_there = {row.key for row in next(bucket.list_objects("")).rows}
    with pytest.raises(NotFoundError):
        getattr(other, verb)(parse("/a"), parse("/b"))
    with pytest.raises(NotFoundError):
        other.copy(parse("/a"), parse("/b"), recursive=False)
    assert {row.key for row in next(bucket.list_objects("")).rows} == moved_there
    one.close()
    other.close()


@pytest.mark.parametrize("verb", ["move", "copy"])
@pytest.mark.parametrize("body", [b"file", b""])
def test_a_folder_that_another_bridge_has_replaced_by_a_file_empties_no_target(
    verb: str, body: bytes
) -> None:
    bucket = MemoryStore()
    for key in ("a/1", "b/old"):
        bucket.put_object(key, key.encode(), Attributes())
    tree = Namespace(CachedStore(bucket, CacheSettings()), uncached=bucket)
    assert {member.name for member in tree.members(())} == {"a", "b"}
    bucket.delete_object("a/1")
    bucket.put_object("a", body, Attributes())
    with pytest.raises(NotFoundError):
        getattr(tree, verb)(parse("/a"), parse("/b"))
    assert {row.key for row in next(bucket.list_objects("")).rows} == {"a", "b/old"}
    tree.close()
