"""A writer that holds to the drive's limits while the body streams.

Invariant: no object over the limits is ever committed, whatever length was announced; what was
claimed of the quota is given back, whatever becomes of the body.
"""

from collections.abc import Callable

from davbridge.errors import StoreError
from davbridge.store.base import ObjectWriter
from davbridge.tree.properties.client_metadata import ClientMetadata
from davbridge.tree.resource import Resource
from davbridge.tree.writes.quota import Claim, StorageQuota

Commit = Callable[[ObjectWriter, Claim, ClientMetadata | None], Resource]
"""Makes a body visible. Whatever it raises, nothing is."""


class BoundedWriter:
    """A new version of a file on its way in, around the store's writer; counts what goes through.

    ``length``: bytes that were announced, and are claimed already.
    """

    def __init__(
        self,
        inner: ObjectWriter,
        storage_quota: StorageQuota,
        claim: Claim,
        length: int | None,
        commit: Commit,
    ) -> None:
        self._inner = inner
        self._storage_quota = storage_quota
        self._claim = claim
        self._claimed = length or 0
        self._commit = commit
        self._written = 0
        self._refusal: StoreError | None = None

    def write(self, data: bytes) -> None:
        """Raises TooLargeError past the size limit, OutOfSpaceError past the quota's room."""
        if self._refusal is not None:
            raise self._refusal
        self._written += len(data)
        try:
            self._storage_quota.require_file_size(self._written)
            if self._written > self._claimed:
                self._claim.require(self._written)
                self._claimed = self._written
        except StoreError as refusal:
            self._refusal = refusal
            raise
        self._inner.write(data)

    def commit(self, client_metadata: ClientMetadata | None = None) -> Resource:
        """Makes the object visible, and keeps what the client told of it: those of the resource
        that this returns; their ETag doesn't count. Unless a limit was passed: raises that again.

        Whatever it raises, the writer has been aborted.
        """
        try:
            if self._refusal is not None:
                raise self._refusal
            return self._commit(self._inner, self._claim, client_metadata)
        except BaseException:
            self._inner.abort()
            raise
        finally:
            self._claim.release()

    def abort(self) -> None:
        """Leaves the store as it was. Does nothing after `commit`."""
        self._inner.abort()
        self._claim.release()
