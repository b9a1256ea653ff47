"""An exclusive lock keeps out whoever was admitted before it was granted, whatever the method.

What is looked at is the store: at each write that reaches it, whether a lock is held there whose
token the request hasn't shown.
"""

import unicodedata
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from typing import TypeVar
from urllib.parse import quote

import pytest

from davbridge.dav.locking.memory import MemoryLockStore
from davbridge.store.base import ObjectStore
from davbridge.store.memory import MemoryStore
from tests.dav.methods.words import EXCLUSIVE, patch
from tests.support.bridge import Bridge, running_bridge
from tests.support.contract import drain, keys
from tests.support.intercepted import InterceptedStore
from tests.support.objects import put

T = TypeVar("T")

MOMENT = 0.3
"""Seconds in which a request that doesn't wait is answered."""

PATIENCE = 60.0

WRITES = ("commit", "put_object", "copy_object", "delete_object", "delete_objects")


class Halting(InterceptedStore):
    """Calls ``before`` ahead of each write."""

    def __init__(self, inner: ObjectStore) -> None:
        super().__init__(inner)
        self.before: Callable[[str, str], object] = lambda name, key: None

    def intercept(self, name: str, key: str, call: Callable[[], T]) -> T:
        if name in WRITES:
            self.before(name, key)
        return call()


class Scene:
    """A bridge, its store and its locks, and requests that come at chosen moments."""

    def __init__(self, bridge: Bridge, store: Halting, bucket: MemoryStore) -> None:
        self.bridge = bridge
        self.store = store
        self.bucket = bucket
        self.threads = ThreadPoolExecutor(4)
        self.begun: list[Future[int]] = []

    def ask(self, method: str, path: str, body: str = "", to: str = "", depth: str = "") -> int:
        headers = {"Destination": self.bridge.url + to} if to else {}
        headers |= {"Depth": depth} if depth else {}
        with self.bridge.client() as client:
            return client(method, path, body, headers).status

    def begin(self, *asked: str, **named: str) -> None:
        """Sends a request from elsewhere, and gives it a moment."""
        self.begun.append(self.threads.submit(self.ask, *asked, **named))
        wait_for(self.begun[-1:], MOMENT)

    def at_the_first_write(self, *deeds: Callable[[], object]) -> None:
        left = list(deeds)

        def before(_name: str, _key: str) -> None:
            while left:
                left.pop(0)()

        self.store.before = before


@pytest.fixture
def locks() -> MemoryLockStore:
    return MemoryLockStore()


@pytest.fixture
def scene(locks: MemoryLockStore) -> Iterator[Scene]:
    bucket = MemoryStore()
    for key in ("a", "b", "d/", "d/f", "s/", "s/1"):
        put(bucket, key, body=b"" if key.endswith("/") else key.encode())
    store = Halting(bucket)
    with running_bridge(store, locks=locks) as bridge:
        scene = Scene(bridge, store, bucket)
        with scene.threads:
            yield scene


PATCH = patch("set", "<p:q>1</p:q>")

REQUESTS = [
    pytest.param(("PUT", "/a", "new"), "/a", id="PUT"),
    pytest.param(("PUT", "/d/new", "new"), "/d/", id="PUT into a locked folder"),
    pytest.param(("MKCOL", "/new/"), "/new", id="MKCOL"),
    pytest.param(("MKCOL", "/d/new/"), "/d/", id="MKCOL into a locked folder"),
    pytest.param(("PROPPATCH", "/a", PATCH), "/a", id="PROPPATCH"),
    pytest.param(("PROPPATCH", "/d/", PATCH), "/d/", id="PROPPATCH of a folder"),
    pytest.param(("LOCK", "/d/new", EXCLUSIVE), "/d/new", id="LOCK of a new name"),
    pytest.param(("DELETE", "/a"), "/a", id="DELETE"),
    pytest.param(("DELETE", "/d/"), "/d/f", id="DELETE around"),
    pytest.param(("DELETE", "/d/f"), "/d/", id="DELETE out of a locked folder"),
    pytest.param(("MOVE", "/a", "", "/n"), "/a", id="MOVE, the source"),
    pytest.param(("MOVE", "/a", "", "/b"), "/b", id="MOVE, the target"),
    pytest.param(("MOVE", "/s/", "", "/d/"), "/d/f", id="MOVE, in the target"),
    pytest.param(("COPY", "/a", "", "/b"), "/b", id="COPY, the target"),
    pytest.param(("COPY", "/s/", "", "/d/"), "/d/f", id="COPY, in the target"),
]


@pytest.mark.parametrize("depth", ["0", "infinity"])
@pytest.mark.parametrize(("writing", "locked"), REQUESTS)
def test_no_lock_is_granted_while_a_write_in_its_scope_is_on_its_way(
    scene: Scene, locks: MemoryLockStore, writing: Sequence[str], locked: str, depth: str
) -> None:
    held: list[int] = []

    def ask_for_lock() -> None:
        before = len(locks.rooted_below(()))
        scene.begin("LOCK", locked, EXCLUSIVE, depth=depth)
        held.append(len(locks.rooted_below(())) - before)

    scene.at_the_first_write(ask_for_lock)
    status = scene.ask(*writing)
    assert status in (201, 204, 207)
    assert held == [0]
    scene.store.before = lambda name, key: None
    # 409: the folder has gone, that the lock's empty file would have been in.
    expected = (423,) if writing[0] == "LOCK" else (200, 201, 409)
    assert scene.begun[0].result(PATIENCE) in expected


