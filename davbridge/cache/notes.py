"""Notes beside pages that are kept: counted among their bytes.

Owns the counting. Must not know what a page holds, nor the bounds.

Invariant: notes are changed under the state's lock alone; reading them takes no lock.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from davbridge.store.notes import Kind, Notes

T = TypeVar("T")

Keeper = Callable[["KeptNotes", Kind[Any], Any, int], None]
"""Puts a note down, and counts it, if there is room and the page is still kept."""


class KeptNotes(Notes):
    """The notes beside a page of a listing, with their bytes."""

    __slots__ = ("_keeper", "_sizes")

    def __init__(self, keeper: Keeper, before: Notes | None = None) -> None:
        """``before``: of the page that this one's page takes the place of."""
        super().__init__()
        self._keeper = keeper
        self._sizes: dict[Kind[Any], int] = {}
        if isinstance(before, KeptNotes):
            self._values.update(before._values)
            self._sizes.update(before._sizes)

    @property
    def nbytes(self) -> int:
        """All that was noted."""
        return sum(self._sizes.values())

    def keep(self, kind: Kind[T], value: T, nbytes: int) -> None:
        self._keeper(self, kind, value, nbytes)

    def growth(self, kind: Kind[Any], nbytes: int) -> int:
        """The bytes that a note would add."""
        return nbytes - self._sizes.get(kind, 0)

    def put(self, kind: Kind[Any], value: object, nbytes: int) -> None:
        """Notes a value for which there is room."""
        self._values[kind] = value
        self._sizes[kind] = nbytes

    def clear(self) -> None:
        """Makes room."""
        self._values.clear()
        self._sizes.clear()
