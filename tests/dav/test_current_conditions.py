"""What a write depends on is judged by what the store has now, whatever a bridge has cached.

Two bridges over one bucket: the client writes through one that has listed everything, and the other
one has written since.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from davbridge.dav.headers.validators import http_date
from davbridge.store.base import ObjectStore
from davbridge.store.memory import MemoryStore
from tests.support.bodies import lock_info
from tests.support.bridge import Answer, Client, running_bridge
from tests.support.endpoints import Endpoint
from tests.support.objects import put
from tests.support.stores import fresh_bucket, s3_store, store_client

PATCH = (
    '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop><q xmlns="urn:q">1</q></D:prop></D:set>'
    "</D:propertyupdate>"
)


class Seen(NamedTuple):
    """What a client can have seen of the files before and after the other bridge's write."""

    old: str
    new: str
    old_time: str
    new_time: str


@pytest.fixture
def clock() -> list[datetime]:
    """The store's time."""
    return [datetime(2026, 1, 1, tzinfo=UTC)]


@pytest.fixture
def store(clock: list[datetime]) -> MemoryStore:
    store = MemoryStore(clock=lambda: clock[0])
    put(store, "a", "o/other", "t/target", body=b"old")
    return store


@pytest.fixture
def client(store: MemoryStore) -> Iterator[Client]:
    """Of a bridge that has listed everything."""
    with running_bridge(store) as bridge, bridge.client() as client:
        for folder in ("/", "/o/", "/t/"):
            assert len(client("PROPFIND", folder, depth="1").multistatus()) > 1
        yield client


@pytest.fixture
def token(client: Client) -> str:
    """Of a shared lock on /a, with its angle brackets."""
    return client("LOCK", "/a", lock_info("shared")).header("Lock-Token")


@pytest.fixture
def elsewhere(store: MemoryStore) -> Iterator[Client]:
    """Of the other bridge."""
    with running_bridge(store) as bridge, bridge.client() as client:
        yield client


@pytest.fixture
def seen(store: MemoryStore, clock: list[datetime], client: Client, elsewhere: Client) -> Seen:
    """The other bridge writes, after the first one has listed."""
    versions, times = [etag(store, "a")], [http_date(clock[0])]
    clock[0] += timedelta(seconds=10)
    for target in ("/a", "/o/other", "/t/target"):
        assert elsewhere("PUT", target, b"newer").status == 204
    versions.append(etag(store, "a"))
    times.append(http_date(clock[0]))
    return Seen(*versions, *times)


def etag(store: ObjectStore, key: str) -> str:
    return f'"{store.head_object(key).row.etag}"'


WRITES = ["PUT", "DELETE", "COPY", "MOVE", "PROPPATCH", "LOCK", "REFRESH", "UNLOCK"]
"""Of /a; to /copy, if anywhere."""


def write(client: Client, method: str, token: str, headers: dict[str, str]) -> Answer:
    """The method on /a, under the conditions in ``headers``, with the lock token that it needs."""
    body = {"PUT": "mine", "PROPPATCH": PATCH, "LOCK": lock_info("shared")}.get(method)
    sent = {"Destination": "/copy", "Lock-Token": token, **headers}
    return client("LOCK" if method == "REFRESH" else method, "/a", body, sent)


def contents(store: ObjectStore) -> dict[str, bytes]:
    """Every object, by key."""
    rows = [row for page in store.list_objects("") for row in page.rows]
    return {row.key: store.get_object(row.key).read(row.size) for row in rows}


OUTDATED = {
    "If-Match": {"If-Match": "{old}"},
    "If-Match with several tags": {"If-Match": '"x", {old}'},
    "If-None-Match": {"If-None-Match": "{new}"},
    "If-Unmodified-Since": {"If-Unmodified-Since": "{old_time}"},
    "If": {"If": "([{old}])"},
    "If Not": {"If": "(Not [{new}])"},
    "If with a tag": {"If": "</a> ([{old}])"},
    "If with several lists": {"If": "([{old}]) (Not [{new}])"},
    "If of another file": {"If": "</o/other> ([{old}])"},
    "If Not of another file": {"If": "</o/other> (Not [{new}])"},
    "If of another file beside If-Match": {"If": "</o/other> ([{old}])", "If-Match": "{new}"},
}
"""Conditions that held before the other bridge wrote, and don't any more."""

