"""A bridge dies in the middle, wherever that is: another one goes on, and nothing is lost."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Event

import pytest

from davbridge.errors import AccessDeniedError, UnavailableError
from davbridge.paths import parse
from davbridge.tree.journal.entry import JOURNALS, LEASE, OperationRequest
from davbridge.tree.journal.lease_monitor import LEASE_SECONDS
from davbridge.tree.journal.objects import INCOMPLETE_RECORD_AGE
from davbridge.tree.journal.scanner import BUSY_SCAN_SECONDS, SCAN_SECONDS
from davbridge.tree.operations import attempts
from davbridge.tree.operations.takeover import RESUMED_RESULT_SECONDS
from davbridge.tree.resource import Failure, Outcome
from davbridge.tree.steps import progress
from davbridge.tree.steps.progress import OperationCounts
from tests.support.waiting import until
from tests.tree.conftest import Drive
from tests.tree.deaths import (
    SOURCE,
    KilledError,
    another,
    bodies,
    die_after_the_copies,
    fill,
    half_done,
    has_source,
    journals,
    kill_at,
    move,
    moved,
    recovered,
)
from tests.tree.wrappers import WatchedStore

COLOUR = {"{n}colour": "<colour xmlns='n'/>"}


def deaths(operation: Callable[[Drive], object], *others: str) -> Iterator[tuple[Drive, bool]]:
    """Drives whose bridge has died in the operation, one for each request of it, and whether it had
    written a journal; some have, and some haven't. ``others`` are keys that are there beside."""
    seen: set[bool] = set()
    for number in count():
        drive = Drive()
        drive.outside(*others)
        fill(drive)
        kill_at(drive, number)
        try:
            operation(drive)
        except KilledError:
            was_begun = bool(journals(drive))
            seen.add(was_begun)
            yield drive, was_begun
        else:
            assert number > 5
            assert seen == {True, False}
            return
        finally:
            drive.tree.close()


def test_a_move_that_was_killed_is_finished_by_a_bridge_that_starts() -> None:
    for drive, was_begun in deaths(move):
        recovered(drive)
        whole = moved(SOURCE) if was_begun or not has_source(drive) else SOURCE
        assert bodies(drive) == whole
        assert journals(drive) == []


def test_a_move_that_was_killed_is_finished_when_its_client_asks_again() -> None:
    ways: set[str] = set()
    for drive, was_begun in deaths(move):
        with another(drive) as tree:
            if has_source(drive):
                ways.add("anew")
                assert tree.move(parse("/s"), parse("/t")) == []
            elif was_begun:
                ways.add("on")
                outcome = tree.resume(OperationRequest("MOVE", ("s",), ("t",)))
                assert outcome
                assert (outcome.failures, outcome.is_new) == ([], True)
        assert bodies(drive) == moved(SOURCE)
        assert journals(drive) == []
    assert ways == {"anew", "on"}


def test_objects_written_after_the_death_of_a_bridge_stay() -> None:
    """The same bytes at the source, others at the target, and new ones at both."""
    for drive, was_begun in deaths(move):
        for key, body in (("s/a", b"1"), ("s/new", b"n"), ("t/b", b"theirs"), ("t/new", b"N")):
            drive.outside(key, body=body)
        recovered(drive)
        found = bodies(drive)
        assert found["s/a"] == b"1"
        assert found["s/new"] == b"n"
        assert found["t/b"] == b"theirs"
        assert found["t/new"] == b"N"
        if was_begun:
            assert found["t/d/c"] == b"333"
            assert "s/d/c" not in found


def test_a_source_whose_copy_somebody_has_removed_is_not_deleted() -> None:
    removed = 0
    for drive, _ in deaths(move):
        for key in drive.stored():
            if key.startswith("t/"):
                drive.bucket.delete_object(key)
                removed += 1
        there = {body for key, body in bodies(drive).items() if key.startswith("s/")}
        recovered(drive)
        assert set(bodies(drive).values()) == there
    assert removed > 0


def test_a_move_over_another_tree_is_finished_with_what_it_replaces() -> None:
    def over(drive: Drive) -> list[Failure]:
        return drive.tree.move(parse("/s"), parse("/o"))

    for drive, was_begun in deaths(over, "o/", "o/a", "o/extra", "o/d"):
        recovered(drive)
        if was_begun:
            assert bodies(drive) == {"o" + key[1:]: body for key, body in SOURCE.items()}
        else:
            assert SOURCE.items() <= bodies(drive).items() or not has_source(drive)


