"""Derived values: what upper layers compute from a page of a listing, cached with the page.

The store neither makes nor reads them. A Page only has an attribute for them (`Page.derived`), so
that a value is dropped with its page, and counts among the page's bytes. `tree` stores there which
rows are members, and `dav` the rendered responses: a warm PROPFIND joins them and renders nothing.

Code that derives a value makes one DerivedKind for it, says how many bytes it takes, and must work
without it: CachedStore counts derived values among its ``max_bytes``, and drops them where there is
no room.

A page that replaces another one, because one of its rows has changed, gets its derived values. So a
value has a copy of what it was derived from, and its reader compares: most of what was derived from
1,000 rows stays valid when one of them changes.
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
        """The value that was set: derived from this page, or from one that it has replaced."""
        value: T | None = self._values.get(kind)
        return value

    def set(self, kind: DerivedKind[T], value: T, nbytes: int) -> None:
        """Stores a value, which takes ``nbytes`` of memory, unless there is no room for it."""
        self._values[kind] = value
