"""What the cache keeps: listings of collections, whole or on their way, and answers about keys.

Entries are read and changed under the shelf's lock alone. Pages and rows are immutable, so a
correction never disturbs whoever iterates them.

Invariants: a Listing that is kept holds everything directly below its prefix; ``nbytes`` is within
a factor of two of the memory that an entry takes.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain
from typing import Generic, NamedTuple, TypeVar

from davbridge.cache.lazy import Lazy
from davbridge.errors import UnavailableError
from davbridge.store.base import PAGE_SIZE, Lookup, ObjectInfo, ObjectRow, Page

T = TypeVar("T")

LISTING_BYTES = 900
"""A listing that holds nothing: objects, dictionaries, and its places in the shelf. Measured with
tracemalloc, as all of these."""

PREFIX_BYTES = 60
"""A common prefix in a listing, its text apart: its places in the dictionary and in a page."""

ROW_BYTES = 230
"""An object in a listing, its texts apart: the row, its size and time, and its places."""

ANSWER_BYTES = 500
"""An answer about a key, what it says apart: the objects around it and its places in the shelf."""

INFO_BYTES = 250
"""The attributes of an object, the texts of its metadata apart."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """What the inner store said about one key."""

    value: T
    expires: float
    nbytes: int
    count: int = 1


def lookup_answer(key: str, found: Lookup, expires: float) -> Answer[Lookup]:
    """What is at a slashless key."""
    return Answer(found, expires, ANSWER_BYTES + _bytes_of(key, found.row))


def info_answer(key: str, info: ObjectInfo | None, expires: float) -> Answer[ObjectInfo | None]:
    """A key's HEAD, or that there is no object."""
    nbytes = ANSWER_BYTES + _bytes_of(key, info.row if info else None)
    if info:
        texts = chain.from_iterable(info.attributes.metadata.items())
        nbytes += INFO_BYTES + sum(map(sys.getsizeof, texts))
    return Answer(info, expires, nbytes)


@dataclass(frozen=True, slots=True)
class Large:
    """A collection of more than one page: not worth a page to look up one name."""

    expires: float
    nbytes: int = LISTING_BYTES
    count: int = 1


class Listing:
    """All that is directly below a prefix: rows by key, and common prefixes, whose row is None."""

    __slots__ = (
        "_expires",
        "_pages",
        "_reached",
        "_rows",
        "is_large",
        "nbytes",
        "negative_until",
        "started",
    )

    def __init__(self, *, started: float, expires: float, negative_until: float) -> None:
        self.started = started
        self._expires = expires
        self.negative_until = negative_until
        self.is_large = False
        """Whether it came in more than one page."""
        self.nbytes = LISTING_BYTES
        self._rows: dict[str, ObjectRow | None] = {}
        self._pages: tuple[Page, ...] | None = None
        self._reached = ""

    @property
    def expires(self) -> float:
        """That nothing is there is a negative answer: an empty collection doesn't exist."""
        return self._expires if self._rows else self.negative_until

    @property
    def count(self) -> int:
        """What ``max_entries`` counts."""
        return 1 + len(self._rows)

    def pages(self) -> tuple[Page, ...]:
        """The listing as of now, in pages as S3 gives them."""
        if self._pages is None:
            self._pages = tuple(_paged(self._rows))
        return self._pages

    def row(self, key: str) -> ObjectRow | None:
        """The object at ``key``."""
        return self._rows.get(key)

    def lookup(self, key: str) -> Lookup:
        """What is at a slashless key."""
        return Lookup(self._rows.get(key), key + "/" in self._rows)

    def empty(self) -> "Listing":
        """The listing of a collection that this one shows not to be there: as old as this one."""
        return Listing(
            started=self.started, expires=self._expires, negative_until=self.negative_until
        )

    def lookup_passed(self, key: str) -> Lookup | None:
        """The same for a listing on its way; None where it hasn't come past ``key`` yet. Some
        stores have ``key/`` where ``key`` would be."""
        has_passed = self._reached > key + "/" and self._reached.removesuffix("/") > key
        return self.lookup(key) if has_passed else None

    def has_other_than(self, name: str) -> bool:
        """Whether anything but ``name`` is there."""
        return len(self._rows) > (name in self._rows)

    def add_page(self, page: Page) -> None:
        """Takes in the next page of the listing on its way."""
        for row in page.rows:
            self.set(row.key, row)
        for prefix in page.prefixes:
            self.set(prefix, None)
        last = (*(row.key for row in page.rows[-1:]), *page.prefixes[-1:])
        self._reached = max(self._reached, *last, "")
        self.is_large = self.is_large or not page.is_last

    def set(self, name: str, row: ObjectRow | None) -> None:
        """Makes a key have this row; or a common prefix be there, whose row is None."""
        if row is None and name in self._rows:
            return
        self.discard(name)
        self._rows[name] = row
        self._pages = None
        self.nbytes += _bytes_of(name, row)

    def discard(self, name: str) -> None:
        """Makes a key or common prefix not be there."""
        if name in self._rows:
            self.nbytes -= _bytes_of(name, self._rows.pop(name))
            self._pages = None


