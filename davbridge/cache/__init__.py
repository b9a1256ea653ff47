"""CachedStore: an ObjectStore that wraps an ObjectStore and keeps its bulk metadata.

::

    store.py        CachedStore: the protocol, as readers and writers see it
    corrections.py  what our own writes change of what is kept
    shelf.py        what is kept and what is being asked for, under one lock, within the bounds
    entries.py      the kinds of entry: a listing, one on its way, an answer about one key
    lazy.py         a value that is asked for once, whoever wants it

Must not know paths, HTTP, or which store is inside. Bodies are never kept.

Invariants:
- Every answer came from the inner store within the TTL, and after our own last write to what it
  is about. An answer that was asked for before a write to it ended is given to those who wait for
  it, and not kept.
- An absent name is believed absent for the negative TTL only.
- Requests for the same thing at the same time are one request to the inner store.
- Calls to the inner store run outside the shelf's lock.
- What is kept is bounded in entries and bytes.
"""

from davbridge.cache.store import CachedStore

__all__ = ["CachedStore"]
