"""What is asked of an ObjectStore, in one word: what the tests of its contract say in many."""

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from davbridge.store.base import (
    ALWAYS,
    Attributes,
    Condition,
    ObjectReader,
    ObjectRow,
    ObjectStore,
)
from tests.support.stores import SMALL_PART

LONG = os.urandom(2 * SMALL_PART + 4321)
"""Three parts."""


SECOND = timedelta(seconds=1)
"""S3 tells times to the second."""


def are_since(began_at: datetime, *rows: ObjectRow) -> bool:
    """Whether all of these were modified between ``began_at`` and now."""
    now = datetime.now(UTC)
    return all(began_at - SECOND <= row.modified <= now + SECOND for row in rows)


def fill(store: ObjectStore, *keys: str) -> None:
    def put(key: str) -> None:
        store.put_object(key, b"" if key.endswith("/") else b"x", Attributes())

    with ThreadPoolExecutor(8 if len(keys) > 50 else 1) as pool:
        list(pool.map(put, keys))


def rows(store: ObjectStore, prefix: str = "", delimiter: str = "") -> list[ObjectRow]:
    pages = store.list_objects(prefix, delimiter=delimiter)
    return [row for page in pages for row in page.rows]


def keys(store: ObjectStore, prefix: str = "", delimiter: str = "") -> list[str]:
    return [row.key for row in rows(store, prefix, delimiter)]


def prefixes(store: ObjectStore, prefix: str = "") -> list[str]:
    pages = store.list_objects(prefix, delimiter="/")
    return [common for page in pages for common in page.prefixes]


def drain(reader: ObjectReader, block: int = 256 * 1024) -> bytes:
    with reader:
        return b"".join(iter(lambda: reader.read(block), b""))


def write(
    store: ObjectStore,
    key: str,
    body: bytes,
    attributes: Attributes | None = None,
    condition: Condition = ALWAYS,
    *,
    length: int | None = None,
    block: int = 256 * 1024,
) -> ObjectRow:
    writer = store.open_writer(key, attributes or Attributes(), condition, length=length)
    try:
        for start in range(0, len(body), block):
            writer.write(body[start : start + block])
        return writer.commit()
    except BaseException:
        writer.abort()
        raise
