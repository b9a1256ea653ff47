"""What a second bridge does on the same bucket, before or during an operation of the first one:
nothing that either of them has acknowledged is lost."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.errors import NotFoundError, OutOfSpaceError, StoreError, UnavailableError
from davbridge.paths import ROOT, parse
from davbridge.store.base import Attributes
from davbridge.tree.composition import Clocks
from davbridge.tree.namespace import Namespace
from davbridge.tree.properties.sidecars import Sidecars
from davbridge.tree.resource import Failure
from tests.tree.conftest import Drive
from tests.tree.deaths import (
    SOURCE,
    KilledError,
    another,
    bodies,
    die_after_the_copies,
    fill,
    half_done,
    journals,
    kill_at,
    move,
    moved,
    recovered,
)
from tests.tree.drives import shown_by

PROPERTY = "{n}p"
VALUE = "<p xmlns='n'>new</p>"


def at_the_first(
    drive: Drive, at: tuple[str, str], deed: Callable[[Namespace], object]
) -> list[bool]:
    """Has a second bridge do something right before the first such request of the first one;
    whether it has come to it is in the list."""
    done: list[bool] = []

    def before(operation: str, key: str) -> None:
        if (operation, key) == at and not done:
            done.append(True)
            with another(drive) as tree:
                deed(tree)

    drive.store.before = before
    return done


# What is half moved, and brought back over where it is moved from.


@pytest.mark.parametrize("verb", ["MOVE", "COPY"])
@pytest.mark.parametrize(
    "at", [("copy", "s/a"), ("copy", "s/b"), ("list", "t/"), ("delete", "s/a")]
)
def test_a_half_moved_folder_replaces_nothing_of_its_source(
    drive: Drive, verb: str, at: tuple[str, str]
) -> None:
    """What it hasn't got yet is at the source alone."""
    fill(drive)

    def bring_back(tree: Namespace) -> None:
        operation = tree.move if verb == "MOVE" else tree.copy
        assert operation(parse("/t"), parse("/s")) == []

    done = at_the_first(drive, at, bring_back)
    with suppress(UnavailableError):  # The second one has taken it for dead.
        move(drive)
    assert done
    assert SOURCE.items() <= bodies(drive).items()
    assert journals(drive) == []


def test_a_folder_in_a_half_moved_folder_replaces_nothing_of_its_source(drive: Drive) -> None:
    fill(drive)
    drive.outside("s/d/e", body=b"4444")
    drive.clock.advance(100)
    done = at_the_first(drive, ("copy", "s/d/e"), lambda it: it.copy(parse("/t/d"), parse("/s/d")))
    with suppress(UnavailableError):
        move(drive)
    assert done
    assert {*SOURCE.values(), b"4444"} <= {*bodies(drive).values()}


def test_a_file_in_a_half_moved_folder_replaces_nothing_of_its_source(drive: Drive) -> None:
    fill(drive)
    done = at_the_first(drive, ("copy", "s/b"), lambda it: it.copy(parse("/t/a"), parse("/s")))
    with suppress(UnavailableError):
        move(drive)
    assert done
    assert {*SOURCE.values()} <= {*bodies(drive).values()}


# A file that replaces a folder, and a folder that replaces a file.


@pytest.mark.parametrize("verb", ["MOVE", "COPY"])
@pytest.mark.parametrize("other", ["MOVE", "COPY"])
@pytest.mark.parametrize("at", [("delete", "s/a"), ("copy", "f")])
def test_a_file_and_a_folder_that_replace_one_another_leave_one_of_them(
    drive: Drive, verb: str, other: str, at: tuple[str, str]
) -> None:
    """Each would be gone before the other is copied."""
    fill(drive)
    drive.outside("f", body=b"file")
    drive.clock.advance(100)

    def the_other_way(tree: Namespace) -> None:
        with suppress(StoreError):
            (tree.move if other == "MOVE" else tree.copy)(parse("/s"), parse("/f"))

    done = at_the_first(drive, at, the_other_way)
    is_refused = False
    try:
        (drive.tree.move if verb == "MOVE" else drive.tree.copy)(parse("/f"), parse("/s"))
    except UnavailableError:
        pass  # The second one has taken it for dead, and has finished it.
    except StoreError:
        is_refused = True
    assert done
    found = bodies(drive)
    assert not (is_refused and other == "COPY") or SOURCE.items() <= found.items()
    folder = {"f" + key[1:]: body for key, body in SOURCE.items()}
    assert found.get("f") == b"file" or found.get("s") == b"file" or folder.items() <= found.items()
    assert journals(drive) == []


