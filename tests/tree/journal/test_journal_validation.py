"""Journals that nobody should go on with: forged, copied from elsewhere, damaged, of the future."""

import json
import zlib
from itertools import count
from typing import Any

import pytest

from davbridge.errors import UnavailableError
from davbridge.paths import parse
from davbridge.store.base import Attributes, ObjectRow
from davbridge.tree.journal.entry import (
    INCOMPLETE,
    JOURNALS,
    LEASE,
    PLAN,
    JournalEntry,
    OperationRequest,
    encoded,
)
from davbridge.tree.journal.lease_monitor import LEASE_SECONDS
from davbridge.tree.journal.objects import INCOMPLETE_RECORD_AGE
from davbridge.tree.plan import NO_PLAN, Copy, Plan
from tests.tree.conftest import Drive
from tests.tree.deaths import (
    SOURCE,
    KilledError,
    another,
    bodies,
    die_after_the_copies,
    fill,
    journals,
    moved,
)
from tests.tree.wrappers import WatchedStore

MOVE = OperationRequest("MOVE", ("s",), ("t",))
DELETE = OperationRequest("DELETE", ("s",))

OURS = {"m/s/a": b"ours", "m/s/b": b"ours"}
OTHERS = {"other/secret": b"secret", "mm": b"neighbour", "m": b"neighbour"}


def written(drive: Drive, plan: Plan, request: OperationRequest = MOVE, mount: str = "m/") -> None:
    entry = JournalEntry(request, request.source, request.target, is_new=True, plan=plan)
    key = f"{mount}{JOURNALS}{request.name}{PLAN}"
    drive.bucket.put_object(key, encoded(entry), Attributes())


def gone_on_with(drive: Drive, mount: str = "") -> None:
    with another(drive, prefix=mount) as tree:
        tree.journal_scanner.scan()
        drive.clock.advance(LEASE_SECONDS)
        tree.journal_scanner.scan()


def row(drive: Drive, key: str) -> ObjectRow:
    found = drive.bucket.lookup(key).row
    assert found
    return found


@pytest.fixture
def shared(drive: Drive) -> Drive:
    """A bucket of which a mount is a part."""
    for key, body in (OURS | OTHERS).items():
        drive.outside(key, body=body)
    drive.clock.advance(100)
    return drive


@pytest.mark.parametrize("key", OTHERS)
@pytest.mark.parametrize("request_", [MOVE, DELETE])
def test_a_journal_deletes_nothing_outside_the_mount(
    shared: Drive, key: str, request_: OperationRequest
) -> None:
    written(shared, NO_PLAN._replace(deletions=(row(shared, key),)), request_)
    gone_on_with(shared, "m/")
    assert bodies(shared) == OURS | OTHERS


def test_a_journal_copies_nothing_from_or_to_outside_the_mount(shared: Drive) -> None:
    secret, own = row(shared, "other/secret"), row(shared, "m/s/a")
    targets = NO_PLAN._replace(target_prefix="m/t/")
    for plan in (
        targets._replace(copies=(Copy(secret, "m/t/secret"),), deletions=(secret,)),
        targets._replace(copies=(Copy(own, "other/a"),), deletions=(own,)),
        targets._replace(marker="other/"),
        targets._replace(clashes=(secret,)),
        targets._replace(extras=(secret,), target_prefix="other/"),
        targets._replace(replaced=(row(shared, "m"),)),
    ):
        written(shared, plan)
        gone_on_with(shared, "m/")
        assert bodies(shared) == OURS | OTHERS
        assert not [key for key in shared.stored() if key.endswith(PLAN)]


def test_a_journal_touches_nothing_of_the_mount_that_its_request_does_not_name(
    shared: Drive,
) -> None:
    written(
        shared,
        NO_PLAN._replace(deletions=(row(shared, "m/s/a"),)),
        OperationRequest("DELETE", ("x",)),
    )
    gone_on_with(shared, "m/")
    assert bodies(shared) == OURS | OTHERS


def test_a_journal_does_nothing_but_what_was_asked_for(drive: Drive) -> None:
    """Whoever asks for one thing has no turn for another."""
    fill(drive)
    plan = NO_PLAN._replace(deletions=(row(drive, "s/a"),))
    body = encoded(
        JournalEntry(OperationRequest("DELETE", ("x",)), ("s",), (), is_new=True, plan=plan)
    )
    key = f"{JOURNALS}{OperationRequest('DELETE', ('x',)).name}{PLAN}"
    drive.bucket.put_object(key, body, Attributes())
    gone_on_with(drive)
    assert bodies(drive) == SOURCE
    assert journals(drive) == []


