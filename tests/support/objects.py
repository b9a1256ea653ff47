"""Short ways to put objects into a store, and to look at what it shows."""

from davbridge.store.base import Attributes, ObjectRow, ObjectStore

PLAIN = Attributes("text/plain")


def put(store: ObjectStore, *keys: str, body: bytes = b"x") -> ObjectRow:
    """Puts an object at each key; the row is the last one's."""
    rows = [store.put_object(key, body, PLAIN) for key in keys]
    return rows[-1]


def names(store: ObjectStore, prefix: str = "") -> list[str]:
    """The keys and common prefixes directly below ``prefix``, in a listing's order."""
    found: list[str] = []
    for page in store.list_objects(prefix, delimiter="/"):
        found += sorted([row.key for row in page.rows] + list(page.prefixes))
    return found
