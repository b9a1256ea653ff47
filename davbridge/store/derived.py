"""Derived values: what upper layers compute from a page of a listing, kept beside the page.

The store neither makes nor reads them: a Page only has the place (`Page.derived`), so that a value
goes when its page goes, and counts among the page's bytes. `tree` keeps there which rows are
members, and `dav` the rendered responses: a warm PROPFIND joins them and renders nothing.

Who derives a value makes one DerivedKind for it, says how many bytes it takes, and must do without
it: CachedStore counts derived values among its ``max_bytes``, and drops them where there is no
room.

A page that takes the place of another one, because one of its rows has changed, takes over its
derived values. So a value names what it was derived from, and its reader compares: most of what was
derived from 1,000 rows outlives the change of one.
"""

from typing import Any, Generic, TypeVar

T = TypeVar("T")


class DerivedKind(Generic[T]):
    """The key of a derived value of type ``T``: one object for each kind, compared by identity."""


class DerivedValues:
    """The derived values of one page, one of each kind.

    These are of a page that isn't cached: they live as long as the page, and nobody counts them.
    """

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[DerivedKind[Any], Any] = {}

    def get(self, kind: DerivedKind[T]) -> T | None:
        """The value that was set: derived from this page, or from one whose place it took."""
        value: T | None = self._values.get(kind)
        return value

    def set(self, kind: DerivedKind[T], value: T, nbytes: int) -> None:
        """Keeps a value, which takes ``nbytes`` of memory, unless there is no room for it."""
        self._values[kind] = value
