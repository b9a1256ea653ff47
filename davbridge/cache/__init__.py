"""CachedStore: an ObjectStore that wraps an ObjectStore and caches its listings and look-ups.

::

    store.py           CachedStore: the protocol, as readers and writers see it
    writes.py          this bridge's writes in progress, and which of them overlap
    corrections.py     how a write, or an answer of the store, changes the cached entries
    inner_requests.py  requests to the inner store, one for all threads that wait
    state.py           the entries and the requests in progress: under one lock, within the bounds
    listing_fetch.py   a listing in progress; reading ahead
    listing.py         a cached listing
    pages.py           a cached listing's pages; changing one row
    derived.py         what upper layers derive from a page, counted among its bytes
    entries.py         answers about one key
    sizes.py           what all of these take in memory

Nothing here knows paths, HTTP, or which store is inside. Bodies are never cached.

Invariants:
- Every answer came from the inner store within the TTL, and after this bridge's last write to what
  it is about. If the request was sent before such a write ended, its answer is given to those who
  wait for it, and not cached.
- That a name is absent is cached for the negative TTL only.
- Requests for the same thing at the same time are one request to the inner store.
- Calls to the inner store run outside the lock of the state.
- Entries and bytes are bounded.
"""

from davbridge.cache.store import LISTINGS_AHEAD, CachedStore

__all__ = ["LISTINGS_AHEAD", "CachedStore"]
