"""MOVE and DELETE, interrupted, repeated and raced: nothing that was acknowledged is lost."""

import threading
from collections.abc import Iterator

import pytest

from davbridge.errors import UnavailableError
from davbridge.paths import parse
from davbridge.tree.journal.entry import JOURNALS
from tests.tree.conftest import Drive


@pytest.fixture
def drive() -> Iterator[Drive]:
    drive = Drive()
    yield drive
    drive.tree.close()


def bodies(drive: Drive) -> dict[str, bytes]:
    return {key: drive.content(key) for key in drive.stored() if not key.endswith("/")}


def fill(drive: Drive, folder: str, names: str) -> None:
    drive.mkcol(folder)
    for name in names:
        drive.put(f"{folder}/{name}", name.encode())


def test_a_move_that_stopped_while_it_deleted_is_finished_by_another(drive: Drive) -> None:
    fill(drive, "/a", "xyz")
    drive.store.fault = lambda operation, key: (
        UnavailableError("gone") if (operation, key) == ("delete", "a/y") else None
    )
    assert drive.tree.move(parse("/a"), parse("/b"))
    assert [key for key in drive.stored() if key.startswith(JOURNALS)]
    drive.store.fault = lambda _operation, _key: None
    assert drive.tree.move(parse("/a"), parse("/b")) == []
    assert bodies(drive) == {"b/x": b"x", "b/y": b"y", "b/z": b"z"}
    assert drive.kind("/a") is None


def test_members_that_a_stopped_move_left_still_replace_any_other_target(drive: Drive) -> None:
    fill(drive, "/a", "xyz")
    fill(drive, "/c", "o")
    drive.store.fault = lambda operation, key: (
        UnavailableError("gone") if (operation, key) == ("delete", "a/y") else None
    )
    assert drive.tree.move(parse("/a"), parse("/b"))
    drive.store.fault = lambda _operation, _key: None
    assert drive.tree.move(parse("/a"), parse("/c")) == []
    assert {key for key in bodies(drive) if key.startswith("c/")} == {"c/y"}
    assert {key for key in bodies(drive) if key.startswith("b/")} == {"b/x", "b/y", "b/z"}


def test_journals_of_a_mount_inside_are_not_shown_and_not_copied(drive: Drive) -> None:
    fill(drive, "/a", "x")
    journal = f"a/{JOURNALS}0.plan"
    drive.outside(journal, body=b"{}")
    assert drive.names("/a") == ["x"]
    assert drive.kind(f"/{journal}") is None
    assert drive.tree.copy(parse("/a"), parse("/b")) == []
    assert bodies(drive) == {journal: b"{}", "a/x": b"x", "b/x": b"x"}
    assert drive.tree.delete(parse("/a")) == []
    assert drive.stored() == ["b/", "b/x"]


def test_objects_of_others_below_a_reserved_name_are_not_dropped(drive: Drive) -> None:
    fill(drive, "/a", "x")
    drive.outside("a/.davbridge/theirs")
    for failures in (drive.tree.move(parse("/a"), parse("/b")), drive.tree.delete(parse("/a"))):
        assert [each.path for each in failures] == [("a",)]
        assert "a/.davbridge/theirs" in drive.stored()


def test_a_put_during_a_move_of_its_file_comes_after_it(drive: Drive) -> None:
    drive.put("/f", b"old")
    writers: list[threading.Thread] = []

    def meanwhile(operation: str, key: str) -> None:
        if (operation, key) == ("delete", "f") and not writers:
            writers.append(threading.Thread(target=drive.put, args=("/f", b"new")))
            writers[0].start()
            writers[0].join(0.2)

    drive.store.before = meanwhile
    assert drive.tree.move(parse("/f"), parse("/g")) == []
    writers[0].join()
    assert bodies(drive) == {"f": b"new", "g": b"old"}


def test_the_undoing_of_a_move_spares_what_was_written_meanwhile(drive: Drive) -> None:
    fill(drive, "/a", "12")
    copied = threading.Event()

    def meanwhile(operation: str, key: str) -> None:
        if operation == "copy" and key == "a/2":
            copied.wait(5)
            drive.store.before = lambda _operation, _key: None
            drive.put("/b/1", b"acknowledged")

    drive.store.before = meanwhile
    drive.store.fault = lambda operation, key: (
        UnavailableError("gone") if (operation, key) == ("copy", "a/2") else None
    )
    watcher = threading.Thread(target=wait_for, args=(drive, "b/1", copied))
    watcher.start()
    assert drive.tree.move(parse("/a"), parse("/b"))
    watcher.join()
    assert bodies(drive) == {"a/1": b"1", "a/2": b"2", "b/1": b"acknowledged"}


def wait_for(drive: Drive, key: str, there: threading.Event) -> None:
    for _ in range(500):
        if key in drive.stored():
            break
        there.wait(0.01)
    there.set()


def test_the_last_two_members_that_go_at_once_leave_their_collection(drive: Drive) -> None:
    drive.outside("d/1", "d/2")
    done: list[str] = []

    def meanwhile(operation: str, key: str) -> None:
        if (operation, key) == ("delete", "d/1") and not done:
            done.append(key)
            other = threading.Thread(target=drive.tree.delete, args=(parse("/d/2"),))
            other.start()
            other.join()

    drive.store.before = meanwhile
    assert drive.tree.delete(parse("/d/1")) == []
    assert drive.kind("/d") == "collection"
    assert drive.stored() == ["d/"]
