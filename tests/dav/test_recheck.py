"""What a request was checked against may change while it waits: then it isn't done."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for

import pytest

from davbridge.store.memory import MemoryStore
from tests.support.bodies import lock_info
from tests.support.bridge import Bridge, running_bridge
from tests.support.contract import drain, keys
from tests.support.objects import put
from tests.tree.wrappers import WatchedStore

MOMENT = 0.3
"""Seconds after which a request that waits for a lock has passed its first check."""

PATIENCE = 60.0

LOCK = lock_info()


@pytest.fixture
def bucket() -> MemoryStore:
    bucket = MemoryStore()
    for name in ("a", "b", "s/1"):
        put(bucket, name, body=name.encode())
    return bucket


@pytest.fixture
def store(bucket: MemoryStore) -> WatchedStore:
    return WatchedStore(bucket)


@pytest.fixture
def bridge(store: WatchedStore) -> Iterator[Bridge]:
    with running_bridge(store) as bridge:
        yield bridge


def both(store: WatchedStore, first: Callable[[], int], *later: Callable[[], int]) -> list[int]:
    """The statuses of a request and of others, which come while its object is copied."""
    others: list[Future[int]] = []
    with ThreadPoolExecutor(len(later)) as threads:

        def before(operation: str, _key: str) -> None:
            if operation == "copy" and not others:
                for each in later:
                    others.append(threads.submit(each))
                    wait_for(others[-1:], MOMENT)

        store.before = before
        status = first()
        return [status, *(each.result(PATIENCE) for each in others)]


def asking(
    bridge: Bridge, method: str, path: str, to: str = "", body: str = "", **headers: str
) -> Callable[[], int]:
    def ask() -> int:
        destination = {"Destination": bridge.url + to} if to else {}
        with bridge.client() as client:
            return client(method, path, body, {**headers, **destination}).status

    return ask


def etag(bucket: MemoryStore, key: str) -> str:
    return f'"{bucket.head_object(key).row.etag}"'


def test_of_two_who_move_to_a_free_name_one_wins(
    bucket: MemoryStore, store: WatchedStore, bridge: Bridge
) -> None:
    """As those do who claim something by it."""
    claims = [asking(bridge, "MOVE", f"/{name}", "/claim", Overwrite="F") for name in "ab"]
    assert both(store, *claims) == [201, 412]
    assert drain(bucket.get_object("claim")) == b"a"
    assert drain(bucket.get_object("b")) == b"b"


def test_of_two_who_move_folders_to_a_free_name_one_wins(
    bucket: MemoryStore, store: WatchedStore, bridge: Bridge
) -> None:
    claims = [asking(bridge, "MOVE", name, "/claim/", Overwrite="F") for name in ("/s/", "/b")]
    assert both(store, *claims) == [201, 412]
    assert keys(bucket) == ["a", "b", "claim/1"]


@pytest.mark.parametrize("method", ["DELETE", "MOVE"])
def test_a_version_that_came_while_an_operation_waited_stays(
    bucket: MemoryStore, store: WatchedStore, bridge: Bridge, method: str
) -> None:
    removing = asking(bridge, method, "/b", "/c", **{"If-Match": etag(bucket, "b")})
    moving = asking(bridge, "MOVE", "/a", "/b")
    assert both(store, moving, removing) == [204, 412]
    assert drain(bucket.get_object("b")) == b"a"


def test_a_lock_that_came_while_an_operation_waited_is_respected(
    bucket: MemoryStore, store: WatchedStore, bridge: Bridge
) -> None:
    """The DELETE has waited for a COPY that takes long."""
    copying = asking(bridge, "COPY", "/s/", "/t/")
    deleting = asking(bridge, "DELETE", "/s/")
    locking = asking(bridge, "LOCK", "/s/1", body=LOCK)
    assert both(store, copying, deleting, locking) == [201, 423, 200]
    assert keys(bucket) == ["a", "b", "s/1", "t/1"]