def test_a_clash_that_a_dead_bridge_has_begun_blocks_nobody(
    drive: Drive,
) -> None:
    fill(drive)
    drive.outside("f", body=b"file")
    drive.clock.advance(100)

    def die(operation: str, key: str) -> None:
        if (operation, key) == ("delete", "s/a"):
            kill_at(drive, 0)
            raise KilledError

    drive.store.before = die
    with pytest.raises(KilledError):
        drive.tree.move(parse("/f"), parse("/s"))
    with another(drive) as tree:
        assert tree.move(parse("/f"), parse("/s")) == []
    assert bodies(drive) == {"s": b"file"}
    assert journals(drive) == []


# An equal file, copied onto one that is about to go.


def test_a_copy_onto_the_source_of_a_move_stays(drive: Drive) -> None:
    """The delete that ends the MOVE names an ETag, and the copy has the same."""
    drive.outside("c", body=b"only")
    drive.clock.advance(100)

    def copy_back(tree: Namespace) -> None:
        assert tree.copy(parse("/b"), parse("/c")) == []
        assert tree.delete(parse("/b")) == []

    done = at_the_first(drive, ("delete", "c"), copy_back)
    with suppress(StoreError):
        drive.tree.move(parse("/c"), parse("/b"))
    assert done
    assert b"only" in bodies(drive).values()


# Properties that the second bridge has set.


def properties(drive: Drive) -> dict[str, str | None]:
    """By path, as a bridge shows them that starts now."""
    with another(drive) as tree:
        return {"/" + "/".join(path): value for path, (_, value) in shown_by(tree, ROOT).items()}


def cached(drive: Drive, pause: Callable[[float], None] | None = None) -> Namespace:
    """The first bridge, with a cache, which holds what is there now."""
    store = CachedStore(drive.store, CacheSettings(), timer=drive.clock.seconds)
    tree = Namespace(
        store,
        uncached=drive.store,
        clocks=Clocks(
            timer=drive.clock.seconds, now=drive.clock, pause=pause or drive.clock.advance
        ),
    )
    shown_by(tree, ROOT)
    return tree


@pytest.mark.parametrize("has_sidecar", [False, True])
@pytest.mark.parametrize(
    "moment",
    [("copy", "s/a"), ("list", "t/"), ("list", "s/"), ("delete", "s/a")],
    ids=["the first copy", "the verification", "the last look", "the first delete"],
)
def test_the_own_properties_of_a_folder_that_come_while_it_moves_go_along(
    drive: Drive, moment: tuple[str, str], has_sidecar: bool
) -> None:
    fill(drive)
    drive.outside("h")
    if has_sidecar:
        drive.tree.update_properties(parse("/h"), {PROPERTY: VALUE})
    drive.clock.advance(100)
    tree, moments = cached(drive), [moment]

    def before(operation: str, key: str) -> None:
        if (operation, key) in moments:
            moments.clear()
            with another(drive) as other:
                other.update_properties(parse("/s"), {PROPERTY: VALUE})

    drive.store.before = before
    assert tree.move(parse("/s"), parse("/t")) == []
    tree.close()
    assert not moments
    assert properties(drive)["/t"] == VALUE


@pytest.mark.parametrize(
    ("name", "old"),
    [("/f", "<p xmlns='n'>old</p>"), ("/s", None), ("/s", "<p xmlns='n'>old</p>")],
    ids=["file, one before", "folder, none before", "folder, one before"],
)
def test_properties_that_another_bridge_has_set_move_along(
    drive: Drive, name: str, old: str | None
) -> None:
    """A file's isn't looked for where its folder has no properties file that is known of: a MOVE of
    a file would cost a request more."""
    fill(drive)
    drive.outside("f", body=b"1")
    drive.tree.update_properties(parse(name), {PROPERTY: old})
    drive.clock.advance(100)
    tree = cached(drive)
    try:
        with another(drive) as other:
            other.update_properties(parse(name), {PROPERTY: VALUE})
        assert tree.move(parse(name), parse("/n")) == []
    finally:
        tree.close()
    assert properties(drive)["/n"] == VALUE


@pytest.mark.parametrize("name", ["/s/a", "/s"])
def test_properties_that_come_once_a_folder_has_moved_are_refused(drive: Drive, name: str) -> None:
    fill(drive)
    home = name[1 : name.rindex("/") + 1]
    drive.tree.update_properties(parse(name), {PROPERTY: "<p xmlns='n'>old</p>"})
    drive.clock.advance(100)
    sidecar = ("put", f"{home}.davbridge.properties.json")
    done = at_the_first(drive, sidecar, lambda tree: tree.move(parse("/s"), parse("/t")))
    with pytest.raises(NotFoundError):
        drive.tree.update_properties(parse(name), {PROPERTY: VALUE})
    assert done
    assert not [key for key in drive.stored() if key.startswith("s/")]


OLD = "<p xmlns='n'>old</p>"

OTHER = "<p xmlns='n'>b</p>"


