"""A file that replaces a folder, and a folder that replaces a file: the target goes last."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from davbridge.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    NotFoundError,
    StoreError,
    UnavailableError,
)
from davbridge.paths import DELIMITER, parse
from davbridge.store.memory import MemoryStore
from davbridge.tree.composition import Clocks, DriveLimits
from davbridge.tree.namespace import Namespace
from tests.support.intercepted import InterceptedStore
from tests.tree.conftest import Drive
from tests.tree.deaths import KilledError, another, bodies, journals, kill_at, recovered
from tests.tree.wrappers import WatchedStore

T = TypeVar("T")

FILE = {"f": b"file"}
FOLDER = {"s/": b"", "s/a": b"1", "s/d/": b"", "s/d/c": b"22"}
BEFORE = {**FILE, **FOLDER}

PAIRS = [("/f", "/s"), ("/s", "/f")]
VERBS = ["copy", "move"]

both_ways = pytest.mark.parametrize(("source", "target"), PAIRS, ids=["to folder", "to file"])
both_verbs = pytest.mark.parametrize("verb", VERBS)

REQUESTS = 20
"""More than any of these operations makes until it has ended."""


def fill(drive: Drive) -> None:
    for key, body in BEFORE.items():
        drive.outside(key, body=body)
    drive.clock.advance(100)


def after(verb: str, source: str, target: str) -> dict[str, bytes]:
    """What is there when it is done."""
    moved = {target[1:] + key[1:]: body for key, body in _of(source).items()}
    return (dict(_of(source)) if verb == "copy" else {}) | moved


def _of(path: str) -> Mapping[str, bytes]:
    return FILE if path == "/f" else FOLDER


def ask(tree: Namespace, verb: str, source: str, target: str) -> bool:
    """Whether it was done."""
    try:
        return not getattr(tree, verb)(parse(source), parse(target))
    except StoreError:
        return False


def at(operation: str, key: str, event: Callable[[], object]) -> Callable[[str, str], None]:
    """Right before the first such request."""
    events = [event]

    def before(asked: str, of: str) -> None:
        if (asked, of) == (operation, key) and events:
            events.pop()()

    return before


def give_etag(drive: Drive, key: str, etag: str) -> None:
    """Gives an object of the bucket another ETag."""
    stored = drive.bucket._objects.get(key)
    assert stored
    row = stored.info.row._replace(etag=etag)
    drive.bucket._objects.put(replace(stored, info=replace(stored.info, row=row)))


def last_copied(source: str) -> str:
    return "f" if source == "/f" else "s/d/c"


@both_ways
@both_verbs
def test_a_target_of_another_kind_goes_once_all_that_replaces_it_is_there(
    drive: Drive, verb: str, source: str, target: str
) -> None:
    fill(drive)
    assert ask(drive.tree, verb, source, target)
    assert bodies(drive) == after(verb, source, target)
    kept = [request for request in drive.store.requests if ".davbridge" not in request[1]]
    writes = [operation for operation, _ in kept if operation in ("copy", "delete")]
    assert writes == sorted(writes)
    assert journals(drive) == []


@both_ways
@both_verbs
def test_a_target_whose_source_is_taken_away_stays(
    drive: Drive, verb: str, source: str, target: str
) -> None:
    """By another bridge, right before it is copied."""
    fill(drive)
    going = last_copied(source)
    drive.store.before = at("copy", going, lambda: drive.bucket.delete_object(going))
    assert not ask(drive.tree, verb, source, target)
    assert bodies(drive) == {key: body for key, body in BEFORE.items() if key != going}
    assert journals(drive) == []


@both_verbs
def test_a_target_is_not_hidden_by_copies_whose_source_is_gone(drive: Drive, verb: str) -> None:
    fill(drive)
    drive.store.before = at("copy", "s/d/c", lambda: drive.bucket.delete_objects([*FOLDER]))
    assert not ask(drive.tree, verb, "/s", "/f")
    assert bodies(drive) == FILE


@both_verbs
def test_a_folder_that_gets_a_member_meanwhile_goes_with_it_or_stays(
    drive: Drive, verb: str
) -> None:
    fill(drive)
    drive.store.before = at("copy", "f", lambda: drive.outside("s/new"))
    assert ask(drive.tree, verb, "/f", "/s")
    assert bodies(drive) == after(verb, "/f", "/s")


@both_verbs
def test_a_target_that_got_a_member_stays_where_the_source_is_taken_away(
    drive: Drive, verb: str
) -> None:
    fill(drive)

    def meanwhile() -> None:
        drive.outside("s/new")
        drive.store.before = lambda operation, key: (
            drive.bucket.delete_object("f") if (operation, key) == ("list", "s/") else None
        )

    drive.store.before = at("copy", "f", meanwhile)
    assert not ask(drive.tree, verb, "/f", "/s")
    assert bodies(drive) == {**FOLDER, "s/new": b"outside"}


@both_ways
@both_verbs
@pytest.mark.parametrize("has_parts", [False, True], ids=["", "in parts"])
def test_an_undo_removes_a_copy_whose_answer_was_lost(
    drive: Drive, verb: str, source: str, target: str, has_parts: bool
) -> None:
    """Of what was uploaded in parts, a copy has another ETag."""
    fill(drive)
    going = last_copied(source)
    made = target[1:] + going[1:]

    def copied_unheard() -> None:
        drive.outside(made, body=BEFORE[going])
        if has_parts:
            give_etag(drive, made, "parts-2")

    drive.store.before = at("copy", going, copied_unheard)
    drive.store.fault = lambda operation, key: (
        UnavailableError("lost") if (operation, key) == ("copy", going) else None
    )
    assert not ask(drive.tree, verb, source, target)
    assert bodies(drive) == BEFORE


@both_verbs
def test_a_file_inside_that_a_folder_replaces_stays(drive: Drive, verb: str) -> None:
    drive.outside("s/x/y", "s/z", "t/x", "t/old")
    drive.clock.advance(100)
    drive.store.before = at("copy", "s/z", lambda: drive.bucket.delete_object("s/z"))
    assert not ask(drive.tree, verb, "/s", "/t")
    assert list(bodies(drive)) == ["s/x/y", "t/old", "t/x"]


@both_ways
@both_verbs
@pytest.mark.parametrize("number", range(REQUESTS))
def test_a_bridge_that_dies_leaves_what_another_one_ends_or_has_not_begun(
    drive: Drive, verb: str, source: str, target: str, number: int
) -> None:
    """At each of its requests, those between the copies and the end of the target among them."""
    fill(drive)
    kill_at(drive, number)
    try:
        ask(drive.tree, verb, source, target)
    except KilledError:
        recovered(drive)
    assert bodies(drive) in (BEFORE, after(verb, source, target))
    assert journals(drive) == []


@both_ways
@both_verbs
def test_a_clash_killed_between_copies_and_deletes_is_finished_by_another_bridge(
    drive: Drive, verb: str, source: str, target: str
) -> None:
    fill(drive)
    die_before_the_target_goes(drive, verb, source, target)
    recovered(drive)
    assert bodies(drive) == after(verb, source, target)
    assert journals(drive) == []


@both_ways
def test_a_clash_killed_between_copies_and_deletes_is_finished_when_its_client_asks_again(
    drive: Drive, source: str, target: str
) -> None:
    fill(drive)
    die_before_the_target_goes(drive, "move", source, target)
    with another(drive) as tree:
        assert ask(tree, "move", source, target)
    assert bodies(drive) == after("move", source, target)
    assert journals(drive) == []


@both_verbs
def test_a_resumed_clash_takes_properties_along(drive: Drive, verb: str) -> None:
    drive.outside("f", "s/a")
    drive.tree.update_properties(parse("/f"), {"{n}p": "<p xmlns='n'>file</p>"})
    drive.tree.update_properties(parse("/s"), {"{n}p": "<p xmlns='n'>folder</p>"})
    drive.clock.advance(100)
    die_before_the_target_goes(drive, verb, "/f", "/s")
    recovered(drive)
    with another(drive) as tree:
        assert tree.properties(parse("/s")) == {"{n}p": "<p xmlns='n'>file</p>"}


@both_verbs
def test_a_clash_that_cannot_be_finished_is_undone(drive: Drive, verb: str) -> None:
    """Its bridge dies in the middle of its copies, and some of its source goes then."""
    fill(drive)
    drive.store.before = at("copy", "s/d/c", lambda: die(drive))
    with pytest.raises(KilledError):
        ask(drive.tree, verb, "/s", "/f")
    drive.bucket.delete_object("s/d/c")
    recovered(drive)
    assert bodies(drive) == {key: body for key, body in BEFORE.items() if key != "s/d/c"}
    assert journals(drive) == []


@both_ways
@both_verbs
def test_an_undo_leaves_the_target_as_it_was(
    drive: Drive, verb: str, source: str, target: str
) -> None:
    """Where it can't go, say."""
    fill(drive)
    first = "f" if target == "/f" else "s/a"
    drive.store.fault = lambda operation, key: (
        AccessDeniedError(key) if (operation, key) == ("delete", first) else None
    )
    assert not ask(drive.tree, verb, source, target)
    left = {"s/a", "s/"} if target == "/s" else {*FOLDER}
    assert left <= bodies(drive).keys() <= BEFORE.keys()
    assert bodies(drive)["f"] == b"file"
    assert journals(drive) == []


