"""Segments of properties files, and bridges that merge them, move them, and die: no property that
was acknowledged is lost.

One bridge is held at each of its requests in turn, while another one does all of its work; or it
dies there.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial

import pytest

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.errors import (
    AccessDeniedError,
    NotFoundError,
    PreconditionFailedError,
    StoreError,
    UnavailableError,
)
from davbridge.paths import parse
from davbridge.store.base import (
    ALWAYS,
    NO_VERSIONS,
    Attributes,
    Condition,
    DeleteFailure,
    ObjectRow,
    ObjectStore,
)
from davbridge.tree.composition import Clocks
from davbridge.tree.namespace import Namespace
from davbridge.tree.properties.sidecar_format import SIDECAR_NAME, is_head, is_segment, is_sidecar
from davbridge.tree.properties.sidecars import Sidecars
from tests.tree.conftest import Drive, member_properties
from tests.tree.deaths import KilledError, another, bodies, kill_at, recovered
from tests.tree.small_segments import missing, orphans, small_segments
from tests.tree.test_crossings import at
from tests.tree.wrappers import WatchedStore

NAMES = tuple("abcdefgh")

P = "{n}p"

Deed = Callable[[Namespace], object]


@pytest.fixture(autouse=True)
def segments() -> Iterator[None]:
    with small_segments():
        yield


def value(text: str) -> str:
    return f"<p xmlns='n'>{text}</p>"


@contextmanager
def filled() -> Iterator[Drive]:
    """A drive with a folder whose members have properties, in several segments."""
    with small_segments():
        drive = Drive()
    drive.outside("s/", *(f"s/{name}" for name in NAMES))
    for name in NAMES:
        drive.tree.update_properties(("s", name), {P: value(f"old {name}")})
    drive.clock.advance(100)
    drive.store.requests.clear()
    try:
        yield drive
    finally:
        drive.tree.close()


OLD = {name: value(f"old {name}") for name in NAMES}


def shown(drive: Drive, folder: str) -> dict[str, str]:
    """The properties of a folder's members, as a bridge shows them that starts now."""
    with another(drive) as tree:
        if tree.find((folder,)) is None:
            return {}
        return {name: found[P] for name, found in member_properties(tree, (folder,)).items()}


def paint(tree: Namespace, folder: str, names: Iterable[str], text: str) -> dict[str, str]:
    """Sets the properties of some members; what has been acknowledged."""
    done: dict[str, str] = {}
    for name in names:
        with suppress(StoreError):
            tree.update_properties((folder, name), {P: value(f"{text} {name}")})
            done[name] = value(f"{text} {name}")
    return done


class Meanwhile:
    """What another bridge does right before the request of some number."""

    def __init__(self, store: WatchedStore, number: int, tree: Namespace, names: str) -> None:
        self.done: dict[str, str] = {}
        """What has been acknowledged."""
        at(store, number, lambda: self.done.update(paint(tree, "s", names, "new")))


class Moved:
    """Moves of another bridge, likewise."""

    def __init__(
        self, store: WatchedStore, number: int, tree: Namespace, ways: Sequence[str]
    ) -> None:
        self.done: list[bool] = []
        """Whether each has succeeded."""
        at(store, number, lambda: self.done.extend(move(tree, *way.split()) for way in ways))


def counted(deed: Deed) -> int:
    """The requests that it takes where nothing else happens."""
    with filled() as drive:
        deed(drive.tree)
        return len(drive.store.requests)


def each_request(deed: Deed) -> range:
    return range(counted(deed) + 2)


def move(tree: Namespace, source: str = "/s", target: str = "/t") -> bool:
    with suppress(StoreError):
        return tree.move(parse(source), parse(target)) == []
    return False


def copy(tree: Namespace, source: str = "/s", target: str = "/t") -> bool:
    with suppress(StoreError):
        return tree.copy(parse(source), parse(target)) == []
    return False


def update(tree: Namespace) -> object:
    """Several updates: segments are written, and merged."""
    return paint(tree, "s", "abc", "mine")


def test_a_folder_of_these_tests_has_segments() -> None:
    with filled() as drive:
        assert sum(map(is_segment, drive.stored())) > 1
        assert any(name == "delete" for name, _ in drive.store.requests) is False
        update(drive.tree)
        assert any(name == "delete" for name, _ in drive.store.requests)
        assert shown(drive, "s") == OLD | {n: value(f"mine {n}") for n in "abc"}
        assert orphans(drive.bucket) == missing(drive.bucket) == set()


