"""Dead properties: one sidecar object per collection, that follows its members."""

import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Lock, Thread

import pytest

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.errors import (
    AccessDeniedError,
    NotFoundError,
    OutOfSpaceError,
    StoreError,
    UnavailableError,
)
from davbridge.paths import parse
from davbridge.store.base import Attributes, ObjectInfo, ObjectReader, ObjectStore
from davbridge.store.memory import MemoryReader, MemoryStore
from davbridge.tree.namespace import Namespace
from davbridge.tree.properties import sidecar_files, sidecar_format
from davbridge.tree.properties.sidecar_files import LARGE
from davbridge.tree.properties.sidecar_format import SIDECAR_NAME
from davbridge.tree.properties.sidecars import Sidecars
from tests.support.intercepted import InterceptedStore
from tests.tree.conftest import Drive, member_properties

P, Q = {"{n}p": "<p xmlns='n'>ü</p>"}, {"{n}q": "<q xmlns='n'/>"}


def give(drive: Drive, *paths: str) -> None:
    """Gives each of them a property that tells whose it is."""
    for path in paths:
        drive.tree.update_properties(parse(path), {"{n}of": f"<of xmlns='n'>{path}</of>"})


def whose(drive: Drive, path: str) -> str | None:
    text = drive.tree.properties(parse(path)).get("{n}of")
    return text and text.removeprefix("<of xmlns='n'>").removesuffix("</of>")


class SlowReads(InterceptedStore):
    """Knows how many bodies were read, and how many at once."""

    def __init__(self, inner: ObjectStore) -> None:
        super().__init__(inner)
        self.lock = Lock()
        self.count = self.now = self.most = 0

    def get_object(
        self, key: str, *, start: int = 0, end: int | None = None, if_match: str | None = None
    ) -> ObjectReader:
        reader = super().get_object(key, start=start, end=end, if_match=if_match)
        return SlowReader(self, reader.info, reader.read(1_000_000_000))


class SlowReader(MemoryReader):
    def __init__(self, store: SlowReads, info: ObjectInfo, body: bytes) -> None:
        super().__init__(info, body)
        self.store = store

    def read(self, size: int) -> bytes:
        block = super().read(size)
        with self.store.lock:
            if block:
                self.store.count += 1
                self.store.now += 1
                self.store.most = max(self.store.most, self.store.now)
        if not block:
            time.sleep(0.02)
            with self.store.lock:
                self.store.now -= 1
        return block