def painted(drive: Drive) -> list[Failure]:
    """A move of what has properties."""
    drive.store.before, kill = lambda _operation, _key: None, drive.store.before
    for path in ("/s", "/s/a"):
        drive.tree.update_properties(parse(path), COLOUR)
    drive.store.before = kill
    return move(drive)


def test_a_resumed_move_takes_properties_along() -> None:
    for drive, was_begun in deaths(painted):
        recovered(drive)
        folder = "t" if was_begun or not has_source(drive) else "s"
        with another(drive) as tree:
            for path in ((folder,), (folder, "a")):
                assert tree.properties(path) == COLOUR


def test_a_resumed_move_keeps_properties_set_on_its_target() -> None:
    size = {"{n}size": "<size xmlns='n'/>"}
    tried = 0
    for drive, was_begun in deaths(painted):
        if not was_begun or "t/b" not in drive.stored():
            continue
        tried += 1
        with another(drive) as tree:
            tree.update_properties(parse("/t"), size)
        recovered(drive)
        with another(drive) as tree:
            assert tree.properties(parse("/t")) == {**COLOUR, **size}
    assert tried > 0


def over_painted(verb: str, *, is_gone: bool) -> Callable[[Drive], list[Failure]]:
    """Copies or moves over a file with properties, or to a name where another tool has deleted
    such a file."""

    def operation(drive: Drive) -> list[Failure]:
        drive.store.before, kill = lambda _operation, _key: None, drive.store.before
        drive.outside("t")
        drive.tree.update_properties(parse("/t"), COLOUR)
        if is_gone:
            drive.bucket.delete_object("t")
        drive.clock.advance(100)
        drive.store.before = kill
        failures: list[Failure] = getattr(drive.tree, verb)(parse("/s"), parse("/t"))
        return failures

    return operation


def test_the_target_of_a_resumed_move_has_no_properties_of_what_was_gone() -> None:
    for drive, was_begun in deaths(over_painted("move", is_gone=True)):
        recovered(drive)
        if was_begun:
            with another(drive) as tree:
                assert tree.properties(parse("/t")) == {}


@pytest.mark.parametrize("verb", ["copy", "move"])
def test_the_target_of_a_resumed_operation_has_no_properties_of_what_it_replaces(
    verb: str,
) -> None:
    """Once all copies are there, a client may have set them."""
    tried = 0
    for drive, was_begun in deaths(over_painted(verb, is_gone=False)):
        if not was_begun or "t/d/c" in drive.stored():
            continue
        tried += 1
        recovered(drive)
        with another(drive) as tree:
            assert tree.properties(parse("/t")) == {}
    assert tried > 0


def test_properties_set_after_the_death_of_a_bridge_stay() -> None:
    size = {"{n}size": "<size xmlns='n'/>"}
    tried = 0
    for drive, was_begun in deaths(painted):
        if not was_begun or "t/b" not in drive.stored():
            continue
        tried += 1
        with another(drive) as tree:
            tree.update_properties(parse("/t/b"), size)
        recovered(drive)
        with another(drive) as tree:
            assert tree.properties(parse("/t/a")) == COLOUR
            assert tree.properties(parse("/t/b")) == size
        assert not has_source(drive)
    assert tried > 0


def test_copies_and_deletions_that_were_killed_are_finished(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attempts, "JOURNALED", 2)
    for drive, was_begun in deaths(lambda drive: drive.tree.copy(parse("/s"), parse("/t"))):
        recovered(drive)
        assert SOURCE.items() <= bodies(drive).items()
        if was_begun:
            assert bodies(drive) == SOURCE | moved(SOURCE)
    for drive, was_begun in deaths(lambda drive: drive.tree.delete(parse("/s"))):
        drive.outside("s/b", body=SOURCE["s/b"])
        recovered(drive)
        found = bodies(drive)
        assert found["s/b"] == SOURCE["s/b"]
        if was_begun:
            assert set(found) <= {"s/b", "s/"}


