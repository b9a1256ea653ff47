"""Operations that meet: a client that repeats itself, two clients on one tree."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import AbstractContextManager
from threading import Event

import pytest

from davbridge.errors import NotFoundError, UnavailableError
from davbridge.paths import parse
from davbridge.tree import path_locks as turns_module
from davbridge.tree.path_locks import LockScope, PathLocks
from tests.support.observers import Refusing, thread_reporting_to
from tests.tree.conftest import Drive

MOMENT = 0.2
"""Seconds in which what isn't held up would have come through."""

PATIENCE = 60.0

KINDS = ("changed", "read", "written", "properties_of")


def test_a_move_that_is_sent_again_while_it_runs_waits_and_finds_it_done(drive: Drive) -> None:
    drive.mkcol("/a")
    names = ("x", "y", "z")
    for name in names:
        drive.put(f"/a/{name}", name.encode())
    again: list[Future[object]] = []
    with ThreadPoolExecutor(1) as other:

        def send_again() -> None:
            """As a client whose patience ends when the first member has been deleted."""
            drive.bucket.delete_object("a/x")
            again.append(other.submit(drive.tree.move, parse("/a"), parse("/b")))
            assert not wait_for(again, MOMENT).done

        def before(operation: str, key: str) -> None:
            """The source is listed once more before it is deleted."""
            is_copied = len([key for key in drive.stored() if key.startswith("b/")]) > len(names)
            if (operation, key) == ("list", "a/") and is_copied and not again:
                send_again()

        drive.store.before = before
        assert drive.tree.move(parse("/a"), parse("/b")) == []
        assert isinstance(again[0].exception(PATIENCE), NotFoundError)
    assert {name: drive.content(f"b/{name}") for name in names} == {
        name: name.encode() for name in names
    }
    assert drive.kind("/a") is None


@pytest.mark.parametrize(
    ("first", "second", "waits"),
    [
        ((["a"], []), (["a"], []), True),
        ((["a"], []), (["a/b"], []), True),
        ((["a/b"], []), (["a"], []), True),
        ((["a/b"], []), (["a/c"], []), False),
        ((["a"], []), (["ab"], []), False),
        ((["x"], ["a"]), (["y"], ["a"]), False),
        ((["x"], ["a"]), (["a/b"], []), True),
        ((["a/b"], []), (["x"], ["a"]), True),
    ],
)
def test_operations_wait_where_one_changes_what_the_other_reads_or_changes(
    first: tuple[list[str], list[str]], second: tuple[list[str], list[str]], waits: bool
) -> None:
    path_locks, entered = PathLocks(), Event()

    def enter() -> None:
        with path_locks.hold(changed=map(parse, second[0]), read=map(parse, second[1])):
            entered.set()

    with ThreadPoolExecutor(1) as other:
        with path_locks.hold(changed=map(parse, first[0]), read=map(parse, first[1])):
            other.submit(enter)
            assert entered.wait(MOMENT if waits else PATIENCE) is not waits
        assert entered.wait(PATIENCE)


def test_operations_that_wait_are_not_overtaken() -> None:
    path_locks, order = PathLocks(), list[str]()
    leave = Event()

    def take(name: str, changed: list[str], read: list[str]) -> None:
        with path_locks.hold(changed=map(parse, changed), read=map(parse, read)):
            order.append(name)
            leave.wait(PATIENCE)

    with ThreadPoolExecutor(3) as threads:
        for name, changed, read in (
            ("reader", [], ["a"]),
            ("writer", ["a"], []),
            ("late", [], ["a"]),
        ):
            threads.submit(take, name, changed, read)
            Event().wait(MOMENT)
        leave.set()
    assert order == ["reader", "writer", "late"]


@pytest.mark.parametrize("names", [["a"], ["a/b", "a/c"]], ids=["one tree", "inside of it"])
def test_a_bounded_number_of_operations_waits_for_one_path_and_keeps_out_no_other(
    names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns_module, "MOST_WAITING", 4)
    path_locks = PathLocks()

    def take(number: int) -> bool:
        with path_locks.hold(changed=[parse(names[number % len(names)])]):
            return True

    with ThreadPoolExecutor(4) as threads:
        with path_locks.hold(changed=[parse("a")]):
            waiting = [threads.submit(take, number) for number in range(4)]
            assert not wait_for(waiting, MOMENT).done
            for number in range(2):
                with pytest.raises(UnavailableError):
                    take(number)
            with path_locks.hold(changed=[parse("b")]):
                pass
        assert all(each.result(PATIENCE) for each in waiting)
        assert take(0)


