"""Requests to the inner store: one for all threads that wait, and cached unless a write was done
meanwhile.

Invariants: the inner store is called outside the lock of the state; the age of an answer counts
from before its request was sent; the answer to a request that a write has unregistered is given to
those who wait for it, and not cached.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TypeVar

from davbridge import deadline
from davbridge.cache.listing import Listing
from davbridge.cache.listing_fetch import ListingFetch, PageNode
from davbridge.cache.state import CacheState, EntryKey
from davbridge.single_flight import SingleFlight
from davbridge.store.base import Page

T = TypeVar("T")


def ask(
    state: CacheState,
    entry_key: EntryKey,
    call: Callable[[], T],
    cache: Callable[[T, float], None],
    *,
    joins: bool = True,
) -> T:
    """The result of ``call``, or of the same request if another reader has it in progress.

    ``cache`` is called under the lock, with the answer and the time of the request. If not
    ``joins``, a request in progress isn't shared, as its answer may be older than the reader
    accepts; its answer isn't cached then.
    """
    request: SingleFlight[T] = _InnerRequest(state, entry_key, call, cache)
    with state.lock:
        if joins:
            request = state.requests.setdefault(entry_key, request)
        else:
            state.requests[entry_key] = request
    return request.get()


class _InnerRequest(SingleFlight[T]):
    """A request in progress."""

    __slots__ = ("_cache_answer", "_entry_key", "_inner_call", "_state")

    def __init__(
        self,
        state: CacheState,
        entry_key: EntryKey,
        call: Callable[[], T],
        cache: Callable[[T, float], None],
    ) -> None:
        super().__init__(self._ask)
        self._state = state
        self._entry_key = entry_key
        self._inner_call = call
        self._cache_answer = cache

    def _ask(self) -> T:
        started = self._state.now()
        try:
            with deadline.unlimited():  # others wait for it who have time
                answer = self._inner_call()
        except BaseException:
            with self._state.lock:
                self._unregister()
            raise
        with self._state.lock:
            if self._unregister():
                self._cache_answer(answer, started)
        return answer

    def _unregister(self) -> bool:
        """Whether it was still registered: no write was done meanwhile."""
        if self._state.requests.get(self._entry_key) is not self:
            return False
        del self._state.requests[self._entry_key]
        return True


def join_listing(
    state: CacheState, prefix: str, pages: Callable[[], Iterator[Page]]
) -> SingleFlight[PageNode] | None:
    """The first node of the listing in progress for ``prefix``, which is begun if there is none.
    Runs under the lock, so ``pages`` must not call the inner store before its first page is
    requested.
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
        if not _unregister(state, prefix, fetch):
            # A write was done meanwhile, or it expired, or was dropped to make room.
            fetch.forget()
            return page
        page = fetch.listing.add_page(page)
        state.put_collection(prefix, fetch.listing if page.is_last else fetch)
        return page


def _failed(state: CacheState, prefix: str, fetch: ListingFetch) -> None:
    with state.lock:
        if _unregister(state, prefix, fetch) and state.collection(prefix) is fetch:
            state.drop_collection(prefix)


def _unregister(state: CacheState, prefix: str, fetch: ListingFetch) -> bool:
    """Whether the fetch hasn't been detached. From its first page on it is an entry of the cache,
    and no longer registered."""
    if state.fetches.get(prefix) is fetch:
        del state.fetches[prefix]
        return True
    return state.collection(prefix) is fetch
