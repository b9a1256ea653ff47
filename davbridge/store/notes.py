"""Notes: what upper layers derive from a page of a listing, kept beside it.

Owns the place. Must not know what is noted: a text that is dear to make, usually.

Invariants: a note goes when its page goes. A page that takes another's place, because one of its
rows changed, takes over its notes: so a note tells what it was made of, and whoever reads it
compares. That way most of what was derived of 1000 rows outlives the change of one.
"""

from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Kind(Generic[T]):
    """A sort of note; there is one object for each, and ``T`` is what is noted."""


class Notes:
    """The notes beside one page, one of each kind. Without a keeper nobody counts their bytes."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[Kind[Any], Any] = {}

    def get(self, kind: Kind[T]) -> T | None:
        """What was noted, of this page or of one whose place it took."""
        value: T | None = self._values.get(kind)
        return value

    def keep(self, kind: Kind[T], value: T, nbytes: int) -> None:
        """Notes a value, which takes ``nbytes`` of memory, unless there is no room for it."""
        self._values[kind] = value
