"""Questions to the inner store: asked once for all who wait, kept unless a write came between.

Owns the registering of flights and the keeping of their answers. Must not know what is asked, nor
of writes.

Invariants: the inner store is called outside the state's lock; an answer's age counts from before
it was asked for; what a write took out of the flights is given to its readers and not kept.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from davbridge import deadline
from davbridge.cache.listing import Listing
from davbridge.cache.listing_fetch import ListingFetch, PageNode
from davbridge.cache.state import CacheState, Question
from davbridge.single_flight import SingleFlight
from davbridge.store.base import Page

T = TypeVar("T")


def ask(
    state: CacheState,
    question: Question,
    call: Callable[[], T],
    keep: Callable[[T, float], None],
    *,
    joins: bool = True,
) -> T:
    """What ``call`` returns, to this reader or to one that asks the same at this moment.

    ``keep`` gets the answer and when it was asked for, under the lock. Not ``joins``: an answer
    that is on its way may be older than the reader accepts; it is not kept then.
    """
    flight: SingleFlight[T] = _Flight(state, question, call, keep)
    with state.lock:
        if joins:
            flight = state.flights.setdefault(question, flight)
        else:
            state.flights[question] = flight
    return flight.get()


class _Flight(SingleFlight[T]):
    """A question on its way."""

    __slots__ = ("_call", "_keep", "_question", "_state")

    def __init__(
        self,
        state: CacheState,
        question: Question,
        call: Callable[[], T],
        keep: Callable[[T, float], None],
    ) -> None:
        super().__init__(self._fly)
        self._state = state
        self._question = question
        self._call = call
        self._keep = keep

    def _fly(self) -> T:
        started = self._state.now()
        try:
            with deadline.unlimited():  # others wait for it who have time
                answer = self._call()
        except BaseException:
            with self._state.lock:
                self._land()
            raise
        with self._state.lock:
            if self._land():
                self._keep(answer, started)
        return answer

    def _land(self) -> bool:
        """Whether it was still registered: no write came between."""
        if self._state.flights.get(self._question) is not self:
            return False
        del self._state.flights[self._question]
        return True


def join(
    state: CacheState, prefix: str, pages: Callable[[], Iterator[Page]]
) -> SingleFlight[PageNode] | None:
    """The first place in the listing that is on its way for ``prefix``; begun if there is none.

    Under the lock, so ``pages`` must not call the inner store before its first page is asked for.
    """
    fetch = state.fetches.get(prefix)
    if fetch is None:
        now = state.now()
        listing = Listing(
            started=now,
            expires=now + state.ttl,
            negative_until=now + state.negative_ttl,
            keep_value=state.keep_value(prefix),
        )
        arrived, failed = partial(_arrived, state, prefix), partial(_failed, state, prefix)
        fetch = state.fetches[prefix] = ListingFetch(listing, pages(), arrived, failed)
    return fetch.head


def _arrived(state: CacheState, prefix: str, fetch: ListingFetch, page: Page) -> Page:
    with state.lock:
        if not _land(state, prefix, fetch):
            # A write came between, or it expired, or had to make room.
            fetch.forget()
            return page
        page = fetch.listing.add_page(page)
        state.keep_collection(prefix, fetch.listing if page.is_last else fetch)
        return page


def _failed(state: CacheState, prefix: str, fetch: ListingFetch) -> None:
    with state.lock:
        if _land(state, prefix, fetch) and state.collection(prefix) is fetch:
            state.drop_collection(prefix)


def _land(state: CacheState, prefix: str, fetch: ListingFetch) -> bool:
    """Whether the fetch is still wanted; from its first page on it is kept, not in flight."""
    if state.fetches.get(prefix) is fetch:
        del state.fetches[prefix]
        return True
    return state.collection(prefix) is fetch
