"""davbridge ends in the middle of a PUT: politely, or by SIGKILL."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.buckets import Bucket, fresh_bucket
from tests.support.endpoints import Endpoint
from tests.support.s3proxy import Hold, Request, s3_proxy
from tests.support.served import served
from tests.support.waiting import until
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
        until(lambda: not is_listening(server.port))
        writer.send(HALF)
        assert writer.answer().status == 201
        server.end()
    assert bucket.bodies() == {"new": HALF + HALF}


LEAVING_SOON = """
import sys
from davbridge import cli
cli.SHUTDOWN_SECONDS = 0.5
sys.exit(cli.main(sys.argv[1:]))
"""


def test_sigterm_ends_serve_though_the_store_never_answers(
    bucket: Bucket, server_folder: Path
) -> None:
    """The copies of a folder's MOVE: its journal tells another bridge what to do."""
    settings = "[server]\nshutdown_timeout = 1\n"
    holds: list[Hold] = []

    def hold_copies(request: Request) -> Hold | None:
        if "x-amz-copy-source" not in request.headers:
            return None
        holds.append(Hold())
        return holds[-1]

    with s3_proxy(bucket.endpoint.url) as proxy:
        started = served(
            bucket,
            server_folder,
            settings=settings,
            endpoint_url=proxy.url,
            program=("-c", LEAVING_SOON),
        )
        with started as server, server.client() as client, RawClient(server.port) as mover:
            assert client("MKCOL", "/s/").status == 201
            for name in ("a", "b"):
                assert client("PUT", f"/s/{name}", b"x").status == 201
            proxy.rule = hold_copies
            mover.send(
                b"MOVE /s/ HTTP/1.1\r\nHost: localhost\r\nDestination: /t/\r\n"
                b"Content-Length: 0\r\n\r\n"
            )
            until(lambda: len(holds) > 1)
            server.end()
        for hold in holds:
            hold.forget()
    assert {"s/a", "s/b"} <= set(bucket.listed())


def is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionError:
        return False
    return True