@both_ways
@both_verbs
def test_a_bridge_that_dies_while_it_undoes_a_clash_leaves_it_to_another(
    drive: Drive, verb: str, source: str, target: str
) -> None:
    fill(drive)
    drive.tree.update_properties(parse(source), {"{n}p": "<p xmlns='n'>x</p>"})
    drive.clock.advance(100)
    made = "s" if target == "/s" else "f/a"
    is_over = False

    def fault(operation: str, key: str) -> StoreError | None:
        nonlocal is_over
        is_over |= operation == "copy"
        is_hit = is_over and operation == "put" and key.endswith("properties.json")
        return UnavailableError("gone") if is_hit else None

    drive.store.fault = fault
    drive.store.before = at("delete", made, lambda: die(drive))
    with pytest.raises(KilledError):
        ask(drive.tree, verb, source, target)
    assert made in drive.stored()
    recovered(drive)
    there = bodies(drive)
    assert there.pop(".davbridge.properties.json")
    assert there == BEFORE
    assert journals(drive) == []


class OneName(InterceptedStore):
    """Refuses an object and a folder of one name, as MinIO does."""

    def __init__(self, inner: MemoryStore) -> None:
        super().__init__(inner)
        self.refusals = 0

    def intercept(self, name: str, key: str, call: Callable[[], T]) -> T:
        if name in ("put_object", "copy_object", "commit"):
            self._require_free(key.removesuffix(DELIMITER))
        return call()

    def _require_free(self, key: str) -> None:
        parts = key.split(DELIMITER)
        around = [DELIMITER.join(parts[:end]) for end in range(1, len(parts))]
        found = any(self._inner.lookup(each).row for each in around)
        inside = next(self._inner.list_objects(key + DELIMITER)).rows
        if found or any(row.key != key + DELIMITER for row in inside):
            self.refusals += 1
            raise AlreadyExistsError(key)


