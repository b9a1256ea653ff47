"""Conditions are judged once more right before the write, at no cost where nothing has changed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest

from davbridge.config import DriveSettings
from davbridge.dav.context import CONDITIONS_HOLD_SECONDS, Context
from davbridge.dav.errors import RefusalError
from davbridge.dav.locking.memory import MemoryLockStore
from davbridge.dav.provider import BucketProvider
from davbridge.dav.request import DavRequest
from davbridge.store.memory import MemoryStore
from davbridge.tree.namespace import Namespace
from tests.support.bridge import Answer, Client, running_bridge
from tests.support.intercepted import Gate, GatedStore
from tests.support.objects import put
from tests.support.timer import Timer

OTHER = "o/other"
TARGET = "t/target"


class Place(NamedTuple):
    """A bridge that has listed everything, and what it stands on."""

    store: GatedStore
    port: int
    client: Client
    timer: Timer
    """The bridge's, as far as conditions and locks go."""


@pytest.fixture
def place() -> Iterator[Place]:
    store, timer = GatedStore(MemoryStore()), Timer()
    put(store, "a", OTHER, "x", body=b"old")
    put(store, "t/target", body=b"another")
    with (
        running_bridge(store, locks=MemoryLockStore(timer)) as bridge,
        bridge.client() as client,
    ):
        for folder in ("/", "/o/", "/t/"):
            assert client("PROPFIND", folder, depth="1").status == 207
        yield Place(store, bridge.port, client, timer)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as running:
        yield running


def etag(store: GatedStore, key: str) -> str:
    return f'"{store.head_object(key).row.etag}"'


def body_of(store: GatedStore, key: str) -> bytes:
    row = store.lookup(key).row
    assert row is not None
    return store.get_object(key).read(row.size)


def change(place: Place, *, by_another_bridge: bool) -> None:
    """The file that others depend on changes, after a while or at once."""
    if by_another_bridge:
        put(place.store, OTHER, body=b"newer")
        place.timer.advance(CONDITIONS_HOLD_SECONDS)
    else:
        client = Client(place.port, {})
        assert client("PUT", f"/{OTHER}", b"newer").status == 204
        client.close()


@pytest.mark.parametrize("by_another_bridge", [True, False])
def test_what_changes_while_a_body_comes_in_counts(place: Place, by_another_bridge: bool) -> None:
    look = place.store.gate("lookup", OTHER)

    def body() -> Iterator[bytes]:
        yield b"mi"
        look.wait_until_answered()
        look.open()
        change(place, by_another_bridge=by_another_bridge)
        yield b"ne"

    headers = {"If": f"</{OTHER}> ([{etag(place.store, OTHER)}])"}
    assert place.client("PUT", "/a", body(), headers).status == 412
    assert body_of(place.store, "a") == b"old"


@pytest.mark.parametrize("by_another_bridge", [True, False])
@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_what_changes_while_an_operation_waits_for_its_lock_counts(
    method: str, place: Place, pool: ThreadPoolExecutor, by_another_bridge: bool
) -> None:
    copying, look = place.store.gate("copy_object", "t/new"), place.store.gate("lookup", OTHER)
    first = pool.submit(ask, place, "COPY", "/x", {"Destination": "/t/new"})
    copying.wait_until_answered()
    condition = f"</{OTHER}> ([{etag(place.store, OTHER)}])"
    headers = {"Destination": "/t/new", "If": condition}
    second = pool.submit(ask, place, method, "/a", headers)
    look.wait_until_answered()
    change(place, by_another_bridge=by_another_bridge)
    open_all(look, copying)
    assert first.result().status == 201
    assert second.result().status == 412
    assert body_of(place.store, "a") == b"old"


def test_a_delete_is_checked_again_once_it_has_its_lock(
    place: Place, pool: ThreadPoolExecutor
) -> None:
    copying, look = place.store.gate("copy_object", "t/new"), place.store.gate("lookup", OTHER)
    first = pool.submit(ask, place, "COPY", "/x", {"Destination": "/t/new"})
    copying.wait_until_answered()
    headers = {"If": f"</{OTHER}> ([{etag(place.store, OTHER)}])"}
    second = pool.submit(ask, place, "DELETE", "/t/", headers)
    look.wait_until_answered()
    change(place, by_another_bridge=True)
    open_all(look, copying)
    assert first.result().status == 201
    assert second.result().status == 412
    assert body_of(place.store, "t/target") == b"another"


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_a_destination_that_changes_before_the_operation_has_its_lock_is_not_replaced(
    method: str, place: Place, pool: ThreadPoolExecutor
) -> None:
    copying, look = place.store.gate("copy_object", "u/target"), place.store.gate("lookup", TARGET)
    first = pool.submit(ask, place, "COPY", "/t/", {"Destination": "/u/"})
    copying.wait_until_answered()
    condition = f"</{TARGET}> ([{etag(place.store, TARGET)}])"
    headers = {"Destination": f"/{TARGET}", "If": condition}
    second = pool.submit(ask, place, method, "/a", headers)
    look.wait_until_answered()
    put(place.store, TARGET, body=b"newer")
    place.timer.advance(CONDITIONS_HOLD_SECONDS)
    open_all(look, copying)
    assert first.result().status == 201
    assert second.result().status == 412
    assert body_of(place.store, TARGET) == b"newer"


