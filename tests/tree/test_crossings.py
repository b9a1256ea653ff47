"""Two or three bridges that move the same files and folders in opposite directions.

One bridge is held at each of its requests in turn, while another does all of its work; then it goes
on, with whatever it knew before. Nothing may vanish, equal contents included: S3's conditions tell
bytes, and not objects.
"""

from collections.abc import Callable
from itertools import count

import pytest

from davbridge.errors import StoreError
from davbridge.paths import parse
from davbridge.store.base import Attributes
from davbridge.tree.journal.lease_monitor import LEASE_SECONDS
from davbridge.tree.namespace import Namespace
from davbridge.tree.operations.preconditions import Preconditions
from davbridge.tree.steps.operation_steps import LATE_DELETE_SECONDS
from tests.tree.conftest import Drive
from tests.tree.deaths import another, bodies
from tests.tree.wrappers import WatchedStore

REQUESTS = 24
"""More than any of these operations makes: the last ones are held at nothing."""


def at(store: WatchedStore, number: int, operation: Callable[[], object]) -> None:
    """Just before the request of this number."""
    numbers = count()

    def before(_operation: str, _key: str) -> None:
        if next(numbers) == number:
            operation()

    store.before = before


def tried(operation: Callable[[], object]) -> bool:
    """Whether it went well."""
    try:
        return not operation()
    except StoreError:
        return False


def mover(tree: Namespace, source: str, target: str) -> Callable[[], object]:
    return lambda: tried(lambda: tree.move(parse(source), parse(target)))


@pytest.mark.parametrize("number", range(REQUESTS))
@pytest.mark.parametrize("is_old", [True, False], ids=["old", "just written"])
def test_two_equal_files_moved_onto_one_another_leave_one(
    drive: Drive, number: int, is_old: bool
) -> None:
    drive.outside("f", "g", body=b"equal")
    drive.clock.advance(100 if is_old else 0)
    with another(drive) as other:
        at(drive.store, number, mover(other, "/g", "/f"))
        tried(lambda: drive.tree.move(parse("/f"), parse("/g")))
    assert set(bodies(drive).values()) == {b"equal"}


@pytest.mark.parametrize("number", range(REQUESTS))
def test_a_file_moved_back_while_it_moves_is_there_once(drive: Drive, number: int) -> None:
    drive.outside("f", body=b"only")
    drive.clock.advance(100)
    with another(drive) as other:
        at(drive.store, number, mover(other, "/g", "/f"))
        assert tried(lambda: drive.tree.move(parse("/f"), parse("/g")))
    assert list(bodies(drive).values()) == [b"only"]


@pytest.mark.parametrize("number", range(REQUESTS))
def test_a_file_that_is_replaced_by_an_equal_one_while_it_moves_is_not_lost(
    drive: Drive, number: int
) -> None:
    drive.outside("f", "x", body=b"equal")
    drive.clock.advance(100)
    with another(drive) as other:
        at(drive.store, number, mover(other, "/x", "/f"))
        tried(lambda: drive.tree.move(parse("/f"), parse("/g")))
        tried(lambda: other.delete(parse("/g")))
    if not bodies(drive):
        # All of it was asked for: x to f, f to g, and g away.
        assert drive.tree.find(parse("/x")) is None


@pytest.mark.parametrize("number", range(REQUESTS))
@pytest.mark.parametrize("is_old", [True, False], ids=["old", "just written"])
def test_a_file_moved_back_over_what_has_replaced_it_meanwhile_is_not_lost(
    drive: Drive, number: int, is_old: bool
) -> None:
    """The MOVE's delete of `/f` names bytes: they are there once more."""
    drive.outside("f", body=b"only")
    drive.outside("g", body=b"replaced")
    drive.clock.advance(100 if is_old else 0)
    copied: list[bool] = []
    with another(drive) as other:

        def replace_and_move_back() -> None:
            copied.append(drive.content("g") == b"only")
            drive.outside("f", body=b"other")
            tried(lambda: other.move(parse("/g"), parse("/f")))

        at(drive.store, number, replace_and_move_back)
        tried(lambda: drive.tree.move(parse("/f"), parse("/g")))
    found = set(bodies(drive).values())
    assert b"only" in found if copied == [True] else found


