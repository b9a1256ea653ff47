"""The pages of a listing, and the change of one name in them.

Pages are immutable: a change replaces the page that it concerns with another one with the same
derived values. So it costs time in the size of a page, not of the listing; iterators aren't
disturbed, and most derived values stay valid.

Invariants: names are found by bisection, so those of a page are in order, and after those of the
page before it; if a store's order is another one (SeaweedFS sorts ``a/`` as ``a``), `is_ordered`
is False, and nothing may be looked up or changed. No page is empty.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain
from operator import attrgetter, lt
from typing import Any, TypeVar

from davbridge.cache.derived import CountedValues, KeepValue
from davbridge.cache.sizes import PAGE_BYTES, bytes_of_prefixes, bytes_of_rows
from davbridge.store.base import PAGE_SIZE, ObjectRow, Page
from davbridge.store.derived import DerivedKind, DerivedValues

T = TypeVar("T")

Rows = tuple[ObjectRow, ...]
Prefixes = tuple[str, ...]

_key_of: Callable[[ObjectRow], str] = attrgetter("key")

_NOTHING = Page((), (), is_last=True)


class Pages:
    """The pages that have arrived so far."""

    __slots__ = ("_firsts", "_keep_value", "_pages", "count", "is_ordered", "nbytes", "reached")

    def __init__(self, keep_value: KeepValue) -> None:
        self._keep_value = keep_value
        self._pages: list[Page] = []
        self._firsts: list[str] = []
        self.count = 0
        """Rows and common prefixes."""
        self.nbytes = 0
        """With the derived values."""
        self.is_ordered = True
        self.reached = ""
        """The greatest name so far."""

    def __iter__(self) -> Iterator[Page]:
        return iter(self._pages)

    def append(self, page: Page) -> Page:
        """Adds the next page. Returns the page that is stored for it."""
        if page.rows or page.prefixes:
            page = replace(page, derived=CountedValues(self._keep_value))
            self.is_ordered = self.is_ordered and _is_sorted(page, self.reached)
            self.reached = max(self.reached, _last(page))
            self.count += len(page.rows) + len(page.prefixes)
            self.nbytes += bytes_of_rows(page.rows) + bytes_of_prefixes(page.prefixes)
            self._put(len(self._pages), 0, [page])
        return page

    def end(self) -> None:
        """Marks the last page as the last, whatever was added or removed after it."""
        if self._pages and not self._pages[-1].is_last:
            self._pages[-1] = replace(self._pages[-1], is_last=True)

    def ordered(self) -> "Pages":
        """The same names by code points, which is the order of UTF-8's bytes; once each, though a
        store may begin a page with the common prefix that the one before it ended with."""
        rows = {row.key: row for page in self for row in page.rows}
        in_order = tuple(rows[key] for key in sorted(rows))
        prefixes = tuple(sorted({prefix for page in self for prefix in page.prefixes}))
        pages = Pages(self._keep_value)
        for some_rows, some_prefixes in _divided(in_order, prefixes, PAGE_SIZE):
            pages.append(Page(some_rows, some_prefixes, is_last=False))
        pages.end()
        return pages

    def row(self, key: str) -> ObjectRow | None:
        """The object at ``key``."""
        rows = self._page_of(key).rows
        at = bisect_left(rows, key, key=_key_of)
        return rows[at] if at < len(rows) and rows[at].key == key else None

    def has_prefix(self, prefix: str) -> bool:
        """Whether the pages have a common prefix."""
        prefixes = self._page_of(prefix).prefixes
        at = bisect_left(prefixes, prefix)
        return at < len(prefixes) and prefixes[at] == prefix

    def set_row(self, row: ObjectRow) -> None:
        """Adds an object, or replaces the one at its key."""
        self._splice(row.key, (row,), ())

    def set_prefix(self, prefix: str) -> None:
        """Adds a common prefix."""
        if not self.has_prefix(prefix):
            self._splice(prefix, (), (prefix,))

    def discard(self, name: str) -> None:
        """Removes the object or the common prefix of this name."""
        if self.has_prefix(name) or self.row(name) is not None:
            self._splice(name, (), ())

    def _splice(self, name: str, rows: Rows, prefixes: Prefixes) -> None:
        """Replaces what has the name ``name``, if anything has, by these."""
        page = self._page_of(name)
        at, inside = _span(page.rows, name, _key_of), _span(page.prefixes, name)
        old_rows, old_prefixes = page.rows[at], page.prefixes[inside]
        self.count += len(rows) + len(prefixes) - len(old_rows) - len(old_prefixes)
        self.nbytes += bytes_of_rows(rows) + bytes_of_prefixes(prefixes)
        self.nbytes -= bytes_of_rows(old_rows) + bytes_of_prefixes(old_prefixes)
        self._replace(
            name,
            page.derived,
            page.rows[: at.start] + rows + page.rows[at.stop :],
            page.prefixes[: inside.start] + prefixes + page.prefixes[inside.stop :],
        )

    def _replace(self, name: str, values: DerivedValues, rows: Rows, prefixes: Prefixes) -> None:
        """Replaces the contents of the page of ``name``; halves a page that has become too
        large."""
        size = len(rows) + len(prefixes)
        parts = iter([(rows, prefixes)] if size else [])
        if size > PAGE_SIZE:
            parts = _divided(rows, prefixes, -(-size // 2))
        pages = [
            Page(*part, is_last=False, derived=CountedValues(self._keep_value, values))
            for part in parts
        ]
        self._put(self._place(name), min(1, len(self._pages)), pages)
        self.end()

    def keep_value(
        self, values: CountedValues, kind: DerivedKind[T], value: T, nbytes: int
    ) -> None:
        """Stores a value that was derived from one of these pages."""
        self.nbytes += values.growth(kind, nbytes)
        values.put(kind, value, nbytes)

    def holds(self, values: CountedValues) -> bool:
        """Whether these are the values of one of the pages, and not of one that was replaced."""
        return any(page.derived is values for page in self._pages)

    def clear_derived(self) -> None:
        """Drops the derived values."""
        for page in self._pages:
            if isinstance(page.derived, CountedValues):
                self.nbytes -= page.derived.nbytes
                page.derived.clear()

    def _page_of(self, name: str) -> Page:
        return self._pages[self._place(name)] if self._pages else _NOTHING

    def _place(self, name: str) -> int:
        return max(0, bisect_right(self._firsts, name) - 1)

    def _put(self, start: int, length: int, pages: list[Page]) -> None:
        self.nbytes += _bytes_around(pages) - _bytes_around(self._pages[start : start + length])
        self._pages[start : start + length] = pages
        self._firsts[start : start + length] = map(_first, pages)


def _span(items: tuple[Any, ...], name: str, key: Callable[[Any], str] | None = None) -> slice:
    """Where ``name`` is among sorted items; empty, where it would be."""
    start = bisect_left(items, name, key=key)
    is_there = start < len(items) and (key(items[start]) if key else items[start]) == name
    return slice(start, start + is_there)


def _divided(rows: Rows, prefixes: Prefixes, size: int) -> Iterator[tuple[Rows, Prefixes]]:
    """Sorted rows and common prefixes, ``size`` names at a time."""
    names = sorted(chain(map(_key_of, rows), prefixes))
    for start in range(0, len(names), size):
        low, high = names[start], names[min(start + size, len(names)) - 1]
        yield _between(rows, low, high, _key_of), _between(prefixes, low, high)


def _between(items: tuple[T, ...], low: str, high: str, key: Any = None) -> tuple[T, ...]:
    return items[bisect_left(items, low, key=key) : bisect_right(items, high, key=key)]


def _is_sorted(page: Page, before: str) -> bool:
    """Whether both kinds of names are in order, and greater than ``before``."""
    return all(
        all(map(lt, names, names[1:])) and (not names or names[0] > before)
        for names in (list(map(_key_of, page.rows)), page.prefixes)
    )


def _first(page: Page) -> str:
    return min((*map(_key_of, page.rows[:1]), *page.prefixes[:1]))


def _last(page: Page) -> str:
    return max((*map(_key_of, page.rows[-1:]), *page.prefixes[-1:]))


def _bytes_around(pages: Iterable[Page]) -> int:
    """Bytes that pages take in addition to their names."""
    derived = (page.derived for page in pages)
    return sum(PAGE_BYTES + each.nbytes for each in derived if isinstance(each, CountedValues))
