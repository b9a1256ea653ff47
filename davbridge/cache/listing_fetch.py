"""A listing in progress, which any number of readers share page by page.

Invariants: each page is requested once. A reader causes requests for no more than the page after
the one that it reads; and not even for that before it reads a second page, because most readers of
one page only ask whether there is anything.
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
    """A page of a listing in progress, and how to get those after it."""

    page: Page
    rest: "SingleFlight[PageNode] | None"


class ListingFetch:
    """Its pages are a linked list, and each reader has a reference to its own node. Once the fetch
    has dropped the head, a page is freed when the last reader has passed it."""

    __slots__ = ("_arrived", "_failed", "_pages", "head", "listing")

    def __init__(
        self,
        listing: Listing,
        pages: Iterator[Page],
        arrived: Callable[["ListingFetch", Page], Page],
        failed: Callable[["ListingFetch"], None],
    ) -> None:
        """``arrived`` and ``failed`` are called before any reader gets the page or the error.
        Readers get the page that ``arrived`` returns."""
        self.listing = listing
        """The pages that have arrived."""
        self.head: SingleFlight[PageNode] | None = SingleFlight(self._fetch)
        """The first page; None once dropped."""
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
        """Drops its pages; its readers continue."""
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
    """Threads that request pages before their readers need them."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, "davbridge-ahead")

    def pages(self, place: SingleFlight[PageNode] | None) -> Iterator[Page]:
        """The pages from this node of the list on, each fetched by the reader that needs it first.
        From the second page on, the next one is requested while the reader works on the present
        one."""
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
        """Waits for the requests in progress. Readers continue without reading ahead."""
        self._pool.shutdown(cancel_futures=True)

    def _ask(self, place: SingleFlight[PageNode]) -> "Future[None] | None":
        if place.is_done:
            return None
        with suppress(RuntimeError):  # Closed.
            return self._pool.submit(_fetch, place)
        return None


def _fetch(place: SingleFlight[PageNode]) -> None:
    # The reader gets the error.
    with suppress(StoreError):
        place.get()