def test_journals_in_the_copy_of_a_mount_leave_the_first_mount_alone(drive: Drive) -> None:
    """Its journals come along with a backup."""
    fill(drive)
    die_after_the_copies(drive)
    [journal] = journals(drive)
    drive.bucket.copy_object(row(drive, journal), "copy/" + journal)
    before = bodies(drive)
    gone_on_with(drive, "copy/")
    assert bodies(drive) == before
    assert journals(drive) == [journal]


CHANGES: list[dict[str, Any]] = [
    {"source": [1]},
    {"source": []},
    {"source": ["..", "x"]},
    {"source": ["s/d"]},
    {"source": ["s", "d"]},
    {"source": [".davbridge"]},
    {"target": "xx"},
    {"target": []},
    {"request": ["MOVE", [1], [2], "x"]},
    {"request": ["BREW", ["s"], ["t"], "x"]},
    {"request": ["MOVE", ["s"], ["t"], None]},
    {"request": ["MOVE", ["s"], ["t"]]},
    {"request": ["MOVE", ["s", "d"], ["t"], "x"]},
    {"rows": [[1, 2, 3, 4]], "leaving": [0]},
    {"rows": [["s/a", "1", 3, "4"]], "leaving": [0]},
    {"rows": [["s/a", 1, 1e300, None]]},
    {"rows": [["s/a", 1, 1, "e"]], "leaving": ["a"]},
    {"marker": 5},
    {"target_prefix": 5},
    {"kept": [[1]]},
    {"leaving": [-1]},
    {"format": 0},
    {"format": "1"},
]


def forged(**changes: Any) -> bytes:
    body = encoded(JournalEntry(MOVE, MOVE.source, MOVE.target, is_new=True, plan=NO_PLAN))
    return zlib.compress(json.dumps(json.loads(zlib.decompress(body)) | changes).encode())


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_an_object_that_is_no_journal_is_deleted_and_delays_no_other(
    drive: Drive, change: dict[str, Any]
) -> None:
    fill(drive)
    die_after_the_copies(drive)
    drive.bucket.put_object(f"{JOURNALS}{'0' * 32}{PLAN}", forged(**change), Attributes())
    gone_on_with(drive)
    assert bodies(drive) == moved(SOURCE)
    assert journals(drive) == []


@pytest.mark.parametrize("body", [b"", b"outside", forged(source=[1]), forged(rows=[[]])])
def test_a_damaged_journal_blocks_no_client(drive: Drive, body: bytes) -> None:
    fill(drive)
    drive.bucket.put_object(f"{JOURNALS}{MOVE.name}{PLAN}", body, Attributes())
    with another(drive) as tree:
        assert tree.move(parse("/s"), parse("/t")) == []
    assert bodies(drive) == moved(SOURCE)
    assert journals(drive) == []


DAMAGED = pytest.mark.parametrize("damaged", [b"outside", forged(source=[1])])


def replacing(drive: Drive, damaged: bytes) -> WatchedStore:
    """A store in which a bridge writes its journal right before a damaged one is deleted."""
    key = f"{JOURNALS}{MOVE.name}{PLAN}"
    drive.bucket.put_object(key, damaged, Attributes())
    store = WatchedStore(drive.bucket)

    def replace(operation: str, of: str) -> None:
        if (operation, of) == ("delete", key):
            store.before = lambda _operation, _key: None
            drive.bucket.delete_object(key)
            written(drive, NO_PLAN._replace(target_prefix="t/"), mount="")
            drive.bucket.put_object(f"{JOURNALS}{MOVE.name}{LEASE}", b"{}", Attributes())

    store.before = replace
    return store


JOURNAL = [f"{JOURNALS}{MOVE.name}{end}" for end in (LEASE, PLAN)]


@DAMAGED
def test_a_journal_that_replaces_a_damaged_one_is_spared(drive: Drive, damaged: bytes) -> None:
    fill(drive)
    with another(drive, store=replacing(drive, damaged)) as tree:
        tree.journal_scanner.scan()
        drive.clock.advance(LEASE_SECONDS)
        tree.journal_scanner.scan()
    assert journals(drive) == JOURNAL


