"""A journal is gone on with late, when much has changed: what is not certain any more isn't done,
and nothing is tried for ever."""

import pytest

from davbridge.errors import AccessDeniedError, ArchivedError, StoreError
from davbridge.paths import parse
from davbridge.tree.composition import Clocks, DriveLimits
from davbridge.tree.journal.entry import PLAN
from davbridge.tree.journal.lease_monitor import LEASE_SECONDS
from davbridge.tree.journal.objects import INCOMPLETE_RECORD_AGE
from davbridge.tree.journal.scanner import SCAN_SECONDS
from davbridge.tree.namespace import Namespace
from davbridge.tree.operations import attempts
from davbridge.tree.reserved_names import HOUSEKEEPING
from tests.tree.conftest import Drive
from tests.tree.deaths import (
    SOURCE,
    KilledError,
    another,
    bodies,
    fill,
    half_done,
    journals,
    kill_at,
    move,
    moved,
    recovered,
)
from tests.tree.wrappers import WatchedStore

OLD = {"t/": b"", "t/a": b"old", "t/extra": b"extra"}


def die_at(drive: Drive, operation: str, prefix: str) -> None:
    def before(asked: str, key: str) -> None:
        if asked == operation and key.startswith(prefix):
            kill_at(drive, 0)
            raise KilledError

    drive.store.before = before


def begun_over_another(drive: Drive, verb: str = "MOVE") -> None:
    """Its bridge dies before the first copy."""
    for key, body in OLD.items():
        drive.outside(key, body=body)
    fill(drive)
    die_at(drive, "copy", "s/")
    with pytest.raises(KilledError):
        move(drive) if verb == "MOVE" else drive.tree.copy(parse("/s"), parse("/t"))
    assert journals(drive)


@pytest.mark.parametrize("verb", ["MOVE", "COPY"])
def test_a_target_stays_where_the_source_of_a_late_move_is_gone(
    drive: Drive, monkeypatch: pytest.MonkeyPatch, verb: str, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(attempts, "JOURNALED", 2)
    begun_over_another(drive, verb)
    for key in SOURCE:
        drive.bucket.delete_object(key)
    recovered(drive)
    assert bodies(drive) == OLD
    assert "gone since" in caplog.text


@pytest.mark.parametrize("verb", ["MOVE", "COPY"])
def test_a_target_stays_where_not_all_of_a_late_move_can_be_copied(
    drive: Drive, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setattr(attempts, "JOURNALED", 2)
    begun_over_another(drive, verb)
    drive.outside("s/a", body=b"anew")
    recovered(drive)
    found = bodies(drive)
    assert OLD.items() <= found.items()
    assert (found["s/a"], found["t/b"]) == (b"anew", b"22")


def test_objects_written_at_the_target_of_a_late_move_are_not_replaced(drive: Drive) -> None:
    begun_over_another(drive)
    store = WatchedStore(drive.bucket)

    def before(operation: str, key: str) -> None:
        if (operation, key) == ("copy", "s/a"):
            drive.outside("t/a", body=b"theirs")

    store.before = before
    with another(drive, store=store) as tree:
        tree.journal_scanner.scan()
        drive.clock.advance(LEASE_SECONDS)
        tree.journal_scanner.scan()
    found = bodies(drive)
    assert (found["s/a"], found["t/a"], found["t/extra"]) == (b"1", b"theirs", b"extra")


def test_a_late_move_that_can_never_be_copied_is_given_up(drive: Drive) -> None:
    """Though after it others weren't begun with, which could be."""
    half_done(drive)
    for key in moved(SOURCE):
        drive.bucket.delete_object(key)
    store = WatchedStore(drive.bucket)
    store.fault = lambda operation, key: (
        AccessDeniedError(key) if (operation, key) == ("copy", "s/a") else None
    )
    tree = Namespace(
        store,
        limits=DriveLimits(parallel_requests=1),
        clocks=Clocks(timer=drive.clock.seconds, now=drive.clock),
    )
    tree.journal_scanner.scan()
    drive.clock.advance(LEASE_SECONDS)
    assert tree.journal_scanner.scan() == SCAN_SECONDS
    tree.close()
    assert SOURCE.items() <= bodies(drive).items()
    assert not has_plan(drive)


def has_plan(drive: Drive) -> bool:
    return any(key.endswith(PLAN) for key in journals(drive))


def test_a_late_move_into_a_file_is_given_up(drive: Drive) -> None:
    fill(drive)
    drive.outside("p/")
    die_at(drive, "copy", "s/")
    with pytest.raises(KilledError):
        drive.tree.move(parse("/s"), parse("/p/t"))
    drive.bucket.delete_object("p/")
    drive.outside("p", body=b"a file")
    recovered(drive)
    assert bodies(drive) == SOURCE | {"p": b"a file"}
    assert not has_plan(drive)


def test_a_late_move_does_not_make_a_parent_again_that_is_gone_with_all_in_it(drive: Drive) -> None:
    """A marker in its place would hide the file that is there."""
    for key, body in SOURCE.items():
        drive.outside(f"p/{key}", body=body)
    drive.clock.advance(100)
    die_at(drive, "delete", ".davbridge")
    with pytest.raises(KilledError):
        drive.tree.move(parse("/p/s"), parse("/t"))
    drive.bucket.delete_object("p/")
    drive.outside("p", body=b"a file")
    recovered(drive)
    assert bodies(drive) == moved(SOURCE) | {"p": b"a file"}
    assert journals(drive) == []


@pytest.mark.parametrize("error", [ArchivedError, AccessDeniedError])
def test_a_member_that_cannot_be_compared_does_not_stop_a_late_move(
    drive: Drive, error: type[StoreError]
) -> None:
    """Somebody has put another object of the same size where the copy would be."""
    half_done(drive)
    drive.outside("t/b", body=b"ZZ")
    store = WatchedStore(drive.bucket)
    store.fault = lambda operation, key: error(key) if (operation, key) == ("get", "s/b") else None
    with another(drive, store=store) as tree:
        tree.journal_scanner.scan()
        drive.clock.advance(LEASE_SECONDS)
        tree.journal_scanner.scan()
    found = bodies(drive)
    assert (found["s/b"], found["t/b"]) == (b"22", b"ZZ")
    assert "s/a" not in found
    assert not has_plan(drive)


def test_an_object_that_a_dead_bridge_asked_the_time_with_blocks_nobody(drive: Drive) -> None:
    half_done(drive)
    (plan,) = (key for key in journals(drive) if key.endswith(PLAN))
    drive.outside(
        f"{HOUSEKEEPING}journals/clock.lease",
        f"{HOUSEKEEPING}journals/{'0' * 32}.left",
    )
    drive.clock.advance(2 * INCOMPLETE_RECORD_AGE.total_seconds())
    recovered(drive)
    assert plan not in journals(drive)
    recovered(drive)
    assert journals(drive) == []
