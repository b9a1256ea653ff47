"""Used bytes and the quota."""

import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from threading import Event

import pytest

from davbridge.errors import OutOfSpaceError, PreconditionFailedError, UnavailableError
from davbridge.paths import parse
from davbridge.store.base import IF_ABSENT, Attributes
from davbridge.tree.writes.bounded_writer import FileWriter
from davbridge.tree.writes.quota import AccountInfo
from davbridge.tree.writes.usage import RECOUNT_AFTER, RETRY_AFTER
from tests.support.waiting import PATIENCE
from tests.tree.conftest import Drive

MOMENT = 0.2
"""Seconds in which a close that doesn't wait would have come through."""


@pytest.fixture
def drive() -> Iterator[Drive]:
    drive = Drive(prefix="mount/", quota=100)
    drive.outside("elsewhere", body=b"x" * 500)
    drive.outside("mount/a", body=b"x" * 30)
    drive.outside("mount/d/b", body=b"x" * 10)
    yield drive
    drive.tree.close()


def counted(drive: Drive) -> int | None:
    """The used bytes, once the count that asking begins is done."""
    drive.tree.used_bytes()
    for thread in threading.enumerate():
        if thread.name == "davbridge-usage":
            thread.join()
    return drive.tree.used_bytes()


def test_seed_get_used_space_is_counted_in_the_background(drive: Drive) -> None:
    may_go_on = Event()
    went_on: list[bool] = []
    drive.store.before = lambda operation, key: went_on.append(may_go_on.wait(PATIENCE))
    assert drive.tree.used_bytes() is None
    assert went_on == []  # the store has not answered yet
    may_go_on.set()
    assert counted(drive) == 40


def test_seed_get_used_space_is_not_counted_on_every_call(drive: Drive) -> None:
    assert counted(drive) == 40
    drive.store.taken()
    drive.outside("mount/c", body=b"x" * 5)
    drive.clock.advance(RECOUNT_AFTER - 1)
    assert counted(drive) == 40
    assert drive.store.taken() == []
    drive.clock.advance(1)
    assert counted(drive) == 45


def test_seed_get_overall_space_is_the_quota(drive: Drive) -> None:
    assert drive.tree.available_bytes() is None
    assert counted(drive) == 40
    assert drive.tree.quota == 100
    assert drive.tree.available_bytes() == 60


def test_seed_account_info_has_used_and_available_space(drive: Drive) -> None:
    counted(drive)
    assert drive.tree.account_info() == AccountInfo(used=40, quota=100, available=60)


def test_available_space_is_unknown_without_a_quota() -> None:
    drive = Drive()
    assert counted(drive) == 0
    assert drive.tree.available_bytes() is None
    drive.tree.close()


def test_the_used_space_follows_our_own_writes(drive: Drive) -> None:
    counted(drive)
    drive.put("/a", b"x" * 20)
    assert drive.tree.used_bytes() == 30
    drive.tree.copy(parse("/d"), parse("/e"))
    assert drive.tree.used_bytes() == 40
    drive.tree.move(parse("/d"), parse("/a"))
    assert drive.tree.used_bytes() == 20
    drive.tree.delete(parse("/e"))
    assert drive.tree.used_bytes() == 10
    drive.clock.advance(RECOUNT_AFTER)
    assert counted(drive) == 10


def test_a_put_over_the_quota_is_refused_before_its_body(drive: Drive) -> None:
    counted(drive)
    with pytest.raises(OutOfSpaceError):
        drive.tree.open_writer(parse("/new"), Attributes(), length=61)
    drive.tree.open_writer(parse("/new"), Attributes(), length=60).abort()
    drive.tree.open_writer(parse("/a"), Attributes(), length=90).abort()
    with pytest.raises(OutOfSpaceError):
        drive.tree.open_writer(parse("/a"), Attributes(), length=91)


def test_a_body_of_unknown_length_stops_at_the_quota(drive: Drive) -> None:
    counted(drive)
    writer = drive.tree.open_writer(parse("/new"), Attributes())
    writer.write(b"x" * 60)
    with pytest.raises(OutOfSpaceError):
        writer.write(b"x")
    writer.abort()
    assert drive.kind("/new") is None


def test_a_copy_over_the_quota_is_refused_before_it_begins(drive: Drive) -> None:
    drive.outside("mount/d/c", body=b"x" * 45)
    counted(drive)
    with pytest.raises(OutOfSpaceError):
        drive.tree.copy(parse("/d"), parse("/e"))
    assert drive.kind("/e") is None
    assert drive.tree.move(parse("/d"), parse("/e")) == []


def sending(drive: Drive, path: str, size: int, length: int | None = None) -> FileWriter:
    """A body that has come, and isn't committed yet."""
    writer = drive.tree.open_writer(parse(path), Attributes(), length=length)
    writer.write(b"x" * size)
    return writer


def test_an_announced_body_counts_while_it_arrives(drive: Drive) -> None:
    counted(drive)
    first = drive.tree.open_writer(parse("/f0"), Attributes(), length=25)
    sending(drive, "/f1", 25, 25)
    for number in range(2, 10):
        with pytest.raises(OutOfSpaceError):
            drive.tree.open_writer(parse(f"/f{number}"), Attributes(), length=25)
    assert drive.tree.available_bytes() == 10
    first.abort()
    first.abort()
    assert drive.tree.available_bytes() == 35
    sending(drive, "/f2", 25, 25).commit()
    assert drive.tree.used_bytes() == 65
    assert drive.tree.available_bytes() == 10