RENEWED = {
    "If-Match": {"If-Match": "{new}"},
    "If-None-Match": {"If-None-Match": "{old}"},
    "If-Unmodified-Since": {"If-Unmodified-Since": "{new_time}"},
    "If": {"If": "([{new}])"},
    "If Not": {"If": "(Not [{old}])"},
    "If with several lists": {"If": "([{old}]) (Not [{old}])"},
    "If of another file": {"If": "</o/other> ([{new}])"},
    "If Not of another file": {"If": "</o/other> (Not [{old}])"},
    "If of another file beside If-Match": {"If": "</o/other> ([{new}])", "If-Match": "{new}"},
}
"""Those that didn't hold before, and do now."""


def filled(headers: dict[str, str], seen: Seen) -> dict[str, str]:
    return {name: value.format(**seen._asdict()) for name, value in headers.items()}


@pytest.mark.parametrize("headers", OUTDATED.values(), ids=OUTDATED)
@pytest.mark.parametrize("method", WRITES)
def test_a_write_is_refused_that_depends_on_what_another_bridge_has_replaced(
    method: str, headers: dict[str, str], client: Client, store: MemoryStore, token: str, seen: Seen
) -> None:
    before = contents(store)
    assert write(client, method, token, filled(headers, seen)).status == 412
    assert contents(store) == before
    locks = client("PROPFIND", "/a", depth="0").body.count(b"<D:activelock>")
    assert locks == 1


@pytest.mark.parametrize("headers", RENEWED.values(), ids=RENEWED)
@pytest.mark.parametrize("method", WRITES)
def test_a_write_is_done_that_depends_on_what_only_another_bridge_has_written(
    method: str, headers: dict[str, str], client: Client, token: str, seen: Seen
) -> None:
    assert write(client, method, token, filled(headers, seen)).status < 300


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize("condition", ["([{old}])", "(Not [{new}])", '(["x"]) ([{old}])'])
def test_a_version_of_the_destination_that_the_client_has_not_seen_is_not_replaced(
    method: str, condition: str, client: Client, store: MemoryStore, seen: Seen
) -> None:
    before = contents(store)
    headers = filled({"Destination": "/t/target", "If": f"</t/target> {condition}"}, seen)
    assert client(method, "/a", headers=headers).status == 412
    assert contents(store) == before


@pytest.mark.parametrize("method", ["COPY", "MOVE"])
@pytest.mark.parametrize("condition", ["([{new}])", "(Not [{old}])"])
def test_a_version_of_the_destination_that_only_the_client_has_seen_can_be_replaced(
    method: str, condition: str, client: Client, store: MemoryStore, seen: Seen
) -> None:
    client("PUT", "/a", b"source")
    headers = filled({"Destination": "/t/target", "If": f"</t/target> {condition}"}, seen)
    assert client(method, "/a", headers=headers).status == 204
    assert contents(store)["t/target"] == b"source"


@pytest.mark.parametrize("method", ["MKCOL", "PUT", "LOCK"])
def test_if_none_match_fails_on_what_another_bridge_has_made(
    method: str, client: Client, elsewhere: Client, store: MemoryStore
) -> None:
    """That nothing is there is no more to be believed of a cache."""
    assert elsewhere("PUT", "/new", b"theirs").status == 201
    body = lock_info() if method == "LOCK" else "mine" if method == "PUT" else None
    assert client(method, "/new", body, if_none_match="*").status == 412
    assert contents(store)["new"] == b"theirs"


@pytest.mark.parametrize("method", ["PUT", "MKCOL", "LOCK"])
@pytest.mark.parametrize("condition", ["([{old}])", "(Not [{new}])"])
def test_nothing_is_made_under_a_condition_on_what_another_bridge_has_replaced(
    method: str, condition: str, client: Client, store: MemoryStore, seen: Seen
) -> None:
    before = contents(store)
    body = lock_info() if method == "LOCK" else "mine" if method == "PUT" else None
    headers = filled({"If": f"</o/other> {condition}"}, seen)
    assert client(method, "/made", body, headers).status == 412
    assert contents(store) == before