def test_a_bridge_that_is_alive_is_waited_for(drive: Drive) -> None:
    """It renews its lease; when it has ended, that is the answer."""
    fill(drive)
    moving = Event()
    goes_on = Event()

    def before(operation: str, key: str) -> None:
        if (operation, key) == ("copy", "s/b"):
            moving.set()
            assert goes_on.wait(60)

    drive.store.before = before
    waits = count()

    def pause(seconds: float) -> None:
        """Longer, all in all, than a lease."""
        drive.clock.advance(seconds)
        drive.tree.running_operations.current()[0].renew()
        if next(waits) > LEASE_SECONDS:
            goes_on.set()
            first.result(60)

    with ThreadPoolExecutor(1) as thread:
        first = thread.submit(move, drive)
        assert moving.wait(60)
        with another(drive, pause) as tree:
            outcome = tree.resume(OperationRequest("MOVE", ("s",), ("t",)))
    assert outcome == Outcome([], is_new=True)
    assert next(waits) > LEASE_SECONDS
    assert bodies(drive) == moved(SOURCE)


def test_a_bridge_that_has_lost_its_lease_stops(drive: Drive) -> None:
    """A bridge that stood still is overtaken: it neither deletes nor undoes anything after that."""
    fill(drive)

    def before(operation: str, key: str) -> None:
        if (operation, key) == ("list", "t/"):
            drive.store.before = lambda _operation, _key: None
            drive.clock.advance(LEASE_SECONDS + 1)
            recovered(drive)
            drive.outside("s/a", body=b"anew")
            drive.store.requests.clear()

    drive.store.before = before
    with pytest.raises(UnavailableError):
        move(drive)
    assert drive.store.taken() == ["list"]
    assert bodies(drive) == moved(SOURCE) | {"s/a": b"anew"}
    assert journals(drive) == []


def patiently(_seconds: float) -> None:
    """Waits without the clock's going on."""
    time.sleep(0.01)


def test_one_of_two_bridges_that_take_over_wins(drive: Drive) -> None:
    half_done(drive)
    with another(drive, patiently) as tree, another(drive, patiently) as other:
        for each in (tree, other):
            each.journal_scanner.scan()
        drive.clock.advance(LEASE_SECONDS)
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda each: each.journal_scanner.scan(), (tree, other)))
        assert tree.running_operations.counts.resumed + other.running_operations.counts.resumed == 1
    assert bodies(drive) == moved(SOURCE)


def test_a_new_bridge_waits_for_the_lease_before_it_resumes(drive: Drive) -> None:
    half_done(drive)
    with another(drive) as tree:
        for _ in range(3):
            assert tree.journal_scanner.scan() == BUSY_SCAN_SECONDS
            drive.clock.advance(LEASE_SECONDS / 3 - 0.1)
        assert has_source(drive)
        drive.clock.advance(1)
        tree.journal_scanner.scan()
        assert not has_source(drive)
        assert tree.journal_scanner.scan() == SCAN_SECONDS


def test_a_resumed_move_is_known_as_done_for_a_while(drive: Drive) -> None:
    """To him who asked for it, as long as there is no new source."""
    half_done(drive)
    with another(drive) as tree:
        tree.journal_scanner.scan()
        drive.clock.advance(LEASE_SECONDS)
        tree.journal_scanner.scan()
        done = Outcome([], is_new=True)
        assert tree.resume(OperationRequest("MOVE", ("s",), ("t",), "me")) == done
        assert tree.resume(OperationRequest("MOVE", ("s",), ("t",), "you")) is None
        drive.outside("s/new")
        assert tree.resume(OperationRequest("MOVE", ("s",), ("t",), "me")) is None
        drive.bucket.delete_object("s/new")
        drive.clock.advance(RESUMED_RESULT_SECONDS)
        assert tree.resume(OperationRequest("MOVE", ("s",), ("t",), "me")) is None


def test_a_scan_is_tried_again_where_the_store_fails(drive: Drive) -> None:
    half_done(drive)
    store = WatchedStore(drive.bucket)
    with another(drive, store=store) as tree:
        tree.journal_scanner.scan()
        drive.clock.advance(LEASE_SECONDS)
        store.fault = lambda operation, _key: (
            UnavailableError("gone") if operation == "delete" else None
        )
        tree.journal_scanner.scan()
        assert has_source(drive)
        store.fault = lambda _operation, _key: None
        tree.journal_scanner.scan()
    assert bodies(drive) == moved(SOURCE)