@pytest.mark.parametrize("is_cached", [False, True])
def test_updates_of_a_folder_that_moves_go_along(is_cached: bool) -> None:
    for number in each_request(move):
        with filled() as drive, another(drive) as other:
            tree = cached(drive) if is_cached else drive.tree
            meanwhile = Meanwhile(drive.store, number, other, "abcde")
            assert move(tree), number
            new = meanwhile.done
            assert shown(drive, "t") == OLD | new, number
            assert orphans(drive.bucket) == missing(drive.bucket) == set(), number
            assert not [key for key in drive.stored() if key.startswith("s/")] or len(new) == 0
            if is_cached:
                tree.close()


def cached(drive: Drive) -> Namespace:
    """The first bridge, with a cache, which holds what is there now."""
    store = CachedStore(drive.store, CacheSettings(), timer=drive.clock.seconds)
    clocks = Clocks(timer=drive.clock.seconds, now=drive.clock, pause=drive.clock.advance)
    tree = Namespace(store, uncached=drive.store, clocks=clocks)
    member_properties(tree, ("s",))
    drive.store.requests.clear()
    return tree


def test_a_folder_that_is_copied_has_each_property_old_or_new() -> None:
    for number in each_request(copy):
        with filled() as drive, another(drive) as other:
            meanwhile = Meanwhile(drive.store, number, other, "abcde")
            assert copy(drive.tree), number
            new = meanwhile.done
            found = shown(drive, "t")
            assert found.keys() == OLD.keys(), number
            assert all(found[n] in (OLD[n], new.get(n)) for n in NAMES), number
            assert shown(drive, "s") == OLD | new
            assert orphans(drive.bucket) == missing(drive.bucket) == set(), number


@pytest.mark.parametrize("verb", ["move", "copy"])
@pytest.mark.parametrize("is_replaced", [False, True])
def test_a_folder_whose_properties_all_go_meanwhile_is_moved_or_copied(
    verb: str, is_replaced: bool
) -> None:
    deed = move if verb == "move" else copy
    for number in each_request(deed):
        with filled() as drive, another(drive) as other:
            if is_replaced:
                drive.outside("t/a", "t/b")
                paint(drive.tree, "t", "ab", "replaced")
                drive.clock.advance(100)
            cleared = Cleared(drive.store, number, other)
            is_done = deed(drive.tree)
            assert is_done or (is_replaced and cleared), number
            found = shown(drive, "t" if is_done else "s")
            assert all(found[name] == OLD[name] for name in found), number
            assert missing(drive.bucket) == set()


class Cleared:
    """Removes all properties, likewise."""

    def __init__(self, store: WatchedStore, number: int, tree: Namespace) -> None:
        def clear() -> None:
            for name in NAMES:
                with suppress(NotFoundError):
                    tree.update_properties(("s", name), {P: None})

        at(store, number, clear)


@pytest.mark.parametrize("ways", [["/s /t"], ["/s /t", "/t /s"]], ids=["away", "and back"])
def test_an_update_of_a_folder_that_is_moved_meanwhile_is_kept_or_refused(ways: list[str]) -> None:
    for number in each_request(update):
        with filled() as drive, another(drive) as other:
            moved = Moved(drive.store, number, other, ways).done
            new = paint(drive.tree, "s", "abc", "mine")
            assert all(moved)
            # One may have come after a look at the member, and before one at the properties: the
            # first ones of a folder that isn't there any more.
            found = shown(drive, ways[-1][-1] if moved else "s")
            left = Sidecars(drive.bucket).read("s/") if len(moved) == 1 else {}
            assert len(left) <= 1
            assert found | {name: each[P] for name, each in left.items()} == OLD | new, number
            assert missing(drive.bucket) == set()


@pytest.mark.parametrize("is_moved_back", [False, True])
def test_a_delete_of_merged_segments_that_comes_late_hits_none_that_has_come_back(
    is_moved_back: bool,
) -> None:
    """The folder is moved away with its old head, and back, before the delete arrives."""
    with filled() as drive:
        late = LateDeletes(drive.bucket)
        new: dict[str, str] = {}
        with another(drive, store=late) as merging, another(drive) as other:

            def before(operation: str, key: str) -> None:
                if (operation, key) == ("list", "t/") and not new:
                    new.update(paint(merging, "s", "abcde", "new"))

            drive.store.before = before
            assert move(drive.tree)
            assert not is_moved_back or move(other, "/t", "/s")
        assert late.deletes
        for key in late.deletes:
            drive.bucket.delete_object(key)
        assert shown(drive, "s" if is_moved_back else "t") == OLD | new
        assert missing(drive.bucket) == set()


