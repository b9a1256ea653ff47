"""A listing under way, that any number of readers share page by page.

Invariants: each page is asked for once. Nobody's reading asks for more than the page after the one
that it wants, and not even for that before it has wanted a second one: most readers of one page
only want to know whether there is anything.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple

from davbridge import deadline
from davbridge.cache.listing import Listing
from davbridge.errors import StoreError, UnavailableError
from davbridge.single_flight import SingleFlight
from davbridge.store.base import Page


class PageNode(NamedTuple):
    """A page of a listing on its way, and how to get those after it."""

    page: Page
    rest: "SingleFlight[PageNode] | None"


class ListingFetch:
    """Its pages are a chain, in which each reader holds a place of its own: once the fetch has
    forgotten the head, a page is freed when the last reader has passed it."""

    __slots__ = ("_arrived", "_failed", "_pages", "head", "listing")

    def __init__(
        self,
        listing: Listing,
        pages: Iterator[Page],
        arrived: Callable[["ListingFetch", Page], Page],
        failed: Callable[["ListingFetch"], None],
    ) -> None:
        """``arrived`` and ``failed`` are told before any reader is; what ``arrived`` returns is
        what readers get."""
        self.listing = listing
        """The pages that have arrived."""
        self.head: SingleFlight[PageNode] | None = SingleFlight(self._fetch)
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
        self.listing = self.listing.empty()

    def _fetch(self) -> PageNode:
        try:
            with deadline.unlimited():  # others wait for it who have time
                page = next(self._pages, None)
            if page is None:
                raise UnavailableError("the listing broke off before its last page")
        except BaseException:
            self._failed(self)
            raise
        page = self._arrived(self, page)
        return PageNode(page, None if page.is_last else SingleFlight(self._fetch))


class ReadAhead:
    """Threads that ask for pages before their readers do."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, "davbridge-ahead")

    def pages(self, place: SingleFlight[PageNode] | None) -> Iterator[Page]:
        """The pages from a place in the chain on, each fetched by whoever needs it first. From
        the second on, the next one is asked for while its reader is busy with one."""
        asked: Future[None] | None = None
        is_read_on = False
        try:
            while place is not None:
                page, place = place.get()
                if is_read_on and place is not None:
                    asked = self._ask(place)
                yield page
                is_read_on = True
        finally:
            if asked is not None:
                asked.cancel()

    def close(self) -> None:
        """Waits for what is under way. Readers go on by themselves."""
        self._pool.shutdown(cancel_futures=True)

    def _ask(self, place: SingleFlight[PageNode]) -> "Future[None] | None":
        if place.is_done:
            return None
        with suppress(RuntimeError):  # Closed.
            return self._pool.submit(_settle, place)
        return None


def _settle(place: SingleFlight[PageNode]) -> None:
    # What it failed with is told to the reader.
    with suppress(StoreError):
        place.get()