def ask(place: Place, method: str, target: str, headers: dict[str, str]) -> Answer:
    client = Client(place.port, {})
    try:
        return client(method, target, None, headers)
    finally:
        client.close()


def open_all(*gates: Gate) -> None:
    for gate in gates:
        gate.open()


def test_a_second_attempt_may_replace_what_the_first_has_made(
    place: Place, pool: ThreadPoolExecutor
) -> None:
    """The destination is the client's old version no more: the bridge has replaced it itself."""
    copying = place.store.gate("copy_object", "t/target")
    headers = {"Destination": "/t/target"}
    headers["If"] = f"</t/target> ([{etag(place.store, 't/target')}])"
    moving = pool.submit(ask, place, "MOVE", "/a", headers)
    copying.wait_until_answered()
    put(place.store, "a", body=b"written meanwhile")
    copying.open()
    assert moving.result().status == 204
    assert body_of(place.store, "t/target") == b"written meanwhile"
    assert place.store.lookup("a").row is None


def test_each_resource_in_an_if_header_is_looked_up_once(place: Place) -> None:
    """Be it in how many conditions, and though they are judged twice."""
    lists = f'</{OTHER}> (["x"]) (["y"] Not ["z"]) </t/target> (["x"]) (Not ["x"])'
    with place.store.expect(lookup=2, commit=1):
        assert place.client("PUT", "/a", b"mine", {"If": lists}).status == 204


def test_a_condition_on_a_lock_token_costs_no_request(place: Place) -> None:
    for headers in ({"If": "(Not <urn:x>)"}, {"If": f'</{OTHER}> (["x"] <urn:x>) (Not <urn:x>)'}):
        with place.store.expect(commit=1):
            assert place.client("PUT", "/a", b"mine", headers).status == 204


def test_a_condition_that_the_store_checks_costs_no_request(place: Place) -> None:
    tag = etag(place.store, "a")
    for headers in ({"If-Match": tag}, {"If": f"([{tag}])"}, {"If": f"</a> ([{tag}])"}):
        with place.store.expect(commit=1):
            assert place.client("PUT", "/a", b"old", headers).status == 204
    with place.store.expect(commit=1):
        assert place.client("PUT", "/new", b"old", if_none_match="*").status == 201
    with place.store.expect(copy_object=1, list_objects=1):  # A folder may have come to be there.
        assert place.client("COPY", "/a", if_match=tag, destination="/copy").status == 201


def test_a_refusal_by_the_store_itself_is_no_reason_to_ask_again(place: Place) -> None:
    with place.store.expect(lookup=1):
        assert place.client("PUT", "/a", b"mine", {"If": f'</{OTHER}> (["x"])'}).status == 412


def context_of(store: GatedStore, method: str, **headers: str) -> Context:
    environ = {f"HTTP_{name}": value for name, value in headers.items()}
    environ |= {"REQUEST_METHOD": method, "REQUEST_URI": "/a"}
    provider = BucketProvider(Namespace(store), DriveSettings())
    return Context(DavRequest(environ, provider.site), provider, MemoryLockStore())


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_the_store_gets_the_version_that_may_be_replaced(method: str) -> None:
    """So that it settles the race between the look and the write."""
    store = GatedStore(MemoryStore())
    put(store, "a", body=b"source")
    tag = f'"{put(store, "t/é").etag}"'
    for name in ("/t/%C3%A9", "/t/e%CC%81"):
        for condition, expected in {
            f"([{tag}])": tag,
            f'(["x"]) ([{tag}])': tag,
            f'([{tag}] Not ["x"])': tag,
            '(Not ["x"])': None,
            f"(Not <urn:x>) ([{tag}])": None,
        }.items():
            context = context_of(store, method, IF=f"<{name}> {condition}", DESTINATION="/t/%C3%A9")
            assert context.check_conditions() is False
            told = context.preconditions.target_if_match
            assert told == (expected and expected.strip('"'))
            assert context.preconditions.if_match is None


def test_a_condition_on_another_file_says_nothing_of_the_destination() -> None:
    store = GatedStore(MemoryStore())
    put(store, "a", "b", "t")
    header = f"</b> ([{etag(store, 'b')}])"
    context = context_of(store, "MOVE", IF=header, DESTINATION="/t")
    context.check_conditions()
    assert context.preconditions.target_if_match is None


def test_conditions_can_be_checked_any_number_of_times() -> None:
    store = GatedStore(MemoryStore())
    put(store, "a", "b")
    context = context_of(store, "PROPPATCH", IF=f"</b> ([{etag(store, 'b')}])")
    for _ in range(3):
        context.check_conditions()
    put(store, "b", body=b"newer")
    for _ in range(3):
        with pytest.raises(RefusalError):
            context.check_conditions()
