"""Objects by key, and their keys in order, as listings need them.

Invariant: the map and the sorted keys change together.
"""

from bisect import bisect_left, insort
from dataclasses import dataclass
from typing import NamedTuple

from davbridge.store.base import PAGE_SIZE, ObjectInfo, ObjectRow, Page


@dataclass(frozen=True, slots=True)
class StoredObject:
    info: ObjectInfo
    body: bytes


class Step(NamedTuple):
    """A page of a listing, and the least key, in UTF-8, that the next one may hold."""

    page: Page
    resume_at: bytes


class SortedObjects:
    """The objects of a bucket. Not safe for several threads."""

    def __init__(self) -> None:
        self._objects: dict[bytes, StoredObject] = {}
        self._order: list[bytes] = []

    def get(self, key: str) -> StoredObject | None:
        return self._objects.get(key.encode())

    def put(self, stored: StoredObject) -> None:
        name = stored.info.row.key.encode()
        if name not in self._objects:
            insort(self._order, name)
        self._objects[name] = stored

    def delete(self, key: str) -> None:
        """An absent object is deleted already."""
        name = key.encode()
        if self._objects.pop(name, None):
            del self._order[bisect_left(self._order, name)]

    def has_prefix(self, prefix: str) -> bool:
        """Whether any key begins with ``prefix``."""
        return self._key_at(prefix.encode(), prefix.encode()) is not None

    def page(self, start: bytes, prefix: bytes, delimiter: bytes, size: int) -> Step:
        """The page from the key ``start`` on. A common prefix counts as a row."""
        rows: list[ObjectRow] = []
        prefixes: list[str] = []
        key = self._key_at(start, prefix)
        while key is not None and len(rows) + len(prefixes) < min(size, PAGE_SIZE):
            common = _common_prefix(key, prefix, delimiter)
            if common:
                prefixes.append(common.decode())
                start = _after_all_below(common)
            else:
                rows.append(self._objects[key].info.row)
                start = key + b"\0"
            key = self._key_at(start, prefix)
        return Step(Page(tuple(rows), tuple(prefixes), is_last=key is None), start)

    def _key_at(self, start: bytes, prefix: bytes) -> bytes | None:
        """The first key from ``start`` on, if it has the prefix."""
        at = bisect_left(self._order, start)
        if at == len(self._order) or not self._order[at].startswith(prefix):
            return None
        return self._order[at]


def _common_prefix(key: bytes, prefix: bytes, delimiter: bytes) -> bytes:
    at = key.find(delimiter, len(prefix)) if delimiter else -1
    return key[: at + len(delimiter)] if at >= 0 else b""


def _after_all_below(prefix: bytes) -> bytes:
    """The least bytes that sort after every key with this prefix; UTF-8 never holds 0xFF."""
    return prefix[:-1] + bytes([prefix[-1] + 1])
