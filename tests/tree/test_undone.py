"""A MOVE that has failed is undone, or finished, and never both: whoever resumes it can tell."""

from collections.abc import Callable

import pytest

from davbridge.errors import AccessDeniedError, StoreError, UnavailableError
from davbridge.paths import parse
from davbridge.store.base import ObjectRow
from davbridge.tree.journal.entry import PLAN, JournalEntry, OperationRequest, decoded, encoded
from davbridge.tree.journal.lease_monitor import LEASE_SECONDS
from davbridge.tree.journal.validation import require_within
from davbridge.tree.plan import NO_PLAN
from tests.tree.conftest import Drive
from tests.tree.deaths import (
    SOURCE,
    KilledError,
    another,
    bodies,
    fill,
    journals,
    kill_at,
    move,
    moved,
    recovered,
)


def fail_one_copy(drive: Drive) -> None:
    drive.store.fault = lambda operation, key: (
        UnavailableError("gone") if (operation, key) == ("copy", "s/b") else None
    )


def at_the_first_delete(drive: Drive, event: Callable[[], None]) -> None:
    """Of the undoing: nothing else deletes anything of the target's."""
    events = [event]

    def before(operation: str, key: str) -> None:
        if operation == "delete" and key.startswith("t/") and events:
            events.pop()()

    drive.store.before = before


def die(drive: Drive) -> None:
    kill_at(drive, 0)
    raise KilledError


def test_a_bridge_that_finds_a_move_half_undone_undoes_it(drive: Drive) -> None:
    fill(drive)
    fail_one_copy(drive)
    at_the_first_delete(drive, lambda: die(drive))
    with pytest.raises(KilledError):
        move(drive)
    assert "t/a" in drive.stored()
    recovered(drive)
    assert bodies(drive) == SOURCE
    assert journals(drive) == []


def test_the_same_move_asked_for_again_undoes_it_and_begins_anew(drive: Drive) -> None:
    fill(drive)
    fail_one_copy(drive)
    at_the_first_delete(drive, lambda: die(drive))
    with pytest.raises(KilledError):
        move(drive)
    with another(drive) as tree:
        assert tree.move(parse("/s"), parse("/t")) == []
    assert bodies(drive) == moved(SOURCE)
    assert journals(drive) == []


def test_a_bridge_that_is_stopped_while_it_undoes_a_move_removes_nothing_when_it_wakes_up(
    drive: Drive,
) -> None:
    """Another has undone it meanwhile, and users have put equal files where it had copied to."""
    fill(drive)
    fail_one_copy(drive)

    def stopped() -> None:
        drive.clock.advance(LEASE_SECONDS + 50)
        recovered(drive)
        assert bodies(drive) == SOURCE
        for key, body in moved(SOURCE).items():
            drive.outside(key, body=body)

    at_the_first_delete(drive, stopped)
    assert move(drive)
    assert bodies(drive) == SOURCE | moved(SOURCE)


def test_a_move_is_not_undone_where_its_journal_cannot_say_so(drive: Drive) -> None:
    fill(drive)
    plans = iter([None])

    def fault(operation: str, key: str) -> StoreError | None:
        if (operation, key) == ("copy", "s/b"):
            return UnavailableError("gone")
        if operation == "put" and key.endswith(PLAN) and next(plans, key):
            return UnavailableError("gone")
        return None

    drive.store.fault = fault
    with pytest.raises(UnavailableError):
        move(drive)
    assert "t/a" in drive.stored()
    drive.store.fault = lambda _operation, _key: None
    recovered(drive)
    assert bodies(drive) == moved(SOURCE)


def test_copies_that_can_not_be_removed_yet_are_removed_later(drive: Drive) -> None:
    fill(drive)

    def fault(operation: str, key: str) -> StoreError | None:
        is_hit = operation == "delete" and key.startswith("t/")
        return UnavailableError("gone") if is_hit or (operation, key) == ("copy", "s/b") else None

    drive.store.fault = fault
    assert move(drive)
    assert "t/a" in drive.stored()
    drive.store.fault = lambda _operation, _key: None
    recovered(drive)
    assert bodies(drive) == SOURCE
    assert journals(drive) == []


def test_a_copy_that_may_never_be_removed_keeps_no_journal(drive: Drive) -> None:
    """It is as good as what the source has; nothing else could be done with the folder."""
    fill(drive)

    def fault(operation: str, key: str) -> StoreError | None:
        if (operation, key) == ("copy", "s/b"):
            return UnavailableError("gone")
        return AccessDeniedError(key) if (operation, key) == ("delete", "t/a") else None

    drive.store.fault = fault
    assert move(drive) != []
    assert journals(drive) == []
    assert SOURCE.items() <= bodies(drive).items()
    drive.store.fault = lambda operation, key: None
    assert drive.tree.move(parse("/s"), parse("/u")) == []


def test_a_folder_that_was_there_before_stays_when_a_move_onto_it_is_undone(drive: Drive) -> None:
    fill(drive)
    drive.outside("t/")
    fail_one_copy(drive)
    assert move(drive)
    assert bodies(drive) == SOURCE | {"t/": b""}


def test_a_journal_that_would_undo_something_outside_of_its_target_is_damaged(drive: Drive) -> None:
    request = OperationRequest("MOVE", ("s",), ("t",))
    plan = NO_PLAN._replace(target_prefix="t/")
    made = ObjectRow("elsewhere", 1, drive.clock(), "etag")
    entry = decoded(encoded(JournalEntry(request, ("s",), ("t",), True, plan, (made,))))
    assert entry.undo == (made,)
    with pytest.raises(ValueError, match="elsewhere"):
        require_within("", entry)