@pytest.mark.parametrize("number", range(2 * REQUESTS))
@pytest.mark.parametrize("is_of_folder", [True, False], ids=["folder", "file"])
def test_a_member_moved_back_over_what_has_replaced_it_meanwhile_is_not_lost(
    drive: Drive, number: int, is_of_folder: bool
) -> None:
    """A folder is moved away and its member back, or the reverse."""
    drive.outside("s/f", body=b"only")
    drive.outside("t/f", body=b"replaced")
    ways = [("/s", "/t"), ("/t/f", "/s/f")] if is_of_folder else [("/s/f", "/t/f"), ("/t", "/s")]
    (source, target), (source_back, target_back) = ways
    copied: list[bool] = []
    with another(drive) as other:

        def replace_and_move_back() -> None:
            copied.append(drive.content("t/f") == b"only")
            drive.outside("s/f", body=b"other")
            tried(lambda: other.move(parse(source_back), parse(target_back)))

        at(drive.store, number, replace_and_move_back)
        tried(lambda: drive.tree.move(parse(source), parse(target)))
    assert copied != [True] or b"only" in bodies(drive).values()


@pytest.mark.parametrize("number", range(2 * REQUESTS))
@pytest.mark.parametrize("is_of_folder", [True, False], ids=["folder", "file"])
def test_a_file_moved_back_long_after_its_copy_was_made_is_not_lost(
    drive: Drive, number: int, is_of_folder: bool
) -> None:
    """The MOVE was paused for ten seconds between its copies and its deletes."""
    drive.outside("s/f", body=b"only")
    drive.outside("s/g", "t/h")
    drive.clock.advance(100)
    source, target = ("/s", "/t") if is_of_folder else ("/s/f", "/t/f")
    numbers = count()
    copied: list[bool] = []
    with another(drive) as other:

        def replace_and_move_back() -> None:
            if copied and "s/f" in drive.stored():
                drive.outside("s/f", body=b"other")
                tried(lambda: other.move(parse("/t/f"), parse("/s/f")))

        def before(_operation: str, _key: str) -> None:
            if not copied and "t/f" in drive.stored():
                copied.append(True)
                drive.clock.advance(10)
            if next(numbers) == number:
                replace_and_move_back()

        drive.store.before = before
        tried(lambda: drive.tree.move(parse(source), parse(target)))
    assert b"only" in bodies(drive).values()


@pytest.mark.parametrize("number", range(REQUESTS))
@pytest.mark.parametrize("back", ["move", "put"])
def test_a_file_that_was_taken_on_from_the_target_is_not_moved_once_more(
    drive: Drive, number: int, back: str
) -> None:
    """The source is there again by then, and something else at the target."""
    drive.outside("f", body=b"only")
    drive.clock.advance(100)
    taken: list[bool] = []
    with another(drive) as other:

        def take_on() -> None:
            target = "/f" if back == "move" else "/h"
            if tried(lambda: other.move(parse("/g"), parse(target))):
                taken.append(True)
                drive.outside("g", body=b"new")
                if back == "put":
                    drive.outside("f", body=b"newer")

        at(drive.store, number, take_on)
        assert tried(lambda: drive.tree.move(parse("/f"), parse("/g")))
    if taken:
        assert b"new" in bodies(drive).values()
        assert b"only" in bodies(drive).values()


@pytest.mark.parametrize("is_own", [True, False])
def test_only_a_file_that_others_have_written_just_now_waits_for_late_deletes(
    drive: Drive, is_own: bool
) -> None:
    drive.outside("g", body=b"old")
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        drive.clock.advance(seconds)

    with another(drive, pause=pause) as tree:
        if is_own:
            writer = tree.open_writer(parse("/f"), Attributes(), length=1)
            writer.write(b"n")
            writer.commit()
        else:
            drive.outside("f", body=b"n")
        drive.clock.advance(2)
        tree.move(parse("/f"), parse("/g"))
        tree.copy(parse("/g"), parse("/h"))
        tree.move(parse("/h"), parse("/f"))
    assert pauses == ([] if is_own else [LATE_DELETE_SECONDS])
    assert set(bodies(drive).values()) == {b"n"}