@pytest.mark.parametrize("method", ["PUT", "DELETE", "COPY", "MOVE", "PROPPATCH", "LOCK"])
def test_a_time_that_a_client_has_sent_to_another_bridge_counts(
    method: str, client: Client, elsewhere: Client, clock: list[datetime], token: str
) -> None:
    """Of the same bytes: whoever has seen the file with its new time knows it by that."""
    told = clock[0] + timedelta(hours=1)
    time = {"X-OC-Mtime": str(told.timestamp())}
    assert elsewhere("PUT", "/a", b"old", time).header("X-OC-Mtime") == "accepted"
    for seen, status in ((told - timedelta(seconds=1), 412), (told, 200)):
        headers = {"If-Unmodified-Since": http_date(seen)}
        assert write(client, method, token, headers).status // 100 == status // 100


OLD = '"149603e6c03516362a8da23f624db945"'
"""The entity tag of b"old"."""


@pytest.mark.parametrize("headers", [{"If": f"</o/other> ([{OLD}])"}, {"If-Match": "*"}], ids=str)
@pytest.mark.parametrize("method", WRITES)
def test_a_write_that_depends_on_a_file_is_refused_once_that_is_gone(
    method: str, headers: dict[str, str], client: Client, elsewhere: Client, token: str
) -> None:
    assert elsewhere("DELETE", "/o/other").status == 204
    assert elsewhere("DELETE", "/a").status == 204
    assert write(client, method, token, headers).status == 412


@pytest.mark.parametrize("method", WRITES)
def test_a_write_that_depends_on_a_file_is_refused_once_that_is_a_folder(
    method: str, client: Client, elsewhere: Client, token: str
) -> None:
    assert elsewhere("DELETE", "/o/other").status == 204
    assert elsewhere("MKCOL", "/o/other").status == 201
    assert write(client, method, token, {"If": f"</o/other> ([{OLD}])"}).status == 412


@pytest.mark.parametrize("method", ["PUT", "PROPPATCH", "DELETE"])
def test_a_version_is_found_under_its_other_spelling(
    method: str, client: Client, elsewhere: Client, store: MemoryStore
) -> None:
    """The bucket has a composed name; Finder sends the decomposed one."""
    composed, decomposed = "/%C3%A9", "/e%CC%81"
    assert elsewhere("PUT", composed, b"old").status == 201
    body = {"PUT": "mine", "PROPPATCH": PATCH}.get(method)
    headers = {"If": f'<{decomposed}> (["x"]) ([{OLD}])', "Destination": "/copy"}
    assert client(method, "/a", body, headers).status < 300
    assert elsewhere("PUT", composed, b"newer").status == 204
    assert client(method, "/t/target", body, headers).status == 412
    headers = {"If-Match": etag(store, "\u00e9")}
    assert client(method, decomposed, body, headers).status < 300


def test_conditions_hold_over_two_bridges_on_seaweedfs(
    seaweedfs: Endpoint, bucket_name: str
) -> None:
    with store_client(seaweedfs) as s3, fresh_bucket(s3, bucket_name):
        store = s3_store(s3, bucket_name)
        put(store, "a", "o/other", "t/target", body=b"old")
        with (
            store,
            running_bridge(store) as bridge,
            running_bridge(store) as other,
            bridge.client() as client,
            other.client() as elsewhere,
        ):
            for folder in ("/", "/o/", "/t/"):
                assert client("PROPFIND", folder, depth="1").status == 207
            token = client("LOCK", "/a", lock_info("shared")).header("Lock-Token")
            for target in ("/a", "/o/other", "/t/target"):
                assert elsewhere("PUT", target, b"newer").status == 204
            before = contents(store)
            for method in WRITES:
                for condition in (f"</o/other> ([{OLD}])", f"</t/target> ([{OLD}])"):
                    headers = {"If": condition, "Destination": "/t/target"}
                    assert write(client, method, token, headers).status == 412
            assert contents(store) == before
            headers = {"If": f"</t/target> ([{etag(store, 't/target')}])"}
            assert client("COPY", "/a", None, headers, destination="/t/target").status == 204
