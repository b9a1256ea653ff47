"""MemoryStore: the reference implementation of ObjectStore, for tests and for trying things out.

It behaves as AWS documents, keeps the same promises as the S3 store, and passes the same contract
tests. It compares ETags alone, which equal bytes share.
"""

from davbridge.store.memory.store import MemoryReader, MemoryStore

__all__ = ["MemoryReader", "MemoryStore"]