def _paged(rows: dict[str, ObjectRow | None]) -> Iterator[Page]:
    # By code points, which is the order of UTF-8's bytes.
    ordered = sorted(rows)
    for start in range(0, len(ordered) or 1, PAGE_SIZE):
        names = ordered[start : start + PAGE_SIZE]
        yield Page(
            tuple(row for name in names if (row := rows[name])),
            tuple(name for name in names if rows[name] is None),
            start + PAGE_SIZE >= len(ordered),
        )


def same_version(one: ObjectRow | None, other: ObjectRow | None) -> bool:
    """Whether two rows are of one version of an object, or both of none.

    A write and a listing may tell a time that differs by a second.
    """
    if one is None or other is None:
        return one is other
    return one.etag == other.etag and abs(one.modified - other.modified) <= timedelta(seconds=1)


def _bytes_of(name: str, row: ObjectRow | None) -> int:
    if row is None:
        return PREFIX_BYTES + sys.getsizeof(name)
    return ROW_BYTES + sys.getsizeof(name) + sys.getsizeof(row.etag)


class Node(NamedTuple):
    """A page of a listing on its way, and how to get those after it."""

    page: Page
    rest: "Lazy[Node] | None"


class Filling:
    """A listing on its way, that any number of readers share page by page.

    Its pages are a chain, in which each reader holds a place of its own: once the filling has
    forgotten the head, a page is freed when the last reader has passed it.
    """

    __slots__ = ("_arrived", "_failed", "_pages", "head", "listing")

    def __init__(
        self,
        listing: Listing,
        pages: Iterator[Page],
        arrived: Callable[["Filling", Page], None],
        failed: Callable[["Filling"], None],
    ) -> None:
        """``arrived`` and ``failed`` are told before any reader is."""
        self.listing = listing
        """The pages that have arrived."""
        self.head: Lazy[Node] | None = Lazy(self._fetch)
        """The first page; None once forgotten."""
        self._pages = pages
        self._arrived = arrived
        self._failed = failed

    @property
    def expires(self) -> float:
        """The listing's."""
        return self.listing.expires

    @property
    def nbytes(self) -> int:
        """The listing's."""
        return self.listing.nbytes

    @property
    def count(self) -> int:
        """The listing's."""
        return self.listing.count

    def forget(self) -> None:
        """Keeps no page any longer; its readers go on."""
        self.head = None
        self.listing = Listing(started=0, expires=0, negative_until=0)

    def _fetch(self) -> Node:
        try:
            page = next(self._pages, None)
            if page is None:
                raise UnavailableError("the listing broke off before its last page")
        except BaseException:
            self._failed(self)
            raise
        self._arrived(self, page)
        return Node(page, None if page.is_last else Lazy(self._fetch))


def pages_from(place: Lazy[Node] | None) -> Iterator[Page]:
    """The pages from a place in the chain on, each fetched by whoever needs it first."""
    while place is not None:
        page, place = place.get()
        yield page
