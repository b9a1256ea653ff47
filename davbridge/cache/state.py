"""CacheState: the cached entries and the requests in progress, under one lock.

It has the lock, the bounds and the clock of the cache.

A request to the inner store is registered here until its answer has arrived. A write that ends
meanwhile unregisters it, and then the answer isn't cached. This does the work of a generation
counter, but separately for each name.

Invariants: the caller of a method holds ``lock``; nothing here calls the inner store; the entries
stay within ``max_entries`` and ``max_bytes``; an expired entry is not found.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal, NamedTuple

from cachetools import TLRUCache

from davbridge.cache.derived import CountedValues, KeepValue
from davbridge.cache.entries import Answer, LargeCollection
from davbridge.cache.listing import Listing
from davbridge.cache.listing_fetch import ListingFetch
from davbridge.config import CacheSettings
from davbridge.single_flight import SingleFlight
from davbridge.store.base import Lookup, ObjectInfo
from davbridge.store.derived import DerivedKind

Collection = Listing | ListingFetch | LargeCollection
Entry = Collection | Answer[Any]


class EntryKey(NamedTuple):
    """The question that an entry answers: all that is below a prefix; what is at a slashless key; a
    key's HEAD."""

    kind: Literal["collection", "lookup", "info"]
    name: str


class _Entries(TLRUCache[EntryKey, Entry]):
    """Entries, the least recently used first. A listing in progress that has expired, or is dropped
    to make room, drops its pages as well. Otherwise its readers, which are as slow as their
    clients, would hold all of them in memory, and they wouldn't be counted."""

    def expire(self, time: float | None = None) -> list[tuple[EntryKey, Entry]]:
        expired = list(super().expire(time))
        for _, entry in expired:
            _release(entry)
        return expired

    def popitem(self) -> tuple[EntryKey, Entry]:
        entry_key, entry = super().popitem()
        _release(entry)
        return entry_key, entry


class CacheState:
    """Entries and requests in progress, by their keys."""

    def __init__(self, settings: CacheSettings, timer: Callable[[], float]) -> None:
        self.lock = threading.Lock()
        self.now = timer
        self.ttl = settings.ttl
        self.negative_ttl = min(settings.negative_ttl, settings.ttl)
        self.fetches: dict[str, ListingFetch] = {}
        """Listings whose first page hasn't arrived yet, by prefix."""
        self.requests: dict[EntryKey, SingleFlight[Any]] = {}
        """Other requests in progress."""
        self._max_entries = settings.max_entries
        self._max_bytes = settings.max_bytes
        self._entries = _Entries(
            settings.max_entries * settings.max_bytes,
            ttu=lambda _, entry, __: entry.expires,
            timer=timer,
            getsizeof=self._charge,
        )

    def _charge(self, entry: Entry) -> int:
        """The larger of the two shares that an entry takes, as an integer: sums stay exact."""
        return max(entry.count * self._max_bytes, entry.nbytes * self._max_entries)

    def collection(self, prefix: str) -> Collection | None:
        """The entry of the collection with this prefix."""
        entry = self._find(EntryKey("collection", prefix))
        return None if isinstance(entry, Answer) else entry

    def listing(self, prefix: str) -> Listing | None:
        """All that is directly below ``prefix``, if it is known."""
        entry = self.collection(prefix)
        return entry if isinstance(entry, Listing) else None

    def lookup(self, key: str) -> Answer[Lookup] | None:
        """The cached look-up of a slashless key."""
        return self._answer(EntryKey("lookup", key))

    def info(self, key: str) -> Answer[ObjectInfo | None] | None:
        """The cached HEAD of a key."""
        return self._answer(EntryKey("info", key))

    def put(self, entry_key: EntryKey, answer: Answer[Any]) -> None:
        """Caches an answer about a key until it expires or is dropped to make room."""
        self._put(entry_key, answer)

    def put_collection(self, prefix: str, entry: Collection) -> None:
        """Caches an entry, or counts by how much it has grown; drops one that is over the
        bounds."""
        if not isinstance(entry, LargeCollection) and not self._has_room_for_derived(entry):
            _listing_of(entry).clear_derived()
        if not self._put(EntryKey("collection", prefix), entry):
            self.drop_collection(prefix, entry)

    def keep_value(self, prefix: str) -> KeepValue:
        """The function that stores values derived from pages of a listing. It takes the lock
        itself."""

        def keep(values: CountedValues, kind: DerivedKind[Any], value: object, nbytes: int) -> None:
            with self.lock:
                self._keep_value(prefix, values, kind, value, nbytes)

        return keep

    def _keep_value(
        self, prefix: str, values: CountedValues, kind: DerivedKind[Any], value: object, nbytes: int
    ) -> None:
        """Drops less recently used entries to make room for a value, but not the page that it was
        derived from."""
        entry = self.collection(prefix)
        if entry is None or isinstance(entry, LargeCollection):
            return
        listing = _listing_of(entry)
        if listing.holds(values) and self._has_room_for_derived(entry, values.growth(kind, nbytes)):
            listing.keep_value(values, kind, value, nbytes)
            self._put(EntryKey("collection", prefix), entry)

    def _has_room_for_derived(self, entry: Entry, growth: int = 0) -> bool:
        """A listing has derived values only while both together take no more than half of the
        bounds, so that it is never dropped because of them."""
        return (self._charge(entry) + growth * self._max_entries) * 2 <= self._entries.maxsize

    def drop(self, entry_key: EntryKey) -> None:
        """Drops the answer about a key, and unregisters the request for one."""
        self.requests.pop(entry_key, None)
        self._delete(entry_key)

    def detach_fetch(self, prefix: str) -> None:
        """Unregisters the fetch whose first page hasn't arrived yet: its readers get it, and it
        isn't cached."""
        if fetch := self.fetches.pop(prefix, None):
            fetch.forget()

    def drop_collection(self, prefix: str, entry: Collection | None = None) -> None:
        """Drops all entries below ``prefix``, also those in progress, but not the note that a
        collection is large."""
        self.detach_fetch(prefix)
        entry = entry or self.collection(prefix)
        if isinstance(entry, LargeCollection):
            return
        entry_key = EntryKey("collection", prefix)
        self._delete(entry_key)
        if isinstance(entry, ListingFetch) or (entry and entry.is_large):
            self._put(entry_key, LargeCollection(entry.expires))
        if entry:
            _release(entry)

    def clear(self) -> None:
        """Drops everything."""
        for fetch in self.fetches.values():
            fetch.forget()
        self.fetches.clear()
        self.requests.clear()
        self._entries.clear()

    def _answer(self, entry_key: EntryKey) -> Answer[Any] | None:
        entry = self._find(entry_key)
        return entry if isinstance(entry, Answer) else None

    # cachetools raises KeyError for what expires between two looks at the clock, in `get` and
    # `pop` as well.

    def _find(self, entry_key: EntryKey) -> Entry | None:
        try:
            return self._entries[entry_key]
        except KeyError:
            return None

    def _delete(self, entry_key: EntryKey) -> None:
        with suppress(KeyError):
            del self._entries[entry_key]

    def _put(self, entry_key: EntryKey, entry: Entry) -> bool:
        # Otherwise cachetools would make room for the old entry and the new one together.
        self._delete(entry_key)
        try:
            self._entries[entry_key] = entry
        except ValueError:
            return False
        return True


def _release(entry: Entry) -> None:
    if isinstance(entry, ListingFetch):
        entry.forget()


def _listing_of(entry: Listing | ListingFetch) -> Listing:
    return entry.listing if isinstance(entry, ListingFetch) else entry
