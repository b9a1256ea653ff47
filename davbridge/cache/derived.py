"""The derived values of cached pages, counted among the bytes of their listing.

Invariant: values change under the lock of the state alone; reading them takes no lock.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from davbridge.store.derived import DerivedKind, DerivedValues

T = TypeVar("T")

KeepValue = Callable[["CountedValues", DerivedKind[Any], Any, int], None]
"""Adds a value to the derived values of a page, and counts it, if there is room and the page is
cached."""


class CountedValues(DerivedValues):
    """The derived values of a cached page, with their bytes."""

    __slots__ = ("_keep_value", "_sizes")

    def __init__(self, keep_value: KeepValue, before: DerivedValues | None = None) -> None:
        """``before``: the derived values of the page that is replaced."""
        super().__init__()
        self._keep_value = keep_value
        self._sizes: dict[DerivedKind[Any], int] = {}
        if isinstance(before, CountedValues):
            self._values.update(before._values)
            self._sizes.update(before._sizes)

    @property
    def nbytes(self) -> int:
        """Of all values."""
        return sum(self._sizes.values())

    def set(self, kind: DerivedKind[T], value: T, nbytes: int) -> None:
        self._keep_value(self, kind, value, nbytes)

    def growth(self, kind: DerivedKind[Any], nbytes: int) -> int:
        """The bytes that a value of this size would add."""
        return nbytes - self._sizes.get(kind, 0)

    def put(self, kind: DerivedKind[Any], value: object, nbytes: int) -> None:
        """Stores a value for which there is room."""
        self._values[kind] = value
        self._sizes[kind] = nbytes

    def clear(self) -> None:
        """Drops all values, to make room."""
        self._values.clear()
        self._sizes.clear()