def test_a_file_that_was_written_in_this_second_moves_under_a_condition(drive: Drive) -> None:
    """Over one that was written in it as well."""
    drive.outside("f", "g", body=b"theirs")
    drive.outside("f", body=b"mine")
    etag = drive.bucket.head_object("f").row.etag
    with another(drive) as tree:
        assert tree.move(parse("/f"), parse("/g"), Preconditions(etag)) == []
    assert bodies(drive) == {"g": b"mine"}


@pytest.mark.parametrize("first", range(0, REQUESTS, 2))
@pytest.mark.parametrize("second", range(0, REQUESTS, 2))
def test_three_equal_files_moved_in_a_circle_leave_one(
    drive: Drive, first: int, second: int
) -> None:
    drive.outside("f", "g", "h", body=b"equal")
    drive.clock.advance(100)
    store = WatchedStore(drive.bucket)
    with another(drive, store=store) as one, another(drive) as two:
        at(store, second, mover(two, "/h", "/f"))
        at(drive.store, first, mover(one, "/g", "/h"))
        tried(lambda: drive.tree.move(parse("/f"), parse("/g")))
    assert set(bodies(drive).values()) == {b"equal"}


@pytest.mark.parametrize("number", range(2 * REQUESTS))
def test_two_equal_folders_moved_onto_one_another_leave_their_members(
    drive: Drive, number: int
) -> None:
    for name in ("1", "2", "d/3"):
        drive.outside(f"s/{name}", f"t/{name}", body=name.encode())
    drive.clock.advance(100)
    with another(drive) as other:
        at(drive.store, number, mover(other, "/t", "/s"))
        tried(lambda: drive.tree.move(parse("/s"), parse("/t")))
    assert {b"1", b"2", b"d/3"} <= set(bodies(drive).values())


@pytest.mark.parametrize("number", range(2 * REQUESTS))
def test_a_folder_moved_back_while_it_moves_is_there_once(drive: Drive, number: int) -> None:
    drive.outside("s/", "s/1", "s/2", "s/d/3")
    before = sorted(bodies(drive).values())
    drive.clock.advance(100)
    with another(drive) as other:
        at(drive.store, number, mover(other, "/t", "/s"))
        tried(lambda: drive.tree.move(parse("/s"), parse("/t")))
        other.journal_scanner.scan()
        drive.clock.advance(LEASE_SECONDS)
        other.journal_scanner.scan()
    assert sorted(bodies(drive).values()) == before


@pytest.mark.parametrize("number", range(2 * REQUESTS))
def test_a_file_moved_out_of_a_folder_that_moves_is_not_lost(drive: Drive, number: int) -> None:
    drive.outside("s/1", "s/2", body=b"x")
    drive.outside("s/3", body=b"only")
    drive.clock.advance(100)
    with another(drive) as other:
        at(drive.store, number, mover(other, "/s/3", "/3"))
        tried(lambda: drive.tree.move(parse("/s"), parse("/t")))
    assert b"only" in bodies(drive).values()


@pytest.mark.parametrize("number", range(REQUESTS))
def test_a_copy_back_of_a_file_that_moves_stays_or_is_moved_as_well(
    drive: Drive, number: int
) -> None:
    drive.outside("b", body=b"only")
    drive.clock.advance(100)
    copied: list[bool] = []
    with another(drive) as other:

        def copy_back() -> None:
            copied.append(tried(lambda: other.copy(parse("/c"), parse("/b"))))

        at(drive.store, number, copy_back)
        is_moved = tried(lambda: drive.tree.move(parse("/b"), parse("/c")))
    assert "c" in bodies(drive) or not is_moved
    if copied == [True]:
        assert "b" in bodies(drive) or is_moved
    assert set(bodies(drive).values()) == {b"only"}


def test_a_delete_that_was_stopped_spares_what_was_written_since(drive: Drive) -> None:
    """Another bridge has deleted the folder meanwhile, and users have begun it anew."""
    drive.outside("s/", "s/1", "s/2", body=b"old")
    drive.clock.advance(100)

    def before(operation: str, _key: str) -> None:
        if operation != "delete":
            return
        drive.store.before = lambda _operation, _key: None
        drive.clock.advance(60)
        with another(drive) as other:
            other.delete(parse("/s"))
        drive.outside("s/1", "s/2", "s/3", body=b"new")

    drive.store.before = before
    assert not tried(lambda: drive.tree.delete(parse("/s")))
    assert bodies(drive) == {"s/1": b"new", "s/2": b"new", "s/3": b"new"}