@DAMAGED
def test_a_client_spares_a_journal_that_replaces_a_damaged_one(
    drive: Drive, damaged: bytes
) -> None:
    fill(drive)

    def pause(seconds: float) -> None:
        drive.clock.advance(seconds)
        if journals(drive) != JOURNAL[1:]:
            raise KilledError

    store = replacing(drive, damaged)
    with another(drive, pause, store) as tree, pytest.raises(KilledError):
        tree.move(parse("/s"), parse("/t"))
    assert journals(drive) == JOURNAL


@pytest.mark.parametrize("end", [LEASE, INCOMPLETE])
def test_an_object_that_replaces_a_damaged_journal_in_time_stays(drive: Drive, end: str) -> None:
    key = f"{JOURNALS}{MOVE.name}{end}"
    drive.outside(key, body=b"old")
    store = WatchedStore(drive.bucket)
    with another(drive, store=store) as tree:
        tree.journal_scanner.scan()
        drive.clock.advance(2 * INCOMPLETE_RECORD_AGE.total_seconds())

        def replace(operation: str, of: str) -> None:
            if (operation, of) == ("delete", key):
                drive.outside(key, body=b"new")

        store.before = replace
        tree.journal_scanner.scan()
    assert journals(drive) == [key]
    assert drive.content(key) == b"new"


def test_a_journal_of_a_later_davbridge_is_left_to_it(drive: Drive) -> None:
    fill(drive)
    key = f"{JOURNALS}{MOVE.name}{PLAN}"
    drive.bucket.put_object(key, forged(format=3), Attributes())
    gone_on_with(drive)
    with another(drive) as tree, pytest.raises(UnavailableError):
        tree.move(parse("/s"), parse("/t"))
    assert bodies(drive) == SOURCE
    assert journals(drive) == [key]


LATER = f"{JOURNALS}{'0' * 32}{PLAN}"


def of_a_later_davbridge(drive: Drive) -> None:
    """A journal, of nobody knows what."""
    drive.bucket.put_object(LATER, forged(format=3, request="?"), Attributes())


def test_a_later_davbridge_that_is_at_work_is_waited_for(drive: Drive) -> None:
    fill(drive)
    of_a_later_davbridge(drive)
    renewals = count()
    during: list[dict[str, bytes]] = []

    def pause(seconds: float) -> None:
        drive.clock.advance(seconds)
        during.append(bodies(drive))
        if next(renewals) < 100:
            drive.outside(LATER.replace(PLAN, LEASE), body=str(len(during)).encode())
        else:
            for key in journals(drive):
                drive.bucket.delete_object(key)

    with another(drive, pause) as tree:
        assert tree.move(parse("/s"), parse("/t")) == []
    assert len(during) > 100
    assert during.count(SOURCE) == len(during)
    assert bodies(drive) == moved(SOURCE)
    assert journals(drive) == []


def test_a_later_davbridge_that_has_died_keeps_nobody_waiting_and_its_journal_stays(
    drive: Drive,
) -> None:
    fill(drive)
    of_a_later_davbridge(drive)
    began = drive.clock.seconds()
    with another(drive) as tree:
        assert tree.move(parse("/s"), parse("/t")) == []
        assert LEASE_SECONDS <= drive.clock.seconds() - began < 2 * LEASE_SECONDS
        tree.journal_scanner.scan()
        began = drive.clock.seconds()
        assert tree.move(parse("/t"), parse("/s")) == []
        assert drive.clock.seconds() == began
    assert bodies(drive) == SOURCE
    assert journals(drive) == [LATER]


@pytest.mark.parametrize("verb", ["COPY", "MOVE"])
def test_members_that_a_later_davbridge_may_have_moved_stay(drive: Drive, verb: str) -> None:
    """Its MOVE may have stopped in the middle, from what is copied or moved over the rest here."""
    fill(drive)
    drive.outside("t/only", body=b"only")
    of_a_later_davbridge(drive)
    drive.clock.advance(100)
    with another(drive) as tree:
        operation = tree.copy if verb == "COPY" else tree.move
        assert operation(parse("/s"), parse("/t")) == []
    assert (moved(SOURCE) | {"t/only": b"only"}).items() <= bodies(drive).items()
    assert LATER in journals(drive)


def test_a_journal_under_another_name_is_not_resumed(drive: Drive) -> None:
    fill(drive)
    die_after_the_copies(drive)
    [key] = journals(drive)
    drive.bucket.copy_object(row(drive, key), f"{JOURNALS}{'0' * 32}{PLAN}")
    drive.bucket.delete_object(key)
    before = bodies(drive)
    gone_on_with(drive)
    assert bodies(drive) == before
    assert journals(drive) == []
