"""Reads from the store: rows that bypass the cache, and whole bodies of a known length."""

from davbridge.errors import (
    AccessDeniedError,
    ArchivedError,
    NotFoundError,
    PreconditionFailedError,
    TruncatedError,
)
from davbridge.store.base import ObjectReader, ObjectRow, ObjectStore

_BLOCK = 1024 * 1024
_COMPARED = 256 * 1024
"""Bytes that are compared at a time."""


def rows_below(store: ObjectStore, prefix: str) -> dict[str, ObjectRow]:
    """Everything below a prefix, by key. Raises StoreError."""
    return {row.key: row for page in store.list_objects(prefix) for row in page.rows}


def row_at(store: ObjectStore, key: str) -> ObjectRow | None:
    """The object at a key. Raises StoreError."""
    page = next(store.list_objects(key))
    return next((row for row in page.rows if row.key == key), None)


def read_all(reader: ObjectReader, limit: int) -> bytes:
    """Reads the body; stops soon after ``limit`` bytes. Raises TruncatedError."""
    body = bytearray()
    while len(body) <= limit and (block := reader.read(_BLOCK)):
        body += block
    return bytes(body)


def read_exactly(reader: ObjectReader, size: int) -> bytes:
    """Reads ``size`` bytes. Raises TruncatedError if there are fewer."""
    body = bytearray()
    while len(body) < size:
        block = reader.read(size - len(body))
        if not block:
            raise TruncatedError(f"{size - len(body)} bytes less than there should be")
        body += block
    return bytes(body)


def is_copy(store: ObjectStore, source: ObjectRow, found: ObjectRow) -> bool:
    """Whether an object has the bytes of the source. Its ETag may be another one if either is an
    object of several parts: then both are read. Raises StoreError."""
    if (found.size, found.etag) == (source.size, source.etag):
        return True
    try:
        return found.size == source.size and have_same_bytes(store, source, found)
    except (NotFoundError, PreconditionFailedError, ArchivedError, AccessDeniedError):
        return False


def have_same_bytes(store: ObjectStore, one: ObjectRow, other: ObjectRow) -> bool:
    """Whether two objects of the same size have the same content. Raises StoreError."""
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
