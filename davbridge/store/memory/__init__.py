"""MemoryStore: the reference implementation of ObjectStore, for tests and for trying things out.

It behaves as AWS documents, keeps the same promises as the S3 store, and passes the same contract
tests. It compares ETags alone, which equal bytes share.

::

    store.py    MemoryStore: the protocol, under one lock
    objects.py  the objects and their keys in order; pages of a listing
    streams.py  reader and writer
"""

from davbridge.store.memory.store import MemoryStore
from davbridge.store.memory.streams import MemoryReader

__all__ = ["MemoryReader", "MemoryStore"]
