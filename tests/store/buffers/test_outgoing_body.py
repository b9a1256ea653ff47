"""A body in several buffers is sent and hashed like the same bytes in one."""

from urllib.parse import urlsplit

import pytest

from davbridge.store.buffers.outgoing_body import Pieces, buffers_of
from davbridge.store.s3.messages.checksums import checksum_headers
from davbridge.store.s3.transport.connections import MAX_JOINED_BODY, Connections
from davbridge.store.s3.transport.opener import NetworkOptions
from davbridge.store.s3.transport.signing import payload_hash
from tests.support.parrot import Server, serving

WHOLE = bytes(range(256)) * 1000


def pieces(size: int) -> Pieces:
    """WHOLE, cut into buffers."""
    return Pieces([memoryview(WHOLE)[at : at + size] for at in range(0, len(WHOLE), size)])


@pytest.mark.parametrize("size", [1000, 4096, len(WHOLE)])
def test_a_body_is_the_same_each_time_that_it_is_read(size: int) -> None:
    content = pieces(size)
    assert len(content) == len(WHOLE)
    for _ in range(2):
        assert b"".join(buffers_of(content)) == WHOLE
    assert payload_hash(content) == payload_hash(WHOLE)
    assert checksum_headers(content) == checksum_headers(WHOLE)


def test_a_body_without_pieces_is_empty() -> None:
    assert len(Pieces([])) == 0
    assert payload_hash(Pieces([])) == payload_hash(b"")


@pytest.mark.parametrize("content", [WHOLE, memoryview(WHOLE)])
def test_a_body_can_be_made_of_one_buffer(content: bytes | memoryview) -> None:
    assert b"".join(buffers_of(content)) == WHOLE


@pytest.mark.parametrize("size", [1000, MAX_JOINED_BODY, len(WHOLE)])
@pytest.mark.parametrize("cut", [100, 100_000])
def test_pieces_are_sent_whole(size: int, cut: int) -> None:
    buffers = [memoryview(WHOLE)[at : min(at + cut, size)] for at in range(0, size, cut)]
    with serving(Server()) as server:
        connections = Connections(
            urlsplit(server.url), NetworkOptions(5.0, 20.0, 2, None, None, {})
        )
        headers = {"host": "h", "content-length": str(size)}
        for _ in range(2):  # a byte too many or too few would break the second
            answer = connections.exchange("PUT", lambda: ("/a", headers), Pieces(buffers))
            assert answer.read_all(1000) == b"ok"
        connections.close()
    assert server.connections == 1
