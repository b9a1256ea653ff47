"""PROPPATCH beside DELETE and MOVE: it is done before and moves along, or it is refused. Over
another bridge it may be of a new resource, which keeps it."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from contextlib import suppress
from datetime import UTC, datetime
from itertools import count

import pytest

from davbridge.errors import NotFoundError
from davbridge.paths import parse
from davbridge.store.base import IF_ABSENT, Attributes, Condition
from davbridge.store.memory import MemoryStore
from davbridge.tree.namespace import Namespace
from davbridge.tree.operations.preconditions import Preconditions
from davbridge.tree.properties.client_metadata import ClientMetadata
from davbridge.tree.properties.sidecar_format import SIDECAR_NAME
from tests.support.contract import keys
from tests.support.intercepted import GatedStore
from tests.support.objects import put
from tests.tree.conftest import Drive
from tests.tree.deaths import KilledError, another, kill_at, recovered
from tests.tree.test_crossings import at, tried
from tests.tree.test_second_bridge import cached

MOMENT = 0.3
PATIENCE = 60.0
P = {"{n}p": "<p xmlns='n'>x</p>"}
NEW = {"{n}p": "<p xmlns='n'>new</p>"}
REQUESTS = 30
"""More than any of these operations makes."""


@pytest.mark.parametrize(
    ("source", "patched"),
    [("/d/a", "/d/a"), ("/d", "/d"), ("/d", "/d/a"), ("/d", "/d/e/f")],
    ids=["the file", "the folder", "a member", "a member further inside"],
)
@pytest.mark.parametrize("verb", ["move", "delete"])
def test_properties_set_while_their_resource_is_deleted_are_refused(
    drive: Drive, source: str, patched: str, verb: str
) -> None:
    drive.outside("d/", "d/a", "d/e/f", "d/g")
    late: list[Future[None]] = []
    with ThreadPoolExecutor(1) as threads:

        def before(operation: str, _key: str) -> None:
            if operation == ("copy" if verb == "move" else "delete") and not late:
                late.append(threads.submit(drive.tree.update_properties, parse(patched), P))
                wait_for(late, MOMENT)

        drive.store.before = before
        targets = [parse("/target")] if verb == "move" else []
        assert getattr(drive.tree, verb)(parse(source), *targets) == []
        assert isinstance(late[0].exception(PATIENCE), NotFoundError)
    drive.store.before = lambda operation, key: None
    assert drive.kind(source) is None
    assert not [key for key in drive.stored() if SIDECAR_NAME in key]


@pytest.mark.parametrize(
    ("source", "patched", "after"),
    [("/d/a", "/d/a", "/t"), ("/d", "/d", "/t"), ("/d", "/d/a", "/t/a")],
    ids=["the file", "the folder", "a member"],
)
def test_properties_being_written_when_a_move_begins_move_along(
    source: str, patched: str, after: str
) -> None:
    store = GatedStore(MemoryStore())
    put(store, "d/", "d/a", "d/g")
    tree = Namespace(store)
    prefix = patched.rpartition("/")[0].lstrip("/")
    sidecar = f"{prefix}/{SIDECAR_NAME}" if prefix else SIDECAR_NAME
    with ThreadPoolExecutor(2) as threads:
        written = store.gate("put_object", sidecar)
        writing = threads.submit(tree.update_properties, parse(patched), P)
        written.wait_until_answered()
        moving = threads.submit(tree.move, parse(source), parse("/t"))
        wait_for([moving], MOMENT)
        assert not moving.done()
        written.open()
        writing.result(PATIENCE)
        assert moving.result(PATIENCE) == []
    assert tree.properties(parse(after)) == P
    assert tree.find(parse(source)) is None
    assert sum(SIDECAR_NAME in key for key in keys(store)) == 1
    tree.close()


def test_properties_are_set_while_their_resource_is_copied(drive: Drive) -> None:
    drive.outside("d/", "d/a", "e/b")
    done: list[Callable[[], object]] = [
        lambda: drive.tree.update_properties(parse("/e/b"), P),
    ]

    def before(operation: str, _key: str) -> None:
        if operation == "copy" and done:
            done.pop()()

    drive.store.before = before
    assert drive.tree.copy(parse("/e"), parse("/t")) == []
    assert not done
    assert drive.tree.properties(parse("/e/b")) == P


def make(tree: Namespace, path: str, condition: Condition | None = None) -> None:
    """A folder if the path ends in a slash."""
    if path.endswith("/"):
        tree.make_collection(parse(path))
        return
    writer = tree.open_writer(parse(path), Attributes(), condition or Condition(), length=1)
    writer.write(b"n")
    writer.commit()


@pytest.mark.parametrize("number", range(REQUESTS))
@pytest.mark.parametrize("has_properties", [True, False])
@pytest.mark.parametrize("made", ["/d/a", "/d/a/"], ids=["file", "folder"])
@pytest.mark.parametrize("verb", ["move", "delete"])
def test_what_another_bridge_makes_where_something_is_just_gone_keeps_its_properties(
    drive: Drive, verb: str, made: str, has_properties: bool, number: int
) -> None:
    drive.outside(*(["d/a/", "d/a/1", "d/a/2"] if made.endswith("/") else ["d/a"]), "d/g")
    drive.tree.update_properties(parse("/d/a" if has_properties else "/d/g"), P)
    drive.clock.advance(100)
    is_made: list[bool] = []
    targets = [parse("/t")] if verb == "move" else []
    with another(drive) as other:

        def make_anew() -> None:
            if other.find(parse(made)) is None:
                make(other, made)
                other.update_properties(parse(made), NEW)
                is_made.append(True)

        at(drive.store, number, make_anew)
        is_done = tried(lambda: getattr(drive.tree, verb)(parse("/d/a"), *targets))
    drive.store.before = lambda _operation, _key: None
    if is_made:
        assert drive.tree.properties(parse(made)) == NEW
    if is_done and verb == "move":
        assert drive.tree.properties(parse("/t")) == (P if has_properties else {})


@pytest.mark.parametrize("making", ["PUT", "MKCOL", "MOVE"])
def test_what_is_refused_leaves_the_properties_of_what_another_bridge_has_made(
    drive: Drive, making: str
) -> None:
    """Where this bridge has deleted something, and still thinks that nothing is there."""
    drive.outside("d/a", "d/g", "f")
    made = "/d/a/" if making == "MKCOL" else "/d/a"
    tree = cached(drive)
    tree.delete(parse("/d/a"))
    with another(drive) as other:
        make(other, made)
        other.update_properties(parse(made), P)
    refused = {
        "PUT": lambda: make(tree, made, IF_ABSENT),
        "MKCOL": lambda: make(tree, made),
        "MOVE": lambda: tree.move(parse("/f"), parse(made), Preconditions(overwrite=False)),
    }
    assert not tried(refused[making])
    tree.close()
    assert drive.tree.properties(parse(made)) == P


@pytest.mark.parametrize("number", range(REQUESTS))
def test_a_folder_that_is_made_anew_before_its_move_is_resumed_stays(
    drive: Drive, number: int
) -> None:
    drive.outside("d/a/", "d/a/1", "d/a/2", "d/g")
    drive.tree.update_properties(parse("/d/a"), P)
    drive.clock.advance(100)
    kill_at(drive, number)
    with suppress(KilledError):
        drive.tree.move(parse("/d/a"), parse("/t"))
    drive.store.before = lambda _operation, _key: None
    drive.clock.advance(5)
    with another(drive) as other:
        if other.find(parse("/d/a")) is not None:
            return
        make(other, "/d/a/")
        other.update_properties(parse("/d/a"), NEW)
    recovered(drive)
    assert drive.tree.properties(parse("/d/a")) == NEW
    assert drive.tree.properties(parse("/t")) == P
    assert drive.kind("/d/a") == "collection"


@pytest.mark.parametrize("number", range(REQUESTS))
@pytest.mark.parametrize("is_made_anew", [True, False])
@pytest.mark.parametrize("verb", ["copy", "move"])
def test_properties_that_another_bridge_sets_on_a_new_copy_stay(
    drive: Drive, verb: str, is_made_anew: bool, number: int
) -> None:
    drive.outside("d/a", "d/g", "t/g")
    drive.tree.update_properties(parse("/d/a"), P)
    drive.clock.advance(100)
    is_set: list[bool] = []
    with another(drive) as other:

        def set_properties() -> None:
            if other.find(parse("/t/a")) is None:
                return
            if is_made_anew:
                other.delete(parse("/t/a"))
                make(other, "/t/a")
            other.update_properties(parse("/t/a"), NEW)
            is_set.append(True)

        at(drive.store, number, set_properties)
        tried(lambda: getattr(drive.tree, verb)(parse("/d/a"), parse("/t/a")))
    drive.store.before = lambda _operation, _key: None
    assert not is_set or drive.tree.properties(parse("/t/a")) == NEW


@pytest.mark.parametrize("number", range(REQUESTS))
def test_the_time_of_a_later_version_stays(drive: Drive, number: int) -> None:
    """Another bridge writes it, with a time, before the first version's time is written."""
    drive.outside("d/a", "d/g")
    times = {body: datetime(2000 + int(body), 1, 1, tzinfo=UTC) for body in (b"1", b"2")}

    def put(tree: Namespace, body: bytes) -> None:
        writer = tree.open_writer(parse("/d/a"), Attributes(), length=1)
        writer.write(body)
        writer.commit(ClientMetadata("", times[body]))

    tree = cached(drive)
    with another(drive) as other:
        at(drive.store, number, lambda: put(other, b"2"))
        put(tree, b"1")
    drive.store.before = lambda _operation, _key: None
    tree.close()
    found = drive.tree.lookup(parse("/d/a"))
    assert found.client_metadata
    assert found.client_metadata.modified == times[drive.content("d/a")]


