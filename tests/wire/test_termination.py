"""davbridge ends in the middle of a PUT: politely, or by SIGKILL."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.buckets import Bucket, fresh_bucket
from tests.support.endpoints import Endpoint
from tests.support.served import served
from tests.support.wire import RawClient

MIB = 1024 * 1024
HALF = b"n" * (24 * MIB)
"""More than a part: a multipart upload is under way once it is sent."""


@pytest.fixture
def bucket(seaweedfs: Endpoint) -> Iterator[Bucket]:
    with fresh_bucket(seaweedfs) as bucket:
        yield bucket


def begin_put(client: RawClient, bucket: Bucket, name: str) -> None:
    """Sends the first half of a body, and waits until the bucket knows of it."""
    length = 2 * len(HALF)
    client.send(
        f"PUT /{name} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode()
    )
    client.send(HALF)
    bucket.wait_for_uploads([name])


@pytest.mark.parametrize("name", ["old", "new"])
def test_sigkill_in_the_middle_of_a_put_leaves_what_was_there(
    name: str, bucket: Bucket, server_folder: Path
) -> None:
    with served(bucket, server_folder) as server:
        with server.client() as client:
            assert client("PUT", "/old", b"the old version").status == 201
        before = bucket.get("old")
        with RawClient(server.port) as writer:
            begin_put(writer, bucket, name)
            server.kill()
    assert bucket.listed() == ["old"]
    assert bucket.get("old") == before
    with served(bucket, server_folder) as server, server.client() as client:
        assert client("GET", "/old").body == b"the old version"
        assert client("GET", "/new").status == 404
        assert client("PUT", f"/{name}", HALF).status == (204 if name == "old" else 201)
    assert bucket.get(name).body == HALF


def test_sigterm_lets_a_put_under_way_finish(bucket: Bucket, server_folder: Path) -> None:
    with served(bucket, server_folder) as server, RawClient(server.port) as writer:
        begin_put(writer, bucket, "new")
        server.terminate()
        wait_until_nobody_listens(server.port)
        writer.send(HALF)
        assert writer.answer().status == 201
        server.end()
    assert bucket.bodies() == {"new": HALF + HALF}


def wait_until_nobody_listens(port: int) -> None:
    deadline = time.monotonic() + 10
    while is_listening(port):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionError:
        return False
    return True