class LateDeletes(WatchedStore):
    """Its deletes of several keys don't arrive until somebody sends them."""

    def __init__(self, inner: ObjectStore) -> None:
        super().__init__(inner)
        self.deletes: list[str] = []

    def delete_objects(
        self, keys: Sequence[str], *, versions: Mapping[str, ObjectRow] = NO_VERSIONS
    ) -> list[DeleteFailure]:
        self.deletes += keys
        raise UnavailableError("the answer is lost")


def test_updates_that_cross_updates_are_all_kept() -> None:
    for number in each_request(update):
        with filled() as drive, another(drive) as other:
            meanwhile = Meanwhile(drive.store, number, other, "defghdef")
            new = paint(drive.tree, "s", "abc", "mine")
            assert len(new) == 3
            assert shown(drive, "s") == OLD | new | meanwhile.done, number
            assert orphans(drive.bucket) == missing(drive.bucket) == set()


def test_an_update_that_loses_to_others_writes_no_segments_until_it_wins() -> None:
    """With a request or two more at each attempt it would lose for ever."""
    with filled() as drive, another(drive) as other:
        turns = iter(range(100))

        def before(operation: str, key: str) -> None:
            if operation == "put" and is_segment(key):
                paint(other, "s", "h", f"turn {next(turns)}")

        drive.store.before = before
        new = paint(drive.tree, "s", "abcdefg", "mine")
        assert new == {name: value(f"mine {name}") for name in "abcdefg"}
        assert new.items() <= shown(drive, "s").items()
        assert orphans(drive.bucket) == missing(drive.bucket) == set()


@pytest.mark.parametrize("is_known", [True, False])
def test_who_reads_while_others_merge_reads_all(is_known: bool) -> None:
    def read(tree: Namespace) -> dict[str, str]:
        return {name: each[P] for name, each in member_properties(tree, ("s",)).items()}

    for number in range(20):
        with filled() as drive, another(drive) as other:
            store = WatchedStore(drive.bucket)
            over = CachedStore(store, CacheSettings(), timer=drive.clock.seconds)
            tree = Namespace(over, uncached=store)
            if is_known:
                tree.properties(("s", "h"))
            meanwhile = Meanwhile(store, number, other, "abcdefgh" * 2)
            found = read(tree)
            assert found.keys() == OLD.keys(), number
            new = meanwhile.done
            assert all(found[n] in (OLD[n], new.get(n)) for n in NAMES), number
            tree.close()


def test_a_bridge_that_dies_in_an_update_loses_nothing() -> None:
    for number in each_request(update):
        with filled() as drive:
            kill_at(drive, number)
            acknowledged: dict[str, str] = {}
            with suppress(KilledError):
                for name in "abc":
                    drive.tree.update_properties(("s", name), {P: value(f"mine {name}")})
                    acknowledged[name] = value(f"mine {name}")
            found = shown(drive, "s")
            assert found.keys() == OLD.keys()
            known = OLD | acknowledged
            assert all(found[n] in (known[n], value(f"mine {n}")) for n in NAMES), number
            assert missing(drive.bucket) == set()
            with another(drive) as other:
                new = paint(other, "s", "abcdefgh", "new")
            assert shown(drive, "s") == new


def test_segments_that_dead_bridges_have_left_are_deleted_a_day_later() -> None:
    for number in each_request(update):
        with filled() as drive:
            kill_at(drive, number)
            with suppress(KilledError):
                update(drive.tree)
            drive.clock.advance(25 * 60 * 60)
            with another(drive) as other:
                new = paint(other, "s", "abcdefgh" * 2, "new")
            assert shown(drive, "s") == new
            assert orphans(drive.bucket) == missing(drive.bucket) == set(), number


def test_segments_of_a_head_that_was_set_aside_stay() -> None:
    """A bridge of an earlier version takes such a head for damaged."""
    with filled() as drive:
        body = drive.content(f"s/{SIDECAR_NAME}")
        drive.outside(f"s/{SIDECAR_NAME}", body=b"by an earlier version")
        drive.clock.advance(25 * 60 * 60)
        paint(drive.tree, "s", NAMES, "new")
        paint(drive.tree, "s", NAMES, "newer")
        assert orphans(drive.bucket)
        drive.outside(f"s/{SIDECAR_NAME}", body=body)
        assert missing(drive.bucket) == set()
        assert shown(drive, "s") == OLD


