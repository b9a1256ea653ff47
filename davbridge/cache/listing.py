"""A cached listing: all that is directly below a prefix, and when it expires.

It is read and changed under the lock of the state alone. The pages that it returns are immutable.

Invariant: a cached Listing holds everything directly below its prefix.
"""

from datetime import timedelta
from typing import TypeVar

from davbridge.cache.derived import CountedValues, KeepValue
from davbridge.cache.pages import Pages
from davbridge.cache.sizes import LISTING_BYTES
from davbridge.store.base import Lookup, ObjectRow, Page
from davbridge.store.derived import DerivedKind

T = TypeVar("T")


class Listing:
    """Rows and common prefixes, in the store's pages, updated by our own writes."""

    __slots__ = ("_expires", "_keep_value", "_pages", "is_large", "negative_until", "started")

    def __init__(
        self, *, started: float, expires: float, negative_until: float, keep_value: KeepValue
    ) -> None:
        """``keep_value`` stores and counts values that are derived from the pages."""
        self.started = started
        self._expires = expires
        self.negative_until = negative_until
        self.is_large = False
        """Whether the store returned it in more than one page."""
        self._keep_value = keep_value
        self._pages = Pages(keep_value)

    @property
    def expires(self) -> float:
        """Whether it is a negative answer: a collection with nothing in it doesn't exist."""
        return self._expires if self._pages.count else self.negative_until

    @property
    def nbytes(self) -> int:
        """Bytes in memory, within a factor of two."""
        return LISTING_BYTES + self._pages.nbytes

    @property
    def count(self) -> int:
        """The number that ``max_entries`` limits."""
        return 1 + self._pages.count

    def pages(self) -> tuple[Page, ...]:
        """The listing as of now."""
        return tuple(self._pages) or (Page((), (), is_last=True),)

    def row(self, key: str) -> ObjectRow | None:
        """The object at ``key``."""
        return self._pages.row(key)

    def lookup(self, key: str) -> Lookup:
        """What is at a slashless key."""
        return Lookup(self._pages.row(key), self._pages.has_prefix(key + "/"))

    def empty(self, keep_value: KeepValue | None = None) -> "Listing":
        """The listing of a collection that this one shows not to be there: as old as this one."""
        return Listing(
            started=self.started,
            expires=self._expires,
            negative_until=self.negative_until,
            keep_value=keep_value or self._keep_value,
        )

    def lookup_passed(self, key: str) -> Lookup | None:
        """As `lookup`, in a listing in progress; None if it hasn't reached ``key`` yet. Some stores
        list ``key/`` where ``key`` would be."""
        reached = self._pages.reached
        has_passed = reached > key + "/" and reached.removesuffix("/") > key
        return self.lookup(key) if has_passed and self._pages.is_ordered else None

    def has_other_than(self, name: str) -> bool:
        """Whether anything but ``name`` is there."""
        is_there = self._pages.has_prefix(name) or self._pages.row(name) is not None
        return self._pages.count > is_there

    def add_page(self, page: Page) -> Page:
        """Adds the next page of the listing in progress. Returns the page that is cached."""
        appended = self._pages.append(page)
        self.is_large = self.is_large or not page.is_last
        if page.is_last:
            self._pages.end()
            if not self._pages.is_ordered:
                self._pages = self._pages.ordered()
        return appended

    def set(self, name: str, row: ObjectRow | None) -> None:
        """Sets the row of a key; adds a common prefix if the row is None."""
        if row is None:
            self._pages.set_prefix(name)
        else:
            self._pages.set_row(row)

    def discard(self, name: str) -> None:
        """Removes a key or a common prefix."""
        self._pages.discard(name)

    def holds(self, values: CountedValues) -> bool:
        """Whether these are the derived values of one of the pages."""
        return self._pages.holds(values)

    def keep_value(
        self, values: CountedValues, kind: DerivedKind[T], value: T, nbytes: int
    ) -> None:
        """Stores a value that was derived from a page of this listing."""
        self._pages.keep_value(values, kind, value, nbytes)

    def clear_derived(self) -> None:
        """Makes room."""
        self._pages.clear_derived()


def same_version(one: ObjectRow | None, other: ObjectRow | None) -> bool:
    """Whether two rows are of one version of an object, or both of none.

    The times in the answers to a write and to a listing may differ by a second.
    """
    if one is None or other is None:
        return one is other
    return one.etag == other.etag and abs(one.modified - other.modified) <= timedelta(seconds=1)
