"""Refreshes as npm's webdav asks for them: a bare token as the If header, and a lockinfo along."""

from collections.abc import Iterator

import pytest

from davbridge.store.memory import MemoryStore
from tests.support.bodies import lock_info
from tests.support.bridge import Client, running_bridge


@pytest.fixture
def client() -> Iterator[Client]:
    with running_bridge(MemoryStore()) as bridge, bridge.client() as client:
        yield client


@pytest.fixture
def token(client: Client) -> str:
    """Of a lock on ``/f``."""
    return client("LOCK", "/f", lock_info(), timeout="Second-10").header("Lock-Token").strip("<>")


def test_a_bare_token_refreshes_its_lock(client: Client, token: str) -> None:
    headers = {"If": token, "Timeout": "Second-600"}
    answer = client("LOCK", "/f", lock_info(), headers=headers)
    assert answer.status == 200
    assert token.encode() in answer.body
    assert b"Second-600" in answer.body


def test_a_bare_token_of_no_lock_here_refreshes_nothing(client: Client, token: str) -> None:
    assert client("LOCK", "/f", lock_info(), headers={"If": f"{token}0"}).status == 412
    assert client("LOCK", "/g", lock_info(), headers={"If": token}).status == 412
    assert client("GET", "/g").status == 404


def test_a_bare_token_means_nothing_to_other_methods(client: Client, token: str) -> None:
    assert client("PUT", "/f", b"x", headers={"If": token}).status == 400
    assert client("GET", "/f").body == b""