def test_a_path_lock_ends_with_an_error() -> None:
    path_locks = PathLocks()
    with pytest.raises(RuntimeError), path_locks.hold(changed=[("a",)]):
        raise RuntimeError
    with path_locks.hold(changed=[("a",)]):
        pass


def test_a_write_into_a_tree_waits_only_while_it_is_shut() -> None:
    path_locks, written = PathLocks(), Event()

    def write() -> None:
        with path_locks.hold(written=[("a", "f")]):
            written.set()

    with ThreadPoolExecutor(1) as other, path_locks.hold(changed=[("a",)]):
        other.submit(write)
        assert written.wait(PATIENCE)
        written.clear()
        with path_locks.exclude_writes(("a",)):
            with path_locks.hold(written=[("ab",)]):
                other.submit(write)
            assert not written.wait(MOMENT)
        assert written.wait(PATIENCE)


def test_a_tree_is_shut_once_writes_at_work_have_ended_and_before_those_that_wait() -> None:
    path_locks, exclude_writes, late = PathLocks(), Event(), ("a", "late")

    def change() -> None:
        with path_locks.hold(changed=[late]):
            pass

    def write() -> None:
        with path_locks.hold(written=[late]):
            pass

    def shut_it() -> None:
        with path_locks.exclude_writes(("a",)):
            exclude_writes.set()

    with ThreadPoolExecutor(3) as others, path_locks.hold(changed=[("a",)]):
        others.submit(change)  # Waits for the lock around it;
        Event().wait(MOMENT)
        others.submit(write)  # and this one for that.
        with path_locks.hold(written=[("a", "first")]):
            others.submit(shut_it)
            assert not exclude_writes.wait(MOMENT)
        assert exclude_writes.wait(PATIENCE)


def path_lock(path_locks: PathLocks, kind: str, text: str) -> AbstractContextManager[None]:
    paths = {each: [parse(text)] if each == kind else [] for each in KINDS}
    changed, read, written, properties_of = (paths[each] for each in KINDS)
    return path_locks.hold(changed=changed, read=read, written=written, properties_of=properties_of)


def waits(second: Callable[[], AbstractContextManager[None]]) -> bool:
    """Whether another thread waits with this, for as long as the locks around the call are held."""
    entered = Event()

    def enter() -> None:
        with second():
            entered.set()

    threads = ThreadPoolExecutor(1)
    threads.submit(enter)
    threads.shutdown(wait=False)
    return not entered.wait(MOMENT)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (("written", "a"), ("written", "a"), True),
        (("written", "a"), ("written", "a/b"), False),
        (("written", "a"), ("properties_of", "a"), True),
        (("properties_of", "a"), ("properties_of", "a"), False),
        (("properties_of", "a/b"), ("changed", "a"), True),
        (("changed", "a"), ("properties_of", "a"), True),
        (("changed", "a"), ("properties_of", "a/b/c"), True),
        (("changed", "a/b"), ("properties_of", "a"), False),
        (("read", "a"), ("properties_of", "a/b"), False),
        (("changed", "a"), ("written", "a/b"), False),
        (("changed", "a"), ("written", "a"), True),
    ],
)
def test_path_locks_that_overlap_wait_for_each_other(
    first: tuple[str, str], second: tuple[str, str], expected: bool
) -> None:
    path_locks = PathLocks()
    with path_lock(path_locks, *first):
        assert waits(lambda: path_lock(path_locks, *second)) is expected


@pytest.mark.parametrize(
    ("at_work", "path", "is_deep", "expected"),
    [
        (("written", "a"), "a", False, True),
        (("written", "a/b"), "a", False, True),
        (("written", "a/b/c"), "a", False, False),
        (("written", "a/b/c"), "a", True, True),
        (("written", "a"), "a/b", True, False),
        (("properties_of", "a/b/c"), "a", True, True),
        (("changed", "a"), "a/b/c", False, True),
        (("changed", "a/b/c"), "a", False, False),
        (("changed", "a/b/c"), "a", True, True),
        (("changed", "ab"), "a", True, False),
        (("read", "a"), "a", True, False),
    ],
)
def test_a_lock_waits_for_what_is_at_work_in_its_scope(
    at_work: tuple[str, str], path: str, is_deep: bool, expected: bool
) -> None:
    path_locks, scope = PathLocks(), LockScope(parse(path), is_deep)
    with path_lock(path_locks, *at_work):
        assert waits(lambda: path_locks.without_writes(scope)) is expected
    with path_locks.without_writes(scope):
        assert waits(lambda: path_lock(path_locks, *at_work)) is expected


