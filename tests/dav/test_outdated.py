"""What another bridge has written since a listing was kept: no condition is judged without it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from davbridge.dav.headers.validators import http_date
from davbridge.store.memory import MemoryStore
from tests.support.bridge import Client, running_bridge
from tests.support.intercepted import InterceptedStore
from tests.support.objects import put

T = TypeVar("T")


class Outrun(InterceptedStore):
    """Another writer is there first, each time that a writer commits."""

    def intercept(self, name: str, key: str, call: Callable[[], T]) -> T:
        if name == "commit":
            put(self._inner, key, body=b"newer")
        return call()


@pytest.fixture
def clock() -> list[datetime]:
    """The store's time."""
    return [datetime(2026, 1, 1, tzinfo=UTC)]


@pytest.fixture
def store(clock: list[datetime]) -> MemoryStore:
    store = MemoryStore(clock=lambda: clock[0])
    put(store, "a", body=b"old")
    return store


@pytest.fixture
def client(store: MemoryStore) -> Iterator[Client]:
    """Of a bridge that keeps a listing."""
    with running_bridge(store) as bridge, bridge.client() as client:
        assert "/a" in client("PROPFIND", "/", depth="1").multistatus()
        yield client


def etag(store: MemoryStore) -> str:
    return f'"{store.head_object("a").row.etag}"'


@pytest.mark.parametrize("method", ["DELETE", "MOVE"])
@pytest.mark.parametrize("body", [b"new", b""])
def test_a_version_that_the_client_has_not_seen_is_not_removed(
    method: str, body: bytes, client: Client, store: MemoryStore
) -> None:
    seen = etag(store)
    put(store, "a", body=body)
    answer = client(method, "/a", if_match=seen, destination="/b")
    assert answer.status == 412
    assert client("GET", "/a").body == body
    assert client(method, "/a", if_match=etag(store), destination="/b").status in (201, 204)


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
def test_a_copy_or_move_that_depends_on_nothing_takes_what_is_there(
    method: str, client: Client, store: MemoryStore
) -> None:
    put(store, "a", body=b"newer")
    assert client(method, "/a", destination="/b").status == 201
    assert client("GET", "/b").body == b"newer"


def test_the_store_decides_an_if_header_that_names_a_version(
    client: Client, store: MemoryStore
) -> None:
    seen = etag(store)
    put(store, "a", body=b"newer")
    assert client("PUT", "/a", b"mine", headers={"If": f"([{seen}])"}).status == 412
    assert client("GET", "/a").body == b"newer"
    assert client("PUT", "/a", b"mine", headers={"If": f"([{etag(store)}])"}).status == 204


def test_an_if_header_that_holds_without_a_version_is_not_sent_to_the_store(
    client: Client, store: MemoryStore
) -> None:
    seen = etag(store)
    put(store, "a", body=b"newer")
    for lists in (f'([{seen}]) (Not ["other"])', f'</b> (Not ["other"]) </a> ([{seen}])'):
        put(store, "a", body=b"newer")
        assert client("PUT", "/a", b"mine", headers={"If": lists}).status == 204


def test_a_version_that_only_the_client_has_seen_can_be_replaced(
    client: Client, store: MemoryStore
) -> None:
    put(store, "a", body=b"new")
    assert client("PUT", "/a", b"newer", if_match=etag(store)).status == 204


def test_a_write_that_depends_on_a_time_replaces_no_version_that_came_after_it(
    client: Client, store: MemoryStore, clock: list[datetime]
) -> None:
    seen = http_date(clock[0])
    clock[0] += timedelta(seconds=10)
    put(store, "a", body=b"newer")
    assert client("PUT", "/a", b"mine", if_unmodified_since=seen).status == 412
    assert client("GET", "/a").body == b"newer"
    now = http_date(clock[0])
    assert client("PUT", "/a", b"mine", if_unmodified_since=now).status == 204


@pytest.mark.parametrize(("method", "status"), [("PUT", 204), ("COPY", 201)])
def test_a_version_that_only_the_client_has_seen_can_be_depended_on_by_its_time(
    method: str, status: int, client: Client, store: MemoryStore, clock: list[datetime]
) -> None:
    clock[0] += timedelta(seconds=10)
    put(store, "a", body=b"newer")
    now = http_date(clock[0])
    headers = {"If-Unmodified-Since": now, "Destination": "/b"}
    assert client(method, "/a", b"" if method == "COPY" else b"mine", headers).status == status


def test_a_version_that_comes_after_the_look_at_its_time_is_not_replaced(
    clock: list[datetime],
) -> None:
    store = Outrun(MemoryStore(clock=lambda: clock[0]))
    put(store, "a", body=b"old")
    with running_bridge(store) as bridge, bridge.client() as client:
        seen = http_date(clock[0])
        assert client("PUT", "/a", b"mine", if_unmodified_since=seen).status == 412
        assert client("GET", "/a").body == b"newer"


def test_a_name_that_is_free_again_can_be_taken(client: Client, store: MemoryStore) -> None:
    store.delete_object("a")
    assert client("PUT", "/a", b"new", if_none_match="*").status == 201


def test_a_condition_fails_on_a_file_that_was_deleted_behind_the_cache(
    client: Client, store: MemoryStore
) -> None:
    seen = etag(store)
    store.delete_object("a")
    assert client("DELETE", "/a", if_match=seen).status == 412


@pytest.mark.parametrize("body", [b"newer", b""])
def test_head_describes_the_version_that_get_gives(
    body: bytes, client: Client, store: MemoryStore
) -> None:
    put(store, "a", body=body)
    head = client("HEAD", "/a")
    assert (head.status, head.header("Content-Length")) == (200, str(len(body)))
    assert head.header("ETag") == etag(store)
    assert client("GET", "/a").body == body


@pytest.mark.parametrize("range_", [{}, {"Range": "bytes=1-"}], ids=["whole", "rest"])
def test_a_download_that_depends_on_a_version_gets_no_other(
    range_: dict[str, str], client: Client, store: MemoryStore
) -> None:
    seen = etag(store)
    put(store, "a", body=b"new")
    assert client("GET", "/a", headers=range_ | {"If-Match": seen}).status == 412
    assert client("GET", "/a", headers=range_ | {"If-Match": etag(store)}).status in (200, 206)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_newest_version_that_a_client_has_is_not_sent_again(
    method: str, client: Client, store: MemoryStore
) -> None:
    put(store, "a", body=b"newer")
    assert client(method, "/a", if_none_match=etag(store)).status == 304


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_file_that_was_deleted_behind_the_cache_is_a_404(
    method: str, client: Client, store: MemoryStore
) -> None:
    store.delete_object("a")
    assert client(method, "/a").status == 404


def test_a_dated_delete_of_a_folder_reports_what_it_leaves(
    client: Client, store: MemoryStore
) -> None:
    assert client("MKCOL", "/d/").status == 201
    put(store, "d/a", "d/x//h")
    headers = {"If-Unmodified-Since": "Sun, 06 Nov 2022 08:49:37 GMT"}
    assert client("DELETE", "/d/", headers=headers).status == 207
    assert [row.key for row in next(store.list_objects("d/")).rows] == ["d/", "d/x//h"]