def test_a_file_in_the_place_of_a_resumed_moves_target_stays(drive: Drive) -> None:
    half_done(drive)
    for key in [key for key in drive.stored() if key.startswith("t/")]:
        drive.bucket.delete_object(key)
    drive.outside("t", body=b"a file")
    recovered(drive)
    assert bodies(drive) == SOURCE | {"t": b"a file"}


def test_journals_that_nobody_can_read_are_deleted(drive: Drive) -> None:
    drive.outside(f"{JOURNALS}damaged.plan", f"{JOURNALS}alone.lease", f"{JOURNALS}else")
    recovered(drive)
    assert journals(drive) == [f"{JOURNALS}else"]


def test_members_that_a_move_left_are_known_for_a_day(drive: Drive) -> None:
    fill(drive)
    drive.store.fault = lambda operation, key: (
        AccessDeniedError(key) if (operation, key) == ("delete", "s/b") else None
    )
    assert move(drive)
    with another(drive) as tree:
        tree.journal_scanner.scan()
        assert len(journals(drive)) == 1
        drive.clock.advance(INCOMPLETE_RECORD_AGE.total_seconds() + 1)
        tree.journal_scanner.scan()
        assert journals(drive) == []
    assert drive.stored() == ["s/b", *moved(SOURCE)]


def test_members_that_a_move_left_stay_known_where_the_next_try_fails_before_it_deletes(
    drive: Drive,
) -> None:
    fill(drive)
    failing = [("delete", "s/b")]
    drive.store.fault = lambda *request: AccessDeniedError("no") if request in failing else None
    assert move(drive)
    failing[:] = [("copy", "s/b")]
    assert move(drive)
    failing.clear()
    assert move(drive) == []
    assert bodies(drive) == moved(SOURCE)
    assert journals(drive) == []


def test_the_progress_of_a_move_is_counted(drive: Drive) -> None:
    fill(drive)
    seen: list[str] = []

    def before(operation: str, key: str) -> None:
        if (operation, key) == ("list", "t/"):
            seen.extend(map(str, drive.tree.running_operations.current()))

    drive.store.before = before
    assert move(drive) == []
    assert seen == ["MOVE '/s' to '/t': 5 of 10 steps"]
    assert drive.tree.running_operations.counts == OperationCounts(started=1, ended=1, steps=10)
    assert drive.tree.running_operations.current() == []


def test_the_steps_of_a_copy_are_its_copies(drive: Drive) -> None:
    fill(drive)
    seen: list[str] = []

    def before(operation: str, key: str) -> None:
        if (operation, key) == ("list", "t/"):
            seen.extend(map(str, drive.tree.running_operations.current()))

    drive.store.before = before
    assert drive.tree.copy(parse("/s"), parse("/t")) == []
    assert seen == ["COPY '/s' to '/t': 5 of 5 steps"]


def test_a_long_move_renews_its_lease_and_logs_its_progress(
    drive: Drive, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(progress, "RENEWAL_SECONDS", 0.01)
    caplog.set_level("INFO")
    fill(drive)
    seen: set[bytes] = set()

    def leases() -> set[bytes]:
        seen.update(map(drive.content, filter(is_lease, drive.stored())))
        return seen

    def before(operation: str, key: str) -> None:
        if (operation, key) == ("copy", "s/b"):
            until(lambda: len(leases()) > 1)

    drive.store.before = before
    assert move(drive) == []
    assert len(seen) > 1
    assert "of 10 steps" in caplog.text
    assert journals(drive) == []


def is_lease(key: str) -> bool:
    return key.endswith(LEASE)


def test_a_mount_keeps_its_journals_to_itself() -> None:
    drive = Drive(prefix="mount/")
    drive.outside(*(f"mount/{key}" for key in SOURCE))
    drive.clock.advance(100)
    die_after_the_copies(drive, "mount/")
    assert [key for key in drive.stored() if key.startswith(f"mount/{JOURNALS}")]
    recovered(drive)  # of the whole bucket
    assert [key for key in drive.stored() if key.startswith("mount/s/")]
    with another(drive, prefix="mount/") as tree:
        tree.journal_scanner.scan()
        drive.clock.advance(LEASE_SECONDS)
        tree.journal_scanner.scan()
    assert drive.stored() == [f"mount/{key}" for key in moved(SOURCE)]
    drive.tree.close()