def test_a_lock_is_granted_before_operations_that_still_wait() -> None:
    path_locks, order = PathLocks(), list[str]()

    def change() -> None:
        with path_locks.hold(changed=[("a",)]):
            order.append("change")

    def lock() -> None:
        with path_locks.without_writes(LockScope(("a",), is_deep=True)):
            order.append("lock")

    with ThreadPoolExecutor(2) as others, path_locks.hold(read=[("a",)]):
        others.submit(change)
        Event().wait(MOMENT)
        others.submit(lock).result(PATIENCE)
    assert order == ["lock", "change"]


def test_a_lock_that_waits_for_an_operation_keeps_no_write_waiting() -> None:
    path_locks = PathLocks()

    def lock() -> None:
        with path_locks.without_writes(LockScope((), is_deep=True)):
            pass

    with ThreadPoolExecutor(1) as others, path_locks.hold(changed=[("a",)]):
        locked = others.submit(lock)
        assert not wait_for([locked], MOMENT).done
        assert not waits(lambda: path_locks.hold(written=[("b",)]))


def test_a_lock_that_waits_for_an_operation_goes_before_the_next() -> None:
    """Or one after another would begin while the one before is at work, and none be the last."""
    path_locks, order = PathLocks(), list[str]()

    def enter(name: str, path_lock: AbstractContextManager[None]) -> None:
        with path_lock:
            order.append(name)

    with ThreadPoolExecutor(3) as others, path_locks.hold(changed=[("a", "b")]):
        others.submit(enter, "lock", path_locks.without_writes(LockScope(("a",), is_deep=True)))
        Event().wait(MOMENT)
        others.submit(enter, "inside", path_locks.hold(changed=[("a", "c")]))
        Event().wait(MOMENT)
        others.submit(enter, "outside", path_locks.hold(changed=[("d",)])).result(PATIENCE)
    assert order == ["outside", "lock", "inside"]


def test_a_lock_that_may_not_wait_keeps_nobody_waiting() -> None:
    path_locks = PathLocks()

    def lock() -> None:
        with path_locks.without_writes(LockScope((), is_deep=True)):
            pass

    with path_locks.hold(changed=[("a", "b")]):
        with thread_reporting_to(Refusing()) as thread, pytest.raises(UnavailableError):
            thread.submit(lock).result(PATIENCE)
        with path_locks.hold(changed=[("a", "c")]):
            pass


def test_a_lock_that_waits_for_a_write_goes_before_the_next() -> None:
    path_locks, order = PathLocks(), list[str]()

    def enter(name: str, path_lock: AbstractContextManager[None]) -> None:
        with path_lock:
            order.append(name)

    with ThreadPoolExecutor(2) as others, path_locks.hold(written=[("a",)]):
        others.submit(enter, "lock", path_locks.without_writes(LockScope((), is_deep=True)))
        Event().wait(MOMENT)
        others.submit(enter, "write", path_locks.hold(written=[("b",)]))
        Event().wait(MOMENT)
    assert order == ["lock", "write"]


def test_a_member_written_while_its_tree_is_moved_away_is_lost_at_no_moment(drive: Drive) -> None:
    """Between the last look at the source and its delete, too."""
    drive.mkcol("/a")
    drive.put("/a/f", b"old")
    drive.put("/a/g", b"other")
    writes: list[Future[None]] = []
    with ThreadPoolExecutor(1) as other:

        def before(operation: str, key: str) -> None:
            if operation == "delete" and not writes:
                writes.append(other.submit(drive.put, "/a/f", b"new"))
                wait_for(writes, MOMENT)

        drive.store.before = before
        drive.tree.move(parse("/a"), parse("/b"))
        writes[0].result(PATIENCE)
    assert drive.content("b/f") == b"old"
    assert drive.content("a/f") == b"new"
