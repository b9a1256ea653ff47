"""What is in the store right now, asked past what is kept of earlier listings.

Owns the two questions: what is below a prefix, and what is at one key. Must not know what the
answer is for.
"""

from davbridge.store.base import ObjectRow, ObjectStore


def rows_below(store: ObjectStore, prefix: str) -> dict[str, ObjectRow]:
    """Everything below a prefix, by key. Raises StoreError."""
    return {row.key: row for page in store.list_objects(prefix) for row in page.rows}


def row_at(store: ObjectStore, key: str) -> ObjectRow | None:
    """The object at a key. Raises StoreError."""
    page = next(store.list_objects(key))
    return next((row for row in page.rows if row.key == key), None)
