"""LOCK and UNLOCK: whom a lock keeps out, where it reaches, and how long it lasts."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from davbridge.dav.locking.memory import MemoryLockStore
from davbridge.store.memory import MemoryStore
from tests.dav.methods.words import EXCLUSIVE, SHARED, fill, lock, patch
from tests.support.bridge import DAV, Bridge, Client, running_bridge
from tests.support.contract import drain, keys
from tests.support.guessing import HAS_ADDRESSES


def test_a_lock_keeps_others_out_and_lets_its_owner_in(client: Client, store: MemoryStore) -> None:
    client("PUT", "/f", b"1")
    token = lock(client, "/f", timeout="Second-180")
    for method, headers in (
        ("PUT", {}),
        ("DELETE", {}),
        ("PROPPATCH", {}),
        ("MOVE", {"Destination": "/g"}),
    ):
        body = patch("set", "<p:q/>") if method == "PROPPATCH" else None
        refused = client(method, "/f", body, headers)
        assert refused.status == 423, method
        assert b"lock-token-submitted" in refused.body
    assert client("GET", "/f").status == 200
    assert client("LOCK", "/f", EXCLUSIVE).status == 423
    assert client("PUT", "/f", b"2", headers={"If": f"(<{token}>)"}).status == 204
    assert client("PUT", "/f", b"3", headers={"If": "(<urn:uuid:wrong>)"}).status == 412
    assert client("UNLOCK", "/f", lock_token=f"<{token}>").status == 204
    assert client("UNLOCK", "/f", lock_token=f"<{token}>").status == 409
    assert client("PUT", "/f", b"4").status == 204
    assert drain(store.get_object("f")) == b"4"


def test_a_lock_on_an_unmapped_url_makes_an_empty_resource(
    client: Client, store: MemoryStore
) -> None:
    answer = client("LOCK", "/new.txt", EXCLUSIVE)
    assert answer.status == 201
    assert answer.header("Lock-Token").startswith("<urn:uuid:")
    assert drain(store.get_object("new.txt")) == b""
    assert client("LOCK", "/missing/new.txt", EXCLUSIVE).status == 409
    assert client("PUT", "/missing/new.txt", b"").status == 409
    client("MKCOL", "/d/")
    lock(client, "/d/")
    assert client("LOCK", "/d/new", EXCLUSIVE).status == 423
    assert "d/new" not in keys(store)


def test_lockdiscovery_has_scope_depth_owner_and_timeout(client: Client) -> None:
    client("MKCOL", "/d/")
    client("PUT", "/d/f", b"")
    token = lock(client, "/d/", SHARED, timeout="Infinite, Second-10", depth="infinity")
    body = '<propfind xmlns="DAV:"><prop><lockdiscovery/><supportedlock/></prop></propfind>'
    found = client("PROPFIND", "/d/f", body, depth="0").property("/d/f", f"{DAV}lockdiscovery")
    assert found is not None
    active = f"{DAV}activelock/{DAV}"
    assert found.findtext(f"{active}locktoken/{DAV}href") == token
    assert found.findtext(f"{active}lockroot/{DAV}href") == "/d/"
    assert found.findtext(f"{active}depth") == "infinity"
    assert found.findtext(f"{active}owner/{DAV}href") == "me"
    assert found.find(f"{active}lockscope/{DAV}shared") is not None
    assert (found.findtext(f"{active}timeout") or "").startswith("Second-8")


def test_one_token_of_several_shared_locks_allows_a_write(client: Client) -> None:
    client("PUT", "/f", b"")
    first, second = lock(client, "/f", SHARED), lock(client, "/f", SHARED)
    assert client("LOCK", "/f", EXCLUSIVE).status == 423
    assert client("PUT", "/f", b"x").status == 423
    for token in (first, second):
        assert client("PUT", "/f", b"x", headers={"If": f"(<{token}>)"}).status == 204


def test_a_refresh_without_a_body_keeps_the_token(client: Client) -> None:
    client("PUT", "/f", b"")
    token = lock(client, "/f", timeout="Second-10")
    answer = client("LOCK", "/f", headers={"If": f"(<{token}>)", "Timeout": "Second-600"})
    assert answer.status == 200
    assert answer.headers["Lock-Token"] is None
    assert token.encode() in answer.body
    assert b"Second-600" in answer.body
    assert client("LOCK", "/f").status == 412
    assert client("LOCK", "/f", headers={"If": "(<urn:uuid:other>)"}).status == 412


def test_a_locked_member_stops_a_delete_and_a_move_of_its_tree(
    client: Client, store: MemoryStore
) -> None:
    fill(store, "d/1", "d/2")
    token = lock(client, "/d/2")
    for answer in (client("DELETE", "/d/"), client("MOVE", "/d/", destination="/e/")):
        response = answer.multistatus()["/d/2"]
        assert response.findtext(f"{DAV}status") == "HTTP/1.1 423 Locked"
    assert keys(store) == ["d/1", "d/2"]
    shown = {"If": f"</d/2> (<{token}>)"}
    assert client("MOVE", "/d/", destination="/e/", headers=shown).status == 201
    assert client("PUT", "/e/2", b"").status == 204


def test_a_shallow_lock_on_a_collection_protects_its_membership(client: Client) -> None:
    client("MKCOL", "/d/")
    client("PUT", "/d/old", b"")
    token = lock(client, "/d/", depth="0")
    assert client("PUT", "/d/new", b"").status == 423
    assert client("DELETE", "/d/old").status == 423
    assert client("PUT", "/d/old", b"changed").status == 204
    assert client("PUT", "/d/new", b"", headers={"If": f"</d/> (<{token}>)"}).status == 201


def test_a_deep_lock_over_a_locked_member_is_refused_naming_it(client: Client) -> None:
    client("MKCOL", "/d/")
    client("PUT", "/d/f", b"")
    lock(client, "/d/f")
    answer = client("LOCK", "/d/", EXCLUSIVE).multistatus()
    assert answer["/d/f"].findtext(f"{DAV}status") == "HTTP/1.1 423 Locked"
    assert answer["/d/"].findtext(f"{DAV}status") == "HTTP/1.1 424 Failed Dependency"
    assert client("LOCK", "/d/", EXCLUSIVE, depth="0").status == 200


def test_a_lock_beyond_the_limit_is_a_507(store: MemoryStore) -> None:
    locks = MemoryLockStore(limit=1)
    with running_bridge(store, locks=locks) as bridge, bridge.client() as client:
        assert client("LOCK", "/f", EXCLUSIVE).status == 201
        assert client("LOCK", "/g", EXCLUSIVE).status == 507
        assert client("HEAD", "/g").status == 404


@pytest.mark.skipif(not HAS_ADDRESSES, reason="loopback has one address")
def test_one_address_has_a_limit_of_locks_where_nobody_logs_in(store: MemoryStore) -> None:
    locks = MemoryLockStore(limit=100)
    with running_bridge(store, locks=locks) as bridge, bridge.client() as greedy:
        granted = 0
        while (answer := greedy("LOCK", f"/{granted}", EXCLUSIVE)).status == 201:
            granted += 1
        assert answer.status == 507
        assert f"you have {granted} locks".encode() in answer.body
        assert granted < 10
        with closing(Client(bridge.port, {}, address="127.0.0.2")) as other:
            assert other("LOCK", "/other", EXCLUSIVE).status == 201


@pytest.mark.parametrize(
    "body", ["<x/>", '<lockinfo xmlns="DAV:"/>', EXCLUSIVE.replace("exclusive", "other"), "<"]
)
def test_lock_refuses_what_is_no_lockinfo(client: Client, body: str) -> None:
    assert client("LOCK", "/f", body).status == 400
    assert client("HEAD", "/f").status == 404


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("PUT", {}),
        ("DELETE", {}),
        ("MOVE", {"Destination": "/elsewhere"}),
        ("PROPPATCH", {}),
    ],
)
def test_a_lock_is_not_passed_by_another_unicode_spelling(
    method: str, headers: dict[str, str], client: Client, store: MemoryStore
) -> None:
    client("PUT", "/%C3%A9", b"mine")
    assert client("LOCK", "/%C3%A9", EXCLUSIVE).status == 200
    body = patch("set", "<p:x/>") if method == "PROPPATCH" else "theirs"
    assert client(method, "/e%CC%81", body, headers).status == 423
    client("PUT", "/other", b"theirs")
    assert client("COPY", "/other", destination="/e%CC%81").status == 423
    assert drain(store.get_object("\u00e9")) == b"mine"


def test_a_lock_that_came_during_a_put_keeps_its_body_out(
    bridge: Bridge, client: Client, store: MemoryStore
) -> None:
    fill(store, "f")

    def body() -> Iterator[bytes]:
        yield b"un"
        with bridge.client() as other:
            assert other("LOCK", "/f", EXCLUSIVE).status == 200
        yield b"locked"

    assert client("PUT", "/f", body()).status == 423
    assert drain(store.get_object("f")) == b"f"
