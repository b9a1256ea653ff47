"""CachedStore: an ObjectStore that wraps an ObjectStore and keeps its bulk metadata.

::

    store.py        CachedStore: the protocol, as readers and writers see it
    writes.py       our own writes, and which of them overlap
    corrections.py  what they change of what is kept
    inner_requests.py  requests to the inner store, one for all who wait
    state.py        what is kept and what is being asked for, under one lock, within the bounds
    listing_fetch.py   a listing under way; reading ahead
    listing.py      a listing that is kept
    pages.py        its pages, and the change of one name in them
    derived.py      what upper layers derive from a page, counted among its bytes
    entries.py      answers about one key
    sizes.py        what all of these take in memory

Must not know paths, HTTP, or which store is inside. Bodies are never kept.

Invariants:
- Every answer came from the inner store within the TTL, and after our own last write to what it
  is about. An answer that was asked for before a write to it ended is given to those who wait for
  it, and not kept.
- An absent name is believed absent for the negative TTL only.
- Requests for the same thing at the same time are one request to the inner store.
- Calls to the inner store run outside the lock of the state.
- What is kept is bounded in entries and bytes.
"""

from davbridge.cache.store import LISTINGS_AHEAD, CachedStore

__all__ = ["LISTINGS_AHEAD", "CachedStore"]