def test_a_body_without_a_length_counts_as_it_arrives(drive: Drive) -> None:
    counted(drive)
    first, second = sending(drive, "/f0", 30), sending(drive, "/f1", 30)
    for writer in (first, second):
        with pytest.raises(OutOfSpaceError):
            writer.write(b"x")
    for writer in (first, second):
        with pytest.raises(OutOfSpaceError):
            writer.commit()
    assert drive.tree.available_bytes() == 60
    assert drive.names() == ["a", "d/"]


def test_a_body_that_could_not_be_committed_counts_no_more(drive: Drive) -> None:
    counted(drive)
    drive.outside("mount/f")
    writer = drive.tree.open_writer(parse("/f"), Attributes(), IF_ABSENT, length=40)
    writer.write(b"x" * 40)
    with pytest.raises(PreconditionFailedError):
        writer.commit()
    assert drive.tree.available_bytes() == 60
    drive.store.fault = lambda operation, key: UnavailableError("no")
    with pytest.raises(UnavailableError):
        drive.tree.open_writer(parse("/g"), Attributes(), length=40)
    assert drive.tree.available_bytes() == 60


def test_many_bodies_for_one_name_count_once(drive: Drive) -> None:
    counted(drive)
    writers = [sending(drive, "/f", 50, 50) for _ in range(12)]
    assert drive.tree.available_bytes() == 10
    for writer in writers:
        writer.commit()
        assert drive.tree.used_bytes() == 90
    assert drive.tree.available_bytes() == 10


def test_a_body_replaces_what_is_there_when_it_is_committed(drive: Drive) -> None:
    counted(drive)
    shorter, longer = sending(drive, "/a", 10), sending(drive, "/a", 50)
    longer.commit()
    assert drive.tree.used_bytes() == 60
    shorter.commit()
    assert drive.tree.used_bytes() == 20


def test_a_body_whose_old_version_has_gone_meanwhile_may_have_no_room_left(drive: Drive) -> None:
    counted(drive)
    writer = sending(drive, "/a", 90, 90)
    drive.tree.delete(parse("/a"))
    drive.outside("mount/a", body=b"x" * 20)
    drive.clock.advance(RECOUNT_AFTER)
    assert counted(drive) == 30
    writer.commit()
    assert drive.tree.used_bytes() == 100
    late = sending(drive, "/a", 90, 90)
    drive.tree.delete(parse("/a"))
    drive.outside("mount/c", body=b"x" * 20)
    drive.clock.advance(RECOUNT_AFTER)
    assert counted(drive) == 30
    with pytest.raises(OutOfSpaceError):
        late.commit()
    assert drive.kind("/a") is None


def test_a_copy_counts_while_it_is_made(drive: Drive) -> None:
    drive.outside("mount/d/c", body=b"x" * 20)
    counted(drive)
    at_work: list[int | None] = []

    def before(operation: str, _key: str) -> None:
        if operation == "copy" and not at_work:
            at_work.append(drive.tree.available_bytes())
            with pytest.raises(OutOfSpaceError):
                drive.tree.copy(parse("/a"), parse("/b"))

    drive.store.before = before
    assert drive.tree.copy(parse("/d"), parse("/e")) == []
    assert at_work == [10]
    assert drive.tree.available_bytes() == 10


def test_writes_of_this_process_count_before_the_first_count(drive: Drive) -> None:
    drive.store.fault = lambda operation, key: (
        UnavailableError("no") if operation == "list" else None
    )
    sending(drive, "/f0", 40, 40).commit()
    sending(drive, "/f1", 40, 40)
    with pytest.raises(OutOfSpaceError):
        drive.tree.open_writer(parse("/f2"), Attributes(), length=40)
    assert drive.tree.used_bytes() is None


def test_a_write_that_makes_nothing_grow_is_taken_whatever_the_quota(drive: Drive) -> None:
    drive.outside("mount/more", body=b"x" * 100)
    counted(drive)
    sending(drive, "/a", 30, 30).commit()
    sending(drive, "/a", 10).commit()
    assert drive.tree.used_bytes() == 120


def test_a_count_that_fails_is_logged_and_tried_again(
    drive: Drive, caplog: pytest.LogCaptureFixture
) -> None:
    drive.store.fault = lambda operation, key: UnavailableError("the network is gone")
    with caplog.at_level(logging.WARNING):
        assert counted(drive) is None
    assert "the network is gone" in caplog.text
    drive.store.fault = lambda operation, key: None
    drive.clock.advance(RETRY_AFTER - 1)
    assert counted(drive) is None
    drive.clock.advance(1)
    assert counted(drive) == 40


def test_close_stops_a_count_under_way(drive: Drive) -> None:
    drive.outside(*(f"mount/f{number}" for number in range(1500)))
    reached, may_go_on = Event(), Event()

    def wait(operation: str, key: str) -> None:
        reached.set()
        may_go_on.wait(60)

    drive.store.before = wait
    drive.tree.used_bytes()
    assert reached.wait(60)
    with ThreadPoolExecutor(1) as pool:
        closing = pool.submit(drive.tree.close)
        assert not wait_for([closing], MOMENT).done
        may_go_on.set()
    assert drive.store.taken() == ["list"]
    assert drive.tree.used_bytes() is None