def once_copied(
    drive: Drive, at: tuple[str, str], deed: Callable[[Namespace], object]
) -> list[bool]:
    """As `at_the_first`, after all members of the folder have been copied."""
    drive.store.requests.clear()
    done: list[bool] = []

    def before(operation: str, key: str) -> None:
        has_copied = ("copy", "s/d/c") in drive.store.requests
        if (operation, key) == at and has_copied and not done:
            done.append(True)
            with another(drive) as tree:
                deed(tree)

    drive.store.before = before
    return done


def set_property(path: str, value: str | None) -> Callable[[Namespace], object]:
    return lambda tree: tree.update_properties(parse(path), {PROPERTY: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("a", VALUE), ("d/c", VALUE), ("", VALUE), ("a", None)],
    ids=["member", "deeper", "folder", "removed"],
)
@pytest.mark.parametrize("at", [("list", "t/"), ("list", "s/"), ("delete", "s/a")])
def test_properties_that_change_while_a_folder_moves_go_along(
    drive: Drive, name: str, value: str | None, at: tuple[str, str]
) -> None:
    fill(drive)
    drive.tree.update_properties(parse(f"/s/{name}"), {PROPERTY: OLD})
    drive.tree.update_properties(parse("/s/b"), {PROPERTY: OTHER})
    drive.clock.advance(100)
    done = once_copied(drive, at, set_property(f"/s/{name}", value))
    assert move(drive) == []
    assert done
    found = properties(drive)
    assert found["/t/b"] == OTHER
    assert found[f"/t/{name}".rstrip("/")] == value
    assert not [key for key in drive.stored() if key.startswith("s/")]
    assert journals(drive) == []


@pytest.mark.parametrize("name", ["a", "d/c", ""], ids=["member", "deeper", "folder"])
@pytest.mark.parametrize("at", [("list", "t/"), ("list", "s/")])
def test_the_first_properties_that_are_set_while_a_folder_moves_go_along(
    drive: Drive, name: str, at: tuple[str, str]
) -> None:
    fill(drive)
    done = once_copied(drive, at, set_property(f"/s/{name}", VALUE))
    assert move(drive) == []
    assert done
    assert properties(drive)[f"/t/{name}".rstrip("/")] == VALUE
    assert not [key for key in drive.stored() if key.startswith("s/")]


def test_properties_that_change_on_both_sides_of_a_move_are_all_there(drive: Drive) -> None:
    fill(drive)
    for name in ("a", "b"):
        drive.tree.update_properties(parse(f"/s/{name}"), {PROPERTY: OLD})
    drive.clock.advance(100)

    def set_both(tree: Namespace) -> None:
        tree.update_properties(parse("/s/a"), {PROPERTY: VALUE})
        tree.update_properties(parse("/t/b"), {PROPERTY: OTHER})

    done = once_copied(drive, ("delete", "s/a"), set_both)
    assert move(drive) == []
    assert done
    found = properties(drive)
    assert (found["/t/a"], found["/t/b"]) == (VALUE, OTHER)
    assert not [key for key in drive.stored() if key.startswith("s/")]


def test_properties_that_are_set_at_each_look_are_reported_and_stay(drive: Drive) -> None:
    """By bridges that saw the members before they went."""
    fill(drive)
    drive.tree.update_properties(parse("/s/a"), {PROPERTY: OLD})
    drive.clock.advance(100)
    values: list[str] = []

    def before(operation: str, key: str) -> None:
        if operation == "delete" and key.startswith("s/"):
            values.append(f"<p xmlns='n'>{len(values)}</p>")
            Sidecars(drive.bucket).update("s/", "a", lambda _: {PROPERTY: values[-1]})

    drive.store.before = before
    assert [failure.path for failure in move(drive)] == [("s",)]
    assert len(values) > 2
    assert values[-1].encode() in drive.content("s/.davbridge.properties.json")
    assert values[-2].encode() in drive.content("t/.davbridge.properties.json")
    assert bodies(drive).keys() >= moved(SOURCE).keys()


def test_properties_of_what_stays_where_a_folder_moves_from_stay(drive: Drive) -> None:
    fill(drive)
    for name in ("a", "b"):
        drive.tree.update_properties(parse(f"/s/{name}"), {PROPERTY: OLD})
    drive.clock.advance(100)

    def write_and_set(tree: Namespace) -> None:
        drive.clock.advance(1)
        drive.outside("s/a", body=b"anew")
        for name in ("a", "b"):
            tree.update_properties(parse(f"/s/{name}"), {PROPERTY: VALUE})

    done = once_copied(drive, ("list", "s/"), write_and_set)
    assert [failure.path for failure in move(drive)] == [("s", "a")]
    assert done
    found = properties(drive)
    assert (found["/s/a"], found["/t/a"], found["/t/b"]) == (VALUE, OLD, VALUE)


