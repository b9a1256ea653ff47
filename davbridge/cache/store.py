"""CachedStore: the protocol. Reads are answered from the cache if it can; writes are passed
through, and recorded.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

from davbridge.cache import corrections, inner_requests
from davbridge.cache.corrections import home_of
from davbridge.cache.entries import info_answer, lookup_answer
from davbridge.cache.listing import Listing, same_version
from davbridge.cache.listing_fetch import ListingFetch, PageNode, ReadAhead
from davbridge.cache.state import CacheState, Collection, EntryKey
from davbridge.cache.writes import CachedWriter, Writes
from davbridge.config import CacheSettings
from davbridge.errors import NotFoundError, PreconditionFailedError
from davbridge.paths import DELIMITER
from davbridge.single_flight import SingleFlight
from davbridge.store.base import (
    ALWAYS,
    NO_VERSIONS,
    PAGE_SIZE,
    Attributes,
    Condition,
    DeleteFailure,
    Lookup,
    ObjectInfo,
    ObjectReader,
    ObjectRow,
    ObjectStore,
    ObjectWriter,
    Page,
)
from davbridge.store.limits import require_key

NOTHING = Lookup(None, is_prefix=False)

LISTINGS_AHEAD = 8
"""Listings that are read ahead at the same time."""


class CachedStore:
    """The inner store's answers, cached for a while. Bodies are passed through.

    With a ``ttl`` of 0 nothing is cached; equal requests at the same time are one request even
    then.
    """

    def __init__(
        self,
        inner: ObjectStore,
        settings: CacheSettings,
        *,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._inner = inner
        self._state = CacheState(settings, timer)
        self._writes = Writes(self._state)
        self._ahead = ReadAhead(LISTINGS_AHEAD)

    @property
    def max_object_size(self) -> int:
        """The inner store's."""
        return self._inner.max_object_size

    def close(self) -> None:
        """Stops what runs in the background; cached entries can still be read."""
        self._ahead.close()

    def invalidate(self, key: str) -> None:
        """Drops what a write of ``key`` by another program could have made wrong. The store has
        refused a write because of that, or an event of the bucket has reported it."""
        with self._state.lock:
            corrections.invalidate(self._state, key)

    def clear(self) -> None:
        """Drops everything: it isn't known which keys were written, for example because events were
        missed."""
        with self._state.lock:
            self._state.clear()

    # Reading

    def list_objects(
        self, prefix: str, *, delimiter: str = "", page_size: int = PAGE_SIZE
    ) -> Iterator[Page]:
        """Cached if it lists a collection; any other listing is passed through."""
        is_collection = delimiter == DELIMITER and prefix[-1:] in ("", DELIMITER)
        if is_collection and page_size == PAGE_SIZE:
            return self._list_collection(prefix)
        return self._inner.list_objects(prefix, delimiter=delimiter, page_size=page_size)

    def _list_collection(self, prefix: str) -> Iterator[Page]:
        yield from self._pages(prefix)

    def _pages(self, prefix: str) -> Iterator[Page]:
        with self._state.lock:
            entry = self._known(prefix)
            if isinstance(entry, Listing):
                return iter(entry.pages())
            # No reference to the first node may remain here: see ListingFetch.
            place = entry.head if isinstance(entry, ListingFetch) else self._join(prefix)
            return self._ahead.pages(place)

    def _known(self, prefix: str) -> Collection | None:
        """The cached entry of a collection, also if the parent's listing shows that there is
        none."""
        entry = self._state.collection(prefix)
        if entry is not None or not prefix:
            return entry
        key = prefix.removesuffix(DELIMITER)
        around = self._state.listing(home_of(key))
        if around is None or self._state.now() >= around.negative_until:
            return None
        if around.lookup(key).is_prefix:
            return None
        empty = around.empty(self._state.keep_value(prefix))
        self._state.put_collection(prefix, empty)
        return empty

    def _join(self, prefix: str) -> SingleFlight[PageNode] | None:
        return inner_requests.join_listing(self._state, prefix, partial(self._fetch, prefix))

    def _fetch(self, prefix: str) -> Iterator[Page]:
        # A generator: the inner store is called when the first page is asked for, not before.
        yield from self._inner.list_objects(prefix, delimiter=DELIMITER)

    def lookup(self, key: str, *, bypass_cache: bool = False) -> Lookup:
        """From the listing of the parent; if that is too large to fetch, by a request for the
        key."""
        require_key(key)
        if bypass_cache:
            return self._ask_lookup(key, bypass_cache=True)
        state, prefix = self._state, home_of(key)
        with state.lock:
            entry = self._known(prefix)
            if isinstance(entry, Listing):
                found = entry.lookup(key)
                if found != NOTHING or state.now() < entry.negative_until:
                    return found
            if isinstance(entry, ListingFetch) and state.now() < entry.listing.negative_until:
                passed = entry.listing.lookup_passed(key)
                if passed is not None:
                    return passed
            if cached := state.lookup(key):
                return cached.value
            place = self._join(prefix) if self._is_worth_a_page(entry) else None
        if place is not None:
            page, rest = place.get()
            if rest is None:
                return _lookup_in(page, key)
        return self._ask_lookup(key)

    def _is_worth_a_page(self, entry: Collection | None) -> bool:
        """Whether a page of a collection is likely to be all of it, and can be cached."""
        is_small = entry is None or (isinstance(entry, Listing) and not entry.is_large)
        return is_small and self._state.ttl > 0

    def _ask_lookup(self, key: str, *, bypass_cache: bool = False) -> Lookup:
        state, entry_key = self._state, EntryKey("lookup", key)
        call = partial(self._inner.lookup, key, bypass_cache=bypass_cache)
        correct = corrections.replace_lookup if bypass_cache else corrections.record_lookup

        def cache(found: Lookup, started: float) -> None:
            correct(state, key, found, started)
            ttl = state.negative_ttl if found == NOTHING else state.ttl
            state.put(entry_key, lookup_answer(key, found, started + ttl))

        return inner_requests.ask(state, entry_key, call, cache, joins=not bypass_cache)

    def head_object(self, key: str) -> ObjectInfo:
        """Cached as long as the parent's listing, if there is one, shows the same version."""
        require_key(key)
        with self._state.lock:
            known, info = self._known_info(key)
        if not known:
            info = self._ask_info(key)
        if info is None:
            raise NotFoundError(f"no object at {key!r}")
        return info

    def _known_info(self, key: str) -> tuple[bool, ObjectInfo | None]:
        state = self._state
        listing, cached = state.listing(home_of(key)), state.info(key)
        if listing is not None:
            row = listing.row(key)
            if row is None and state.now() < listing.negative_until:
                return True, None
            if cached and not same_version(row, cached.value.row if cached.value else None):
                return False, None
        return (True, cached.value) if cached else (False, None)

    def _ask_info(self, key: str) -> ObjectInfo | None:
        state = self._state

        def call() -> ObjectInfo | None:
            try:
                return self._inner.head_object(key)
            except NotFoundError:
                return None

        def cache(info: ObjectInfo | None, started: float) -> None:
            ttl = state.ttl if info else state.negative_ttl
            state.put(EntryKey("info", key), info_answer(key, info, started + ttl))
            corrections.compare_head(state, key, info.row if info else None, started)

        return inner_requests.ask(state, EntryKey("info", key), call, cache)

    def get_object(
        self,
        key: str,
        *,
        start: int = 0,
        end: int | None = None,
        if_match: str | None = None,
    ) -> ObjectReader:
        """Passed through."""
        with self._outdated_where_refused(key):
            return self._inner.get_object(key, start=start, end=end, if_match=if_match)

    # Writing

    def put_object(
        self, key: str, body: bytes, attributes: Attributes, condition: Condition = ALWAYS
    ) -> ObjectRow:
        """Passed through. The row that it returns is cached."""
        with self._writes.of(key) as write:
            row = self._inner.put_object(key, body, attributes, condition)
            write.put(row, attributes)
        return row

    def open_writer(
        self,
        key: str,
        attributes: Attributes,
        condition: Condition = ALWAYS,
        *,
        length: int | None = None,
    ) -> ObjectWriter:
        """Passed through; its commit is a write like `put_object`."""
        inner = self._inner.open_writer(key, attributes, condition, length=length)
        return CachedWriter(inner, self._writes, key, attributes)

    def copy_object(
        self,
        source: ObjectRow,
        target: str,
        *,
        attributes: Attributes | None = None,
        condition: Condition = ALWAYS,
    ) -> ObjectRow:
        """Passed through."""
        with self._writes.of(target) as write, self._outdated_where_refused(source.key):
            row = self._inner.copy_object(
                source, target, attributes=attributes, condition=condition
            )
            write.put(row, attributes)
        return row

    def delete_object(self, key: str, *, version: ObjectRow | None = None) -> None:
        """Passed through."""
        with self._writes.of(key) as write:
            self._inner.delete_object(key, version=version)
            write.deleted([key])

    def delete_objects(
        self, keys: Sequence[str], *, versions: Mapping[str, ObjectRow] = NO_VERSIONS
    ) -> list[DeleteFailure]:
        """Passed through. Keys that could not be deleted are invalidated."""
        with self._writes.of(*keys) as write:
            failures = self._inner.delete_objects(keys, versions=versions)
            write.deleted(set(keys).difference(failure.key for failure in failures))
        return failures

    def require_deletable(self, keys: Iterable[str]) -> None:
        """Passed through."""
        self._inner.require_deletable(keys)

    @contextmanager
    def _outdated_where_refused(self, key: str) -> Iterator[None]:
        """The next request must not rely on a row that the store no longer has."""
        try:
            yield
        except (NotFoundError, PreconditionFailedError):
            self.invalidate(key)
            raise


def _lookup_in(page: Page, key: str) -> Lookup:
    """The look-up of ``key`` in a page that is the whole listing around it."""
    row = next((row for row in page.rows if row.key == key), None)
    return Lookup(row, key + DELIMITER in page.prefixes)
