"""What others write at the very moment of a COPY, MOVE or DELETE isn't lost; nor is it a reason to
refuse what nobody made depend on it."""

from collections.abc import Callable
from itertools import count

import pytest

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.errors import NotFoundError, PreconditionFailedError, UnavailableError
from davbridge.paths import parse
from davbridge.store.memory import MemoryStore
from davbridge.tree.composition import Clocks
from davbridge.tree.namespace import Namespace
from davbridge.tree.operations.preconditions import Preconditions
from davbridge.tree.properties.sidecar_format import SIDECAR_NAME
from tests.support.objects import put
from tests.tree.conftest import Drive
from tests.tree.deaths import another

PROPERTY = {"{n}p": "<p xmlns='n'>x</p>"}


def at_each(drive: Drive, request: tuple[str, str], deed: Callable[[], object]) -> None:
    """Another program does something right before the store gets that request."""

    def before(operation: str, key: str) -> None:
        if (operation, key) == request:
            deed()

    drive.store.before = before


def at_the_first(drive: Drive, request: tuple[str, str], deed: Callable[[], object]) -> None:
    deeds = [deed]
    at_each(drive, request, lambda: deeds.pop()() if deeds else None)


@pytest.mark.parametrize("at", ["copy", "delete"])
@pytest.mark.parametrize("is_there", [False, True], ids=["new", "over another"])
def test_a_file_that_is_written_while_it_moves_moves_in_its_new_version(
    drive: Drive, at: str, is_there: bool
) -> None:
    drive.outside("a", body=b"old")
    if is_there:
        drive.outside("b", body=b"other")
    at_the_first(drive, (at, "a"), lambda: drive.outside("a", body=b"new"))
    assert drive.tree.move(parse("/a"), parse("/b")) == []
    assert drive.stored() == ["b"]
    assert drive.content("b") == b"new"


def test_a_file_that_is_written_all_the_time_is_not_moved_and_not_lost(drive: Drive) -> None:
    drive.outside("a", body=b"0")
    numbers = count(1)
    at_each(drive, ("delete", "a"), lambda: drive.outside("a", body=b"%d" % next(numbers)))
    with pytest.raises(UnavailableError):
        drive.tree.move(parse("/a"), parse("/b"))
    assert drive.stored() == ["a", "b"]
    assert drive.content("a") == b"%d" % (next(numbers) - 1)


def test_a_member_that_is_written_right_before_the_source_goes_is_left(drive: Drive) -> None:
    drive.outside("s/", "s/a", "s/b", body=b"old")
    at_the_first(drive, ("delete", "s/a"), lambda: drive.outside("s/b", body=b"new"))
    (failure,) = drive.tree.move(parse("/s"), parse("/t"))
    assert failure.path == ("s", "b")
    assert isinstance(failure.error, PreconditionFailedError)
    assert drive.content("s/b") == b"new"
    assert drive.content("t/b") == b"old"


def test_a_member_of_the_target_that_is_written_right_before_it_goes_is_left(drive: Drive) -> None:
    drive.outside("s/", "s/a", "t/", "t/x", body=b"old")
    at_the_first(drive, ("delete", "t/x"), lambda: drive.outside("t/x", body=b"new"))
    (failure,) = drive.tree.copy(parse("/s"), parse("/t"))
    assert failure.path == ("t", "x")
    assert drive.content("t/x") == b"new"


@pytest.mark.parametrize("operation", ["copy", "move", "delete"])
def test_a_file_that_must_be_one_version_is_not_touched_in_another(
    drive: Drive, operation: str
) -> None:
    drive.outside("a", body=b"old")
    preconditions = Preconditions(if_match=drive.tree.lookup(parse("/a")).etag)
    target = () if operation == "delete" else (parse("/b"),)
    moment = ("delete", "a") if operation == "delete" else ("copy", "a")
    at_the_first(drive, moment, lambda: drive.outside("a", body=b"new"))
    for _ in range(2):  # at that moment, and when the other version is known
        with pytest.raises(PreconditionFailedError):
            getattr(drive.tree, operation)(parse("/a"), *target, preconditions)
        assert drive.stored() == ["a"]
        assert drive.content("a") == b"new"


@pytest.mark.parametrize("is_there", [False, True], ids=["new", "over another"])
def test_one_of_two_bridges_that_move_a_file_has_moved_it(drive: Drive, is_there: bool) -> None:
    """The other's copy stays: it could be all that there is (see test_rivals)."""
    drive.outside("a", body=b"mine")
    if is_there:
        drive.outside("b", body=b"old")
    with another(drive) as other:
        at_the_first(drive, ("delete", "a"), lambda: other.move(parse("/a"), parse("/c")))
        with pytest.raises(NotFoundError):
            drive.tree.move(parse("/a"), parse("/b"))
    assert drive.stored() == ["b", "c"]
    assert drive.content("c") == b"mine"


def test_a_file_that_another_bridge_has_moved_to_one_name_stays_whatever_became_of_the_source(
    drive: Drive,
) -> None:
    drive.outside("a", body=b"mine")
    preconditions = Preconditions(if_match=drive.tree.lookup(parse("/a")).etag)

    def meanwhile() -> None:
        with another(drive) as other:
            other.move(parse("/a"), parse("/b"))
        drive.outside("a", body=b"new")

    at_the_first(drive, ("delete", "a"), meanwhile)
    with pytest.raises(PreconditionFailedError):
        drive.tree.move(parse("/a"), parse("/b"), preconditions)
    assert drive.content("a") == b"new"
    assert drive.content("b") == b"mine"