class TestUpdates:
    def test_properties_are_set_replaced_and_removed(self, drive: Drive) -> None:
        drive.outside("a")
        drive.tree.update_properties(parse("/a"), {**P, **Q})
        assert drive.tree.properties(parse("/a")) == {**P, **Q}
        drive.tree.update_properties(
            parse("/a"), {"{n}p": None, "{n}q": "<q xmlns='n'>new</q>", "{n}no": None}
        )
        assert drive.tree.properties(parse("/a")) == {"{n}q": "<q xmlns='n'>new</q>"}

    def test_each_member_and_the_root_have_properties_of_their_own(self, drive: Drive) -> None:
        drive.outside("d/a", "d/e/b", "d/none")
        give(drive, "/", "/d", "/d/a", "/d/e")
        for path in ("/", "/d", "/d/a", "/d/e"):
            assert whose(drive, path) == path
        assert drive.tree.properties(parse("/d/none")) == {}
        assert member_properties(drive.tree, parse("/d")).keys() == {"a", "e"}
        assert member_properties(drive.tree, ()).keys() == {"d"}
        assert [key for key in drive.stored() if SIDECAR_NAME in key] == [
            SIDECAR_NAME,
            f"d/{SIDECAR_NAME}",
        ]

    def test_properties_of_nothing_are_refused(self, drive: Drive) -> None:
        with pytest.raises(NotFoundError):
            drive.tree.update_properties(parse("/a"), P)
        assert drive.stored() == []

    def test_another_bridge_reads_the_properties(self, drive: Drive) -> None:
        drive.outside("a")
        drive.tree.update_properties(parse("/a"), P)
        other = Namespace(drive.bucket)
        assert other.properties(parse("/a")) == P
        other.close()

    def test_a_bridge_that_removes_the_last_properties_it_knows_keeps_another_bridges(
        self, drive: Drive
    ) -> None:
        drive.outside("a", "b")
        one, other = (Namespace(CachedStore(drive.bucket, CacheSettings())) for _ in range(2))
        try:
            one.update_properties(parse("/a"), P)
            other.update_properties(parse("/b"), Q)
            one.update_properties(parse("/a"), dict.fromkeys(P))
        finally:
            one.close()
            other.close()
        assert drive.tree.properties(parse("/a")) == {}
        assert drive.tree.properties(parse("/b")) == Q

    def test_an_emptied_sidecar_is_deleted(self, drive: Drive) -> None:
        drive.outside("a", "b")
        give(drive, "/a", "/b")
        drive.tree.update_properties(parse("/a"), {"{n}of": None})
        drive.tree.update_properties(parse("/b"), {"{n}of": None})
        assert drive.stored() == ["a", "b"]

    def test_an_update_that_changes_nothing_writes_nothing(self, drive: Drive) -> None:
        drive.outside("a")
        drive.tree.update_properties(parse("/a"), P)
        drive.store.taken()
        drive.tree.update_properties(parse("/a"), P)
        assert set(drive.store.taken()) == {"lookup"}

    def test_updates_of_many_threads_and_bridges_are_all_kept(self, drive: Drive) -> None:
        names = [f"f{number}" for number in range(12)]
        drive.outside(*names)
        bridges = [Namespace(drive.bucket) for _ in range(3)]
        errors: list[Exception] = []

        def update(number: int, name: str) -> None:
            try:
                for turn in range(5):
                    change = {f"{{n}}p{turn}": f"<p{turn} xmlns='n'/>"}
                    bridges[number % 3].update_properties((name,), change)
            except StoreError as error:
                errors.append(error)

        threads = [Thread(target=update, args=one) for one in enumerate(names)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        members = member_properties(drive.tree, ())
        assert {name: len(props) for name, props in members.items()} == dict.fromkeys(names, 5)
        for bridge in bridges:
            bridge.close()

    def test_an_update_that_loses_a_race_starts_from_what_won(self, drive: Drive) -> None:
        drive.outside("a", "b")
        give(drive, "/a")
        other = Namespace(drive.bucket)
        races = iter(range(2))

        def meanwhile(operation: str, key: str) -> None:
            if (operation, key) == ("put", SIDECAR_NAME) and next(races, None) is not None:
                other.update_properties(
                    parse("/a"), {"{n}more": f"<more xmlns='n'>{id(object())}</more>"}
                )

        drive.store.before = meanwhile
        give(drive, "/b")
        assert whose(drive, "/b") == "/b"
        assert drive.tree.properties(parse("/a")).keys() == {"{n}of", "{n}more"}
        other.close()

    def test_an_update_that_always_loses_gives_up(self, drive: Drive) -> None:
        drive.outside("a", "b")
        count = iter(range(1000))

        def meanwhile(operation: str, key: str) -> None:
            if (operation, key) == ("put", SIDECAR_NAME):
                content = {
                    "format": 1,
                    "members": {"b": {"{n}x": f"<x xmlns='n'>{next(count)}</x>"}},
                }
                drive.outside(SIDECAR_NAME, body=json.dumps(content).encode())

        drive.store.before = meanwhile
        with pytest.raises(UnavailableError):
            give(drive, "/a")


class TestBounds:
    def test_properties_of_one_resource_have_a_bound(self, drive: Drive) -> None:
        drive.outside("a")
        with pytest.raises(OutOfSpaceError):
            drive.tree.update_properties(
                parse("/a"), {"{n}p": "x" * sidecar_format.MAX_RESOURCE_BYTES}
            )
        assert drive.stored() == ["a"]

    def test_properties_of_one_collection_have_no_bound(self, drive: Drive) -> None:
        big = {"{n}p": f"<p xmlns='n'>{'x' * (sidecar_format.MAX_RESOURCE_BYTES - 100)}</p>"}
        names = [f"f{number}" for number in range(9)]
        drive.outside(*names)
        for name in names:
            drive.tree.update_properties((name,), big)
        assert dict(member_properties(drive.tree, ())) == dict.fromkeys(names, big)


class TestDamage:
    BROKEN = (
        b"",
        b"\xff",
        b"{",
        b"[]",
        b'{"format": 3, "members": {}}',
        b'{"format": 2, "segments": ["x"], "members": {}}',
        b'{"format": 1, "members": []}',
        b'{"format": 1, "members": {"a": []}}',
        b'{"format": 1, "members": {"a": {"p": 1}}}',
        b'{"format": 1, "members": {"a": {"p": "<?xml version=\'1.0\'?><p/>"}}}',
        b'{"format": 1, "members": {"a": {"p": "\\ufeff<?xml version=\'1.0\'?><p/>"}}}',
        b'{"format": 1, "members": {"a": {"p": " <!DOCTYPE p><p/>"}}}',
        b"[" * 100_000,
    )

    @pytest.mark.parametrize("body", BROKEN)
    def test_a_damaged_sidecar_is_logged_and_has_no_properties(
        self, drive: Drive, body: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        drive.outside("a")
        drive.outside(SIDECAR_NAME, body=body)
        with caplog.at_level(logging.WARNING):
            assert drive.tree.properties(parse("/a")) == {}
            assert not any(member_properties(drive.tree, ()).values())
        assert len(caplog.records) == 1

    def test_an_update_sets_a_damaged_sidecar_aside_under_a_hidden_name(self, drive: Drive) -> None:
        drive.outside("a")
        drive.outside(SIDECAR_NAME, body=b"{broken")
        drive.tree.update_properties(parse("/a"), P)
        assert drive.tree.properties(parse("/a")) == P
        (aside,) = [key for key in drive.stored() if key.startswith(f"{SIDECAR_NAME}.damaged-")]
        assert drive.content(aside) == b"{broken"
        assert drive.kind(f"/{aside}") is None
        assert drive.names() == ["a"]

    def test_an_update_succeeds_where_the_damaged_sidecar_is_gone_meanwhile(
        self, drive: Drive
    ) -> None:
        """Who deletes a damaged sidecar hasn't deleted what it was about."""
        drive.outside("a")
        drive.outside(SIDECAR_NAME, body=b"{broken")
        drive.store.before = lambda operation, _: (
            drive.bucket.delete_object(SIDECAR_NAME) if operation == "copy" else None
        )
        drive.tree.update_properties(parse("/a"), P)
        assert drive.tree.properties(parse("/a")) == P
        assert drive.stored() == [SIDECAR_NAME, "a"]

    def test_a_sidecar_longer_than_any_is_not_read_to_its_end(self, drive: Drive) -> None:
        drive.outside("a")
        drive.outside(SIDECAR_NAME, body=b" " * (sidecar_format.MAX_OBJECT_BYTES + 3_000_000))
        assert drive.tree.properties(parse("/a")) == {}

    def test_large_sidecars_are_read_one_at_a_time(self) -> None:
        """What is read of one takes several times its size, until it is understood."""
        store = SlowReads(MemoryStore())
        properties = {f"{{n}}p{n}": f"<p{n} xmlns='n'>{'x' * 200}</p{n}>" for n in range(40)}
        members = {f"name-{n}": properties for n in range(60)}
        body = json.dumps({"format": 1, "members": members}).encode()
        assert len(body) > LARGE
        prefixes = [f"d{number}/" for number in range(4)]
        for prefix in prefixes:
            store.put_object(prefix + SIDECAR_NAME, body, Attributes())
        sidecars = Sidecars(store)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(sidecars.read, prefixes * 2))
        assert {len(members) for members in found} == {60}
        assert store.most == 1
        assert store.count == len(prefixes)


class TestFollowing:
    """Properties stay, go and come along with their resource."""

    def test_an_overwriting_put_keeps_properties(self, drive: Drive) -> None:
        drive.put("/a")
        give(drive, "/a")
        drive.put("/a", b"other")
        assert whose(drive, "/a") == "/a"

    @pytest.mark.parametrize("is_outside", [False, True])
    def test_a_new_resource_of_an_old_name_has_no_properties(
        self, drive: Drive, is_outside: bool
    ) -> None:
        for make in (drive.put, drive.mkcol):
            drive.mkcol("/d")
            make("/d/a")
            give(drive, "/d/a")
            if is_outside:
                drive.bucket.delete_objects(["d/a", "d/a/"])
            else:
                drive.tree.delete(parse("/d/a"))
            make("/d/a")
            assert whose(drive, "/d/a") is None
            drive.tree.delete(parse("/d"))
            assert drive.stored() == []

    def test_delete_removes_properties(self, drive: Drive) -> None:
        drive.outside("a", "d/b", "d/e/c")
        give(drive, "/a", "/d", "/d/b", "/d/e", "/d/e/c")
        drive.tree.delete(parse("/a"))
        drive.tree.delete(parse("/d"))
        assert drive.stored() == []

    @pytest.mark.parametrize("operation", ["copy", "move"])
    def test_a_moved_file_takes_its_properties_along(self, drive: Drive, operation: str) -> None:
        drive.outside("d/a", "d/b", "e/c")
        give(drive, "/d/a", "/d/b")
        getattr(drive.tree, operation)(parse("/d/a"), parse("/e/a"))
        getattr(drive.tree, operation)(parse("/d/b"), parse("/d/b2"))
        assert whose(drive, "/e/a") == "/d/a"
        assert whose(drive, "/d/b2") == "/d/b"
        left = {"a", "b", "b2"} if operation == "copy" else {"b2"}
        assert member_properties(drive.tree, parse("/d")).keys() == left

    def test_a_folder_that_only_properties_show_needs_no_marker_around_it(
        self, drive: Drive
    ) -> None:
        """Another program has deleted the file that they are of."""
        drive.outside("s/d/a")
        give(drive, "/s/d/a")
        drive.bucket.delete_object("s/d/a")
        drive.tree.copy(parse("/s"), parse("/t"))
        assert drive.names("/t") == ["d/"]
        assert drive.stored() == [f"s/d/{SIDECAR_NAME}", f"t/d/{SIDECAR_NAME}"]

    def test_a_member_of_the_target_that_cannot_be_deleted_keeps_its_properties(
        self, drive: Drive
    ) -> None:
        drive.outside("s/a", "t/d/x", "t/e/y")
        give(drive, "/t/d/x", "/t/e/y")
        drive.store.fault = lambda operation, key: (
            AccessDeniedError(key) if (operation, key) == ("delete", "t/d/x") else None
        )
        (failure,) = drive.tree.copy(parse("/s"), parse("/t"))
        assert failure.path == ("t", "d", "x")
        assert whose(drive, "/t/d/x") == "/t/d/x"
        assert drive.stored() == ["s/a", "t/a", f"t/d/{SIDECAR_NAME}", "t/d/x"]

    @pytest.mark.parametrize(("source", "left"), [("/a", None), ("/d", "collection")])
    def test_a_copy_never_has_properties_of_a_file_that_was_deleted(
        self, drive: Drive, source: str, left: str | None
    ) -> None:
        """Another program has deleted it, so that they are left; its own can't be written. A file
        that was copied goes again then."""
        drive.outside("a", "d/a", "new")
        give(drive, source, "/new")
        drive.bucket.delete_object("new")

        def fault(operation: str, key: str) -> StoreError | None:
            has_copied = any(name == "copy" for name, _ in drive.store.requests)
            is_write = operation == "put" and key == SIDECAR_NAME
            return UnavailableError("no") if is_write and has_copied else None

        drive.store.taken()
        drive.store.fault = fault
        with suppress(StoreError):
            assert drive.tree.copy(parse(source), parse("/new"))
        assert drive.kind("/new") == left
        assert whose(drive, "/new") is None

    @pytest.mark.parametrize("operation", ["copy", "move"])
    def test_a_moved_tree_takes_its_properties_along(self, drive: Drive, operation: str) -> None:
        drive.outside("d/a", "d/e/b", "f/x")
        give(drive, "/d", "/d/a", "/d/e", "/d/e/b")
        getattr(drive.tree, operation)(parse("/d"), parse("/f/d"))
        for path in ("/d", "/d/a", "/d/e", "/d/e/b"):
            assert whose(drive, f"/f{path}") == path
            assert whose(drive, path) == (path if operation == "copy" else None)

    @pytest.mark.parametrize("operation", ["copy", "move"])
    def test_moved_properties_replace_those_of_the_target(
        self, drive: Drive, operation: str
    ) -> None:
        drive.outside("a", "b", "d/x", "d/y", "e/x", "e/gone/z")
        give(drive, "/b", "/d/x", "/e", "/e/x", "/e/gone", "/e/gone/z")
        getattr(drive.tree, operation)(parse("/a"), parse("/b"))
        getattr(drive.tree, operation)(parse("/d"), parse("/e"))
        assert whose(drive, "/b") is None
        assert whose(drive, "/e") is None
        assert member_properties(drive.tree, parse("/e")).keys() == {"x"}
        assert whose(drive, "/e/x") == "/d/x"
        assert drive.kind("/e/gone") is None

    def test_a_move_writes_properties_before_it_deletes_and_drops_the_sources_last(
        self, drive: Drive
    ) -> None:
        drive.outside("d/a", "d/keep", "e/x")
        give(drive, "/d/a", "/d/keep")
        drive.store.requests.clear()
        drive.tree.move(parse("/d/a"), parse("/e/a"))
        writes = [one for one in drive.store.requests if one[0] in ("copy", "put", "delete")]
        assert writes == [
            ("copy", "d/a"),
            ("put", f"e/{SIDECAR_NAME}"),
            ("delete", "d/a"),
            ("put", f"d/{SIDECAR_NAME}"),
        ]

    def test_a_move_whose_properties_cannot_be_written_loses_nothing(self, drive: Drive) -> None:
        drive.outside("d/a", "e/x", "t/b")
        give(drive, "/d/a", "/t")
        keys = drive.stored()
        drive.store.fault = lambda operation, key: (
            AccessDeniedError(key) if operation == "put" else None
        )
        with pytest.raises(AccessDeniedError):
            drive.tree.move(parse("/d/a"), parse("/e/a"))
        assert [f.path for f in drive.tree.move(parse("/t"), parse("/e/t"))] == [("e", "t")]
        assert drive.stored() == keys
        assert whose(drive, "/d/a") == "/d/a"

    def test_properties_that_cannot_be_dropped_do_not_come_back(self, drive: Drive) -> None:
        drive.put("/a")
        give(drive, "/a", "/")
        drive.store.fault = lambda operation, key: (
            AccessDeniedError(key) if operation == "put" else None
        )
        assert drive.tree.delete(parse("/a")) == []
        drive.store.fault = lambda operation, key: None
        drive.put("/a")
        assert whose(drive, "/a") is None

    def test_a_member_that_stays_keeps_its_properties(self, drive: Drive) -> None:
        drive.outside("d/a", "d/b", "d/e/c")
        give(drive, "/d", "/d/a", "/d/e/c")
        drive.store.fault = lambda operation, key: (
            AccessDeniedError(key) if (operation, key) == ("delete", "d/a") else None
        )
        assert [f.path for f in drive.tree.delete(parse("/d"))] == [("d", "a")]
        assert drive.kind("/d/e") is None
        assert whose(drive, "/d") == "/d"
        assert whose(drive, "/d/a") == "/d/a"


class TestTogether:
    """Updates of one sidecar that come while it is being written share the next write."""

    NAMES = tuple(f"f{number}" for number in range(12))

    def updates(self, drive: Drive, *names: str) -> list[Thread]:
        def update(name: str) -> None:
            self.errors[name] = None
            try:
                drive.tree.update_properties((name,), {"{n}p": self.texts.get(name, P["{n}p"])})
            except StoreError as error:
                self.errors[name] = error

        threads = [Thread(target=update, args=[name]) for name in names]
        for thread in threads:
            thread.start()
        return threads

    def all_at_once(self, drive: Drive) -> int:
        """The first update, and while it is written all others; how many writes that took."""
        drive.outside(*self.NAMES)
        others: list[Thread] = []

        def before(operation: str, key: str) -> None:
            if (operation, key) == ("put", SIDECAR_NAME) and not others:
                others.extend(self.updates(drive, *self.NAMES[1:]))
                others[-1].join(0.3)  # All wait for this write.

        drive.store.before = before
        for thread in self.updates(drive, self.NAMES[0]):
            thread.join()
        for thread in others:
            thread.join()
        return drive.store.requests.count(("put", SIDECAR_NAME))

    @pytest.fixture(autouse=True)
    def blank(self) -> None:
        self.errors: dict[str, StoreError | None] = {}
        self.texts: dict[str, str] = {}

    def test_concurrent_updates_take_far_fewer_writes(self, drive: Drive) -> None:
        assert self.all_at_once(drive) <= 4
        assert set(self.errors.values()) == {None}
        other = Namespace(drive.bucket)
        assert member_properties(other, ()).keys() == set(self.NAMES)
        other.close()

    def test_one_of_many_concurrent_updates_is_refused_alone(self, drive: Drive) -> None:
        self.texts["f5"] = "x" * sidecar_format.MAX_RESOURCE_BYTES
        self.all_at_once(drive)
        assert {name for name, error in self.errors.items() if error} == {"f5"}
        assert member_properties(drive.tree, ()).keys() == set(self.NAMES) - {"f5"}

    def test_a_sidecar_write_that_fails_fails_all_updates_in_it(self, drive: Drive) -> None:
        drive.store.fault = lambda operation, key: (
            AccessDeniedError(key) if (operation, key) == ("put", SIDECAR_NAME) else None
        )
        assert self.all_at_once(drive) <= 4
        assert all(isinstance(error, AccessDeniedError) for error in self.errors.values())
        assert member_properties(drive.tree, ()) == {}


class TestRequests:
    def test_properties_without_a_sidecar_cost_no_request(self, drive: Drive) -> None:
        drive.outside("d/a")
        member_properties(drive.tree, parse("/d"))
        drive.tree.properties(parse("/d/a"))
        assert set(drive.store.taken()) == {"list", "lookup"}

    def test_one_get_serves_all_members(self, drive: Drive) -> None:
        drive.outside("d/a", "d/b")
        give(drive, "/d/a", "/d/b")
        other = Namespace(drive.store)
        drive.store.taken()
        member_properties(other, parse("/d"))
        other.properties(parse("/d/a"))
        member_properties(other, parse("/d"))
        assert drive.store.taken().count("get") == 1
        other.close()

    def test_properties_of_our_own_write_are_read_without_a_request(self, drive: Drive) -> None:
        drive.outside("a")
        give(drive, "/a")
        drive.store.taken()
        assert whose(drive, "/a") == "/a"
        assert "get" not in drive.store.taken()

    def test_sidecars_too_big_for_the_cache_are_read_all_the_same(
        self, drive: Drive, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sidecar_files, "MAX_CACHE_BYTES", 100)
        drive.bucket.put_object("a", b"", Attributes())
        give(drive, "/a")
        assert whose(drive, "/a") == "/a"
