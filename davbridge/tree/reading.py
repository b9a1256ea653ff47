"""Whole bodies, and parts of a certain length, from readers that give what they like at a time.

Must not know what is read.
"""

from davbridge.errors import TruncatedError
from davbridge.store.base import ObjectReader

_BLOCK = 1024 * 1024


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