def test_a_second_attempt_replaces_nothing_but_what_the_first_has_made() -> None:
    """Also where the target's listing is kept, and shows the copy of the first."""
    drive = Drive()
    drive.outside("x/a", "x/b", "y/c", body=b"old")
    tree = Namespace(CachedStore(drive.store, CacheSettings()), uncached=drive.store)
    for collection in ((), ("x",), ("y",)):
        assert list(tree.members(collection))

    def meanwhile() -> None:
        drive.outside("x/a", body=b"new")
        drive.outside("y/a", body=b"theirs")

    at_the_first(drive, ("delete", "x/a"), meanwhile)
    with pytest.raises(PreconditionFailedError):
        tree.move(parse("/x/a"), parse("/y/a"), Preconditions(overwrite=False))
    assert drive.content("x/a") == b"new"
    assert drive.content("y/a") == b"theirs"
    tree.close()


@pytest.mark.parametrize("operation", ["copy", "move"])
def test_a_file_that_was_written_since_it_was_listed_replaces_a_folder_as_it_is(
    operation: str,
) -> None:
    bucket = MemoryStore()
    put(bucket, "a", "b/x", body=b"old")
    tree = Namespace(CachedStore(bucket, CacheSettings()), uncached=bucket)
    assert len(list(tree.members(()))) == 2
    put(bucket, "a", body=b"newer")
    assert getattr(tree, operation)(parse("/a"), parse("/b")) == []
    with bucket.get_object("b") as reader:
        assert reader.read(10) == b"newer"
    tree.close()


def test_one_of_two_bridges_that_delete_a_version_has_deleted_it(drive: Drive) -> None:
    drive.outside("a")
    preconditions = Preconditions(if_match=drive.tree.lookup(parse("/a")).etag)
    at_the_first(drive, ("delete", "a"), lambda: drive.bucket.delete_object("a"))
    with pytest.raises(PreconditionFailedError):
        drive.tree.delete(parse("/a"), preconditions)


@pytest.mark.parametrize("operation", ["copy", "move"])
def test_a_file_that_appears_at_the_target_is_not_replaced_without_overwrite(
    drive: Drive, operation: str
) -> None:
    drive.outside("a", body=b"mine")
    at_each(drive, ("copy", "a"), lambda: drive.outside("b", body=b"theirs"))
    for _ in range(2):
        with pytest.raises(PreconditionFailedError):
            getattr(drive.tree, operation)(parse("/a"), parse("/b"), Preconditions(overwrite=False))
        assert drive.content("a") == b"mine"
        assert drive.content("b") == b"theirs"


@pytest.mark.parametrize("operation", ["copy", "move"])
@pytest.mark.parametrize("is_kept", [False, True], ids=["meanwhile", "since it was listed"])
def test_a_file_that_has_come_to_a_free_target_is_replaced_with_overwrite(
    operation: str, is_kept: bool
) -> None:
    """RFC 4918 §10.6: Overwrite: T. A kept listing that shows nothing there is no refusal."""
    drive = Drive()
    drive.outside("x/a", "x/b", body=b"mine")
    tree = Namespace(
        CachedStore(drive.store, CacheSettings()),
        uncached=drive.store,
        clocks=Clocks(timer=drive.clock.seconds, now=drive.clock, pause=drive.clock.advance),
    )
    for collection in ((), ("x",)):
        assert list(tree.members(collection))
    if is_kept:
        drive.outside("b", body=b"theirs")
    else:
        at_the_first(drive, ("copy", "x/a"), lambda: drive.outside("b", body=b"theirs"))
    assert getattr(tree, operation)(parse("/x/a"), parse("/b")) == []
    assert drive.content("b") == b"mine"
    assert ("x/a" in drive.stored()) == (operation == "copy")
    tree.close()


@pytest.mark.parametrize("operation", ["copy", "move"])
def test_a_file_that_another_bridge_has_written_since_it_was_listed_is_taken_as_it_is(
    operation: str,
) -> None:
    bucket = MemoryStore()
    put(bucket, "a", body=b"old")
    tree = Namespace(CachedStore(bucket, CacheSettings()))
    assert [one.name for one in tree.members(())] == ["a"]
    put(bucket, "a", body=b"newer")
    assert getattr(tree, operation)(parse("/a"), parse("/b")) == []
    with bucket.get_object("b") as reader:
        assert reader.read(10) == b"newer"
    tree.close()


def test_the_last_property_does_not_take_with_it_what_another_bridge_gives_meanwhile(
    drive: Drive,
) -> None:
    drive.outside("a", "b")
    drive.tree.update_properties(parse("/a"), PROPERTY)
    other = Namespace(drive.bucket)
    moment = ("delete", SIDECAR_NAME)
    at_the_first(drive, moment, lambda: other.update_properties(parse("/b"), PROPERTY))
    drive.tree.delete(parse("/a"))
    assert drive.tree.properties(parse("/a")) == {}
    assert drive.tree.properties(parse("/b")) == PROPERTY
    other.close()
