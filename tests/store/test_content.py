"""Content in several buffers is the same to all as the bytes that it has."""

import pytest

from davbridge.store.content import Pieces, buffers_of
from davbridge.store.s3.checksums import checksum_headers
from davbridge.store.s3.signing import payload_hash

WHOLE = bytes(range(256)) * 1000


def pieces(size: int) -> Pieces:
    """WHOLE, cut into buffers."""
    return Pieces([memoryview(WHOLE)[at : at + size] for at in range(0, len(WHOLE), size)])


@pytest.mark.parametrize("size", [1000, 4096, len(WHOLE)])
def test_pieces_are_what_they_are_made_of_as_often_as_they_are_read(size: int) -> None:
    content = pieces(size)
    assert len(content) == len(WHOLE)
    for _ in range(2):
        assert b"".join(buffers_of(content)) == WHOLE
    assert payload_hash(content) == payload_hash(WHOLE)
    assert checksum_headers(content) == checksum_headers(WHOLE)


def test_no_pieces_are_no_bytes() -> None:
    assert len(Pieces([])) == 0
    assert payload_hash(Pieces([])) == payload_hash(b"")


@pytest.mark.parametrize("content", [WHOLE, memoryview(WHOLE)])
def test_one_buffer_is_content_too(content: bytes | memoryview) -> None:
    assert b"".join(buffers_of(content)) == WHOLE