COMPOSED, DECOMPOSED = (quote("/" + unicodedata.normalize(form, "é")) for form in ("NFC", "NFD"))


@pytest.mark.parametrize(
    "writing",
    [
        ("PUT", DECOMPOSED, "new"),
        ("MKCOL", DECOMPOSED),
        ("COPY", "/a", "", DECOMPOSED),
        ("MOVE", "/a", "", DECOMPOSED),
        ("LOCK", DECOMPOSED, EXCLUSIVE),
    ],
    ids=lambda writing: writing[0],
)
def test_no_lock_is_granted_under_another_spelling_while_a_new_name_is_written(
    scene: Scene, locks: MemoryLockStore, writing: Sequence[str]
) -> None:
    held: list[int] = []

    def ask_for_lock() -> None:
        before = len(locks.rooted_below(()))
        scene.begin("LOCK", COMPOSED, EXCLUSIVE)
        held.append(len(locks.rooted_below(())) - before)

    scene.at_the_first_write(ask_for_lock)
    assert scene.ask(*writing) == 201
    assert held == [0]
    assert scene.begun[0].result(PATIENCE) == (423 if writing[0] == "LOCK" else 200)
    made = [key for key in keys(scene.bucket) if not key.isascii()]
    assert len(made) == 1


@pytest.mark.parametrize("depth", ["0", "infinity"])
def test_a_deep_lock_waits_for_a_write_far_inside_and_another_does_not(
    scene: Scene, locks: MemoryLockStore, depth: str
) -> None:
    scene.at_the_first_write(lambda: scene.begin("LOCK", "/", EXCLUSIVE, depth=depth))
    granted: list[bool] = []
    first = scene.store.before

    def before(name: str, key: str) -> None:
        first(name, key)
        granted.append(bool(locks.covering(())))

    scene.store.before = before
    assert scene.ask("PUT", "/d/f", "new") == 204
    assert granted == [depth == "0"]
    assert scene.begun[0].result(PATIENCE) == 200


@pytest.mark.parametrize("method", ["PUT", "PROPPATCH", "DELETE", "MOVE"])
def test_a_request_that_waited_is_refused_where_a_lock_was_granted_meanwhile(
    scene: Scene, locks: MemoryLockStore, method: str
) -> None:
    """As a PUT that has passed the lock check, and waits behind a COPY onto its file."""
    broken: list[str] = []
    body = {"PUT": "new", "PROPPATCH": PATCH}.get(method, "")

    def look(name: str, _key: str) -> None:
        # The lock's own empty file, where the old one has gone, is put_object's.
        if name != "put_object" and locks.covering(("b",)):
            broken.append(name)

    def begin_both() -> None:
        scene.begin(method, "/b", body, to="/n" if method == "MOVE" else "")
        scene.begin("LOCK", "/b", EXCLUSIVE)
        scene.store.before = look

    scene.at_the_first_write(begin_both)
    assert scene.ask("COPY", "/a", to="/b") == 204
    waited, locked = (each.result(PATIENCE) for each in scene.begun)
    assert not broken
    assert waited in (204, 207, 201, 423)
    assert locked in (200, 201)
    if waited == 423:
        assert drain(scene.bucket.get_object("b")) == b"a"


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize(
    ("source", "target"), [("/b", "/d/new"), ("/d/f", "/b")], ids=["into", "out of"]
)
def test_a_copy_or_move_that_waited_is_refused_where_its_folder_was_locked_meanwhile(
    scene: Scene, method: str, source: str, target: str
) -> None:
    def begin_both() -> None:
        scene.begin(method, source, to=target)
        scene.begin("LOCK", "/d/", EXCLUSIVE, depth="0")

    scene.at_the_first_write(begin_both)
    assert scene.ask("COPY", "/a", to="/b") == 204
    is_free = method == "COPY" and target == "/b"
    assert [each.result(PATIENCE) for each in scene.begun] == [204 if is_free else 423, 200]
    assert keys(scene.bucket) == ["a", "b", "d/", "d/f", "s/", "s/1"]


def test_a_body_that_was_on_its_way_when_the_lock_was_granted_is_refused(scene: Scene) -> None:
    def body() -> Iterator[bytes]:
        yield b"be"
        assert scene.ask("LOCK", "/a", EXCLUSIVE) == 200
        yield b"gun"

    with scene.bridge.client() as client:
        assert client("PUT", "/a", body(), content_length="5").status == 423
    assert drain(scene.bucket.get_object("a")) == b"a"


def test_a_lock_that_is_granted_right_after_a_delete_stays(
    scene: Scene, locks: MemoryLockStore
) -> None:
    """On what has been made anew at the name: it isn't the lock that went with the old one."""
    assert scene.ask("LOCK", "/d/f", EXCLUSIVE) == 200
    token = locks.covering(("d", "f"))[0].token
    released: list[str] = []
    release = locks.release

    def release_late(each: str) -> None:
        if not released:
            released.append(each)
            release(each)
            assert scene.ask("LOCK", "/d/f", EXCLUSIVE) == 201
        else:
            release(each)

    locks.release = release_late  # type: ignore[assignment, method-assign]
    with scene.bridge.client() as client:
        assert client("DELETE", "/d/f", headers={"If": f"(<{token}>)"}).status == 204
    assert released == [token]
    assert len(locks.covering(("d", "f"))) == 1
    assert "d/f" in keys(scene.bucket)