@pytest.mark.parametrize("has_update", [False, True])
@pytest.mark.parametrize("verb", ["move", "copy"])
def test_a_bridge_that_dies_in_a_move_or_copy_of_a_folder_loses_no_property(
    verb: str, has_update: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("davbridge.tree.operations.attempts.JOURNALED", 1)
    deed = move if verb == "move" else copy
    for number in each_request(deed):
        with filled() as drive:
            kill_at(drive, number)
            with suppress(KilledError):
                deed(drive.tree)
            new: dict[str, str] = {}
            if has_update:
                with another(drive) as other:
                    new = paint(other, "s", "abcde", "new")
            recovered(drive)
            known = OLD | new
            at_source, at_target = shown(drive, "s"), shown(drive, "t")
            there = {key for key in bodies(drive) if not is_sidecar(key)}
            for name in NAMES:
                if verb == "copy" or f"t/{name}" not in there:
                    assert at_source.get(name) == known[name], (number, name)
                if verb == "move" and f"t/{name}" in there:
                    assert at_target.get(name) == known[name], (number, name)
                if verb == "copy" and f"t/{name}" in there:
                    assert at_target.get(name) in (OLD[name], known[name]), (number, name)
            assert missing(drive.bucket) == set(), number


def test_a_copy_or_move_that_fails_leaves_no_segments() -> None:
    for deed in (move, copy):
        with filled() as drive:
            before = bodies(drive)
            drive.store.fault = lambda operation, key: (
                AccessDeniedError(key) if (operation, key) == ("copy", "s/h") else None
            )
            assert not deed(drive.tree)
            assert shown(drive, "s") == OLD
            there = {key for key in bodies(drive) if key.startswith("s/")}
            assert there == before.keys()
            if deed is move:
                assert bodies(drive).keys() == before.keys()


def test_a_folder_that_is_replaced_leaves_no_segments() -> None:
    for deed in (move, copy):
        with filled() as drive:
            drive.outside("t/", *(f"t/{name}" for name in "abxy"))
            for name in "abxy":
                drive.tree.update_properties(("t", name), {P: value(f"replaced {name}")})
            drive.clock.advance(100)
            assert deed(drive.tree)
            assert shown(drive, "t") == OLD
            assert orphans(drive.bucket) == missing(drive.bucket) == set()


def test_a_deleted_folder_leaves_no_segments() -> None:
    with filled() as drive:
        assert drive.tree.delete(parse("/s")) == []
        assert drive.stored() == []


def test_a_folder_that_is_deleted_while_its_segments_are_merged_leaves_none() -> None:
    def delete(tree: Namespace) -> object:
        return tree.delete(parse("/s"))

    for number in each_request(delete):
        with filled() as drive, another(drive) as other:
            Meanwhile(drive.store, number, other, "abcde")
            assert delete(drive.tree) == []
            assert drive.stored() == [], number


class LostAnswer(WatchedStore):
    """The answer to the PUT of a head is lost, and ``meanwhile`` is called before it is sent again:
    then the store refuses it, though it has had its effect."""

    def __init__(self, inner: ObjectStore, number: int, meanwhile: Callable[[], object]) -> None:
        super().__init__(inner)
        self.left = number
        self.meanwhile = meanwhile

    def put_object(
        self, key: str, body: bytes, attributes: Attributes, condition: Condition = ALWAYS
    ) -> ObjectRow:
        row = super().put_object(key, body, attributes, condition)
        if is_head(key):
            self.left -= 1
            if self.left == -1:
                self.meanwhile()
                raise PreconditionFailedError(key)
        return row


def test_segments_of_a_head_whose_write_seemed_refused_stay_if_another_bridge_has_gone_on() -> None:
    for number in range(6):
        with filled() as drive, another(drive) as other:
            store = LostAnswer(drive.bucket, number, partial(paint, other, "s", "h", "new"))
            with another(drive, store=store) as tree:
                mine = paint(tree, "s", "abcdef", "mine")
            assert len(mine) == 6
            assert shown(drive, "s") == OLD | mine | {"h": value("new h")}, number
            assert missing(drive.bucket) == set(), number


def test_segments_of_a_copy_whose_head_seemed_refused_stay_if_another_bridge_has_gone_on() -> None:
    with filled() as drive, another(drive) as other:
        drive.outside("t/a")
        drive.clock.advance(100)
        store = LostAnswer(drive.bucket, 0, partial(paint, other, "t", "a", "new"))
        with another(drive, store=store) as tree:
            move(tree)
        assert missing(drive.bucket) == set()


def test_a_folder_whose_properties_all_go_has_no_sidecar() -> None:
    with filled() as drive:
        for name in NAMES:
            drive.tree.update_properties(("s", name), {P: None})
        assert not [key for key in drive.stored() if is_sidecar(key)]