@pytest.mark.parametrize("number", range(REQUESTS))
def test_the_properties_of_a_member_that_is_moved_back_are_not_deleted_with_the_source(
    drive: Drive, number: int
) -> None:
    """The source's properties file is the same again, byte for byte."""
    drive.outside("s/", "s/a", "s/b")
    drive.tree.update_properties(parse("/s/b"), P)
    drive.clock.advance(100)
    with another(drive) as other:
        at(drive.store, number, lambda: tried(lambda: other.move(parse("/t/b"), parse("/s/b"))))
        tried(lambda: drive.tree.move(parse("/s"), parse("/t")))
    drive.store.before = lambda _operation, _key: None
    [found] = [path for path in ("/s/b", "/t/b") if drive.kind(path)]
    assert drive.tree.properties(parse(found)) == P


@pytest.mark.parametrize("first", range(REQUESTS))
def test_what_is_set_on_both_sides_while_a_folder_moves_stays(drive: Drive, first: int) -> None:
    drive.outside("s/", "s/a", "s/b")
    drive.clock.advance(100)
    numbers = count()
    patched: list[str] = []

    def patch(path: str) -> None:
        element = {f"{{n}}{path[1:]}": f"<{path[1:]} xmlns='n'>x</{path[1:]}>"}
        if tried(lambda: other.update_properties(parse(path), element)):
            patched.extend(element)

    def before(_operation: str, _key: str) -> None:
        number = next(numbers)
        if number == first:
            patch("/s")
        if number >= first and "{n}t" not in patched:
            patch("/t")

    with another(drive) as other:
        drive.store.before = before
        drive.tree.move(parse("/s"), parse("/t"))
    drive.store.before = lambda _operation, _key: None
    assert set(patched) <= drive.tree.properties(parse("/t")).keys()