class OneNameDrive(Drive):
    def __init__(self) -> None:
        super().__init__()
        self.one_name = OneName(self.bucket)
        self.store = WatchedStore(self.one_name)
        self.tree.close()
        self.tree = Namespace(
            self.store,
            limits=DriveLimits(parallel_requests=1),
            clocks=Clocks(timer=self.clock.seconds, now=self.clock, pause=self.clock.advance),
        )


@both_ways
@both_verbs
def test_a_target_goes_first_where_the_store_refuses_both_names(
    verb: str, source: str, target: str
) -> None:
    drive = OneNameDrive()
    fill(drive)
    assert ask(drive.tree, verb, source, target)
    drive.tree.close()
    assert bodies(drive) == after(verb, source, target)
    assert drive.one_name.refusals
    assert journals(drive) == []


@both_ways
@both_verbs
def test_a_target_stays_where_the_store_refuses_both_names_and_the_source_is_gone(
    verb: str, source: str, target: str
) -> None:
    drive = OneNameDrive()
    fill(drive)
    going = "f" if source == "/f" else "s/a"
    drive.store.before = at("get", going, lambda: drive.bucket.delete_object(going))
    assert not ask(drive.tree, verb, source, target)
    drive.tree.close()
    assert ("get", going) in drive.store.requests
    assert bodies(drive) == {key: body for key, body in BEFORE.items() if key != going}


@pytest.mark.parametrize("error", [AccessDeniedError, NotFoundError, UnavailableError])
@both_ways
@both_verbs
def test_a_target_stays_where_a_copy_is_refused_for_another_reason(
    drive: Drive, verb: str, source: str, target: str, error: type[StoreError]
) -> None:
    fill(drive)
    drive.store.fault = lambda operation, key: error(key) if operation == "copy" else None
    assert not ask(drive.tree, verb, source, target)
    assert bodies(drive) == BEFORE


def die(drive: Drive) -> Any:
    kill_at(drive, 0)
    raise KilledError


def die_before_the_target_goes(drive: Drive, verb: str, source: str, target: str) -> None:
    first = "f" if target == "/f" else "s/a"
    drive.store.before = at("delete", first, lambda: die(drive))
    with pytest.raises(KilledError):
        ask(drive.tree, verb, source, target)
    assert {"f", "s/a"} <= bodies(drive).keys()
    assert ("s" if target == "/s" else "f/a") in drive.stored()
