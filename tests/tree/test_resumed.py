"""A bridge dies in the middle, wherever that is: another one goes on, and nothing is lost."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count

from davbridge.paths import parse
from davbridge.tree.journals import LEASE_SECONDS
from davbridge.tree.namespace import Namespace
from davbridge.tree.reserved import HOUSE, is_housekeeping
from davbridge.tree.resource import Failure
from tests.tree.conftest import Drive
from tests.tree.wrappers import WatchedStore

SOURCE = {"s/": b"", "s/a": b"1", "s/b": b"22", "s/d/": b"", "s/d/c": b"333"}

COLOUR = {"{n}colour": "<colour xmlns='n'/>"}


class KilledError(BaseException):
    """kill -9: nothing that the bridge does afterwards reaches the store."""


def kill_at(drive: Drive, number: int) -> None:
    """At its request of this number, and at all later ones."""
    numbers = count()

    def before(_operation: str, _key: str) -> None:
        if next(numbers) >= number:
            raise KilledError

    drive.store.before = before


@contextmanager
def another(drive: Drive) -> Iterator[Namespace]:
    """A bridge that starts on the same bucket."""
    tree = Namespace(
        WatchedStore(drive.bucket),
        timer=drive.clock.seconds,
        now=drive.clock,
        pause=drive.clock.advance,
    )
    try:
        yield tree
    finally:
        tree.close()


def recovered(drive: Drive) -> None:
    """What a bridge that starts has done of itself after a while."""
    with another(drive) as tree:
        tree.recovery.look()
        drive.clock.advance(LEASE_SECONDS)
        tree.recovery.look()


def bodies(drive: Drive) -> dict[str, bytes]:
    keys = [key for key in drive.stored() if not is_housekeeping(key)]
    return {key: drive.content(key) for key in keys}


def moved(tree: Mapping[str, bytes]) -> dict[str, bytes]:
    return {"t" + key[1:]: body for key, body in tree.items()}


def fill(drive: Drive) -> None:
    for key, body in SOURCE.items():
        drive.outside(key, body=body)
    drive.clock.advance(100)


def has_source(drive: Drive) -> bool:
    return any(key.startswith("s/") for key in drive.stored())


def journals(drive: Drive) -> list[str]:
    return [key for key in drive.stored() if key.startswith(HOUSE)]


def deaths(operation: Callable[[Drive], object]) -> Iterator[Drive]:
    """Drives whose bridge has died in the operation: one for each request of it."""
    for number in count():
        drive = Drive()
        fill(drive)
        kill_at(drive, number)
        try:
            operation(drive)
        except KilledError:
            yield drive
            drive.tree.close()
        else:
            drive.tree.close()
            assert number > 5
            return


def move(drive: Drive) -> list[Failure]:
    return drive.tree.move(parse("/s"), parse("/t"), user="me")


def test_a_move_that_was_killed_is_finished_by_a_bridge_that_starts() -> None:
    for drive in deaths(move):
        was_begun = bool(journals(drive))
        recovered(drive)
        whole = moved(SOURCE) if was_begun or not has_source(drive) else SOURCE
        assert bodies(drive) == whole
        assert journals(drive) == []


def test_or_by_its_client_which_asks_again() -> None:
    for drive in deaths(move):
        is_over = not has_source(drive) and not journals(drive)
        with another(drive) as tree:
            if has_source(drive):
                assert tree.move(parse("/s"), parse("/t")) == []
            elif not is_over:
                outcome = tree.go_on("MOVE", parse("/s"), parse("/t"))
                assert outcome
                assert (outcome.failures, outcome.is_new) == ([], True)
        assert bodies(drive) == moved(SOURCE)
        assert journals(drive) == []


def test_what_was_written_after_the_death_stays() -> None:
    """The same bytes at the source, others at the target, and new ones at both."""
    for drive in deaths(move):
        was_begun = bool(journals(drive))
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


def test_nothing_is_deleted_whose_copy_somebody_has_removed() -> None:
    for drive in deaths(move):
        for key in drive.stored():
            if key.startswith("t/"):
                drive.bucket.delete_object(key)
        there = {body for key, body in bodies(drive).items() if key.startswith("s/")}
        recovered(drive)
        assert set(bodies(drive).values()) == there


def test_a_move_over_another_tree_is_finished_with_what_it_replaces() -> None:
    def over(drive: Drive) -> list[Failure]:
        return drive.tree.move(parse("/s"), parse("/o"))

    for number in count():
        drive = Drive()
        fill(drive)
        drive.outside("o/", "o/a", "o/extra", "o/d")
        drive.clock.advance(100)
        kill_at(drive, number)
        try:
            over(drive)
        except KilledError:
            pass
        else:
            break
        was_begun = bool(journals(drive))
        recovered(drive)
        if was_begun:
            assert bodies(drive) == {"o" + key[1:]: body for key, body in SOURCE.items()}
        else:
            assert SOURCE.items() <= bodies(drive).items() or not has_source(drive)
        drive.tree.close()


def painted(drive: Drive) -> list[Failure]:
    """A move of what has properties."""
    drive.store.before, kill = lambda _operation, _key: None, drive.store.before
    for path in ("/s", "/s/a"):
        drive.tree.update_properties(parse(path), COLOUR)
    drive.store.before = kill
    return move(drive)


def test_properties_go_along() -> None:
    for drive in deaths(painted):
        was_begun = bool(journals(drive))
        recovered(drive)
        folder = "t" if was_begun or not has_source(drive) else "s"
        with another(drive) as tree:
            for path in ((folder,), (folder, "a")):
                assert tree.properties(path) == COLOUR


def test_properties_that_were_set_after_the_death_stay() -> None:
    size = {"{n}size": "<size xmlns='n'/>"}
    for drive in deaths(painted):
        if "t/b" not in drive.stored() or not journals(drive):
            continue
        with another(drive) as tree:
            tree.update_properties(parse("/t/b"), size)
        recovered(drive)
        with another(drive) as tree:
            assert tree.properties(parse("/t/a")) == COLOUR
            assert tree.properties(parse("/t/b")) == size
        assert not has_source(drive)
