"""Whole bodies, and parts of a certain length, from readers that give what they like at a time.

Must not know what is read.
"""

from davbridge.errors import TruncatedError
from davbridge.store.base import ObjectReader, ObjectRow, ObjectStore

_BLOCK = 1024 * 1024
_COMPARED = 256 * 1024
"""Bytes of each of two objects at a time."""


def read_all(reader: ObjectReader, limit: int) -> bytes:
    """The whole body; of one that is longer than ``limit``, no more than a beginning that is so as
    well. Raises TruncatedError."""
    body = bytearray()
    while len(body) <= limit and (block := reader.read(_BLOCK)):
        body += block
    return bytes(body)


def read_exactly(reader: ObjectReader, size: int) -> bytes:
    """So many bytes. Raises TruncatedError where there are fewer."""
    body = bytearray()
    while len(body) < size:
        block = reader.read(size - len(body))
        if not block:
            raise TruncatedError(f"{size - len(body)} bytes less than there should be")
        body += block
    return bytes(body)


def have_same_bytes(store: ObjectStore, one: ObjectRow, other: ObjectRow) -> bool:
    """Whether two objects of one size do. Raises StoreError."""
    with (
        store.get_object(one.key, if_match=one.etag) as first,
        store.get_object(other.key, if_match=other.etag) as second,
    ):
        left = one.size
        while left:
            block = read_exactly(first, min(left, _COMPARED))
            if block != read_exactly(second, len(block)):
                return False
            left -= len(block)
    return True