def test_properties_that_cannot_go_along_are_reported_and_stay(drive: Drive) -> None:
    fill(drive)
    drive.tree.update_properties(parse("/s/a"), {PROPERTY: OLD})
    drive.clock.advance(100)
    done = once_copied(drive, ("delete", "s/a"), set_property("/s/a", VALUE))
    full = OutOfSpaceError("the store is full")
    is_sidecar = ("put", "t/.davbridge.properties.json")
    drive.store.fault = lambda operation, key: full if (operation, key) == is_sidecar else None
    assert move(drive) == [Failure(("s",), full)]
    assert done
    assert b"new" in drive.content("s/.davbridge.properties.json")
    assert properties(drive)["/t/a"] == OLD


def test_properties_that_were_set_after_the_death_of_a_bridge_go_along(drive: Drive) -> None:
    fill(drive)
    for name in ("a", "b"):
        drive.tree.update_properties(parse(f"/s/{name}"), {PROPERTY: OLD})
    drive.clock.advance(100)
    die_after_the_copies(drive)
    with another(drive) as tree:
        tree.update_properties(parse("/s/a"), {PROPERTY: VALUE})
        tree.update_properties(parse("/s/d/c"), {PROPERTY: VALUE})
    recovered(drive)
    found = properties(drive)
    assert (found["/t/a"], found["/t/b"], found["/t/d/c"]) == (VALUE, OLD, VALUE)
    assert not [key for key in drive.stored() if key.startswith("s/")]
    assert journals(drive) == []


def put(tree: Namespace, path: str) -> None:
    writer = tree.open_writer(parse(path), Attributes())
    writer.write(b"anew")
    writer.commit()


MAKING: dict[str, Callable[[Namespace], object]] = {
    "PUT": lambda tree: put(tree, "/f"),
    "MKCOL": lambda tree: tree.make_collection(parse("/f")),
    "COPY": lambda tree: tree.copy(parse("/g"), parse("/f")),
    "MOVE": lambda tree: tree.move(parse("/g"), parse("/f")),
    "COPY of a folder": lambda tree: tree.copy(parse("/s"), parse("/f")),
}

GOING: dict[str, Callable[[Namespace], object]] = {
    "DELETE": lambda tree: tree.delete(parse("/f")),
    "MOVE": lambda tree: tree.move(parse("/f"), parse("/n")),
}


@pytest.mark.parametrize("making", MAKING)
@pytest.mark.parametrize("going", GOING)
@pytest.mark.parametrize("has_others", [False, True], ids=["the first", "one more"])
def test_a_new_resource_has_no_properties_that_another_bridge_has_set(
    drive: Drive, making: str, going: str, has_others: bool
) -> None:
    """Before its name went, and since the listing that is cached."""
    fill(drive)
    drive.outside("f", "g", body=b"1")
    if has_others:
        drive.tree.update_properties(parse("/s"), {PROPERTY: OTHER})
    drive.clock.advance(100)
    tree = cached(drive)
    try:
        with another(drive) as other:
            other.update_properties(parse("/f"), {PROPERTY: VALUE})
        GOING[going](tree)
        MAKING[making](tree)
    finally:
        tree.close()
    found = properties(drive)
    assert found["/f"] == (OTHER if making == "COPY of a folder" and has_others else None)
    assert found["/s"] == (OTHER if has_others else None)


def test_a_file_that_is_gone_though_it_is_listed_leaves_no_properties_to_its_successor(
    drive: Drive,
) -> None:
    drive.outside("f", body=b"1")
    drive.tree.update_properties(parse("/f"), {PROPERTY: OLD})
    drive.clock.advance(100)
    tree = cached(drive)
    try:
        drive.bucket.delete_object("f")
        put(tree, "/f")
    finally:
        tree.close()
    assert properties(drive)["/f"] is None


# What this bridge has waited for.


def test_after_a_move_that_another_bridge_has_ended_both_names_are_shown_as_they_are(
    drive: Drive,
) -> None:
    """A folder that isn't there would hide the file that another bridge writes in its place."""
    half_done(drive)
    drive.store.before = lambda _operation, _key: None
    ended: list[bool] = []

    def pause(seconds: float) -> None:
        drive.clock.advance(seconds)
        if not ended:
            ended.append(True)
            recovered(drive)

    tree = cached(drive, pause)
    began = drive.clock.seconds()
    try:
        assert tree.move(parse("/s"), parse("/t"), user="me") == []
        assert ended
        assert drive.clock.seconds() < began + CacheSettings().ttl
        assert bodies(drive) == moved(SOURCE)
        shown = shown_by(tree, ROOT)
        assert ("s",) not in shown
        assert ("t", "d", "c") in shown
    finally:
        tree.close()
