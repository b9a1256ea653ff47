"""A writer that enforces the drive's limits while the body streams.

Invariants: no object over the limits is committed, whatever length was announced. The reservation
ends, however the upload ends.
"""

from collections.abc import Callable
from typing import Protocol

from davbridge.errors import StoreError
from davbridge.store.base import ObjectWriter
from davbridge.tree.properties.client_metadata import ClientMetadata
from davbridge.tree.resource import Resource
from davbridge.tree.writes.quota import Reservation, StorageQuota

Commit = Callable[[ObjectWriter, Reservation, ClientMetadata | None], Resource]
"""Makes a body visible. If it raises, nothing is visible."""


class FileWriter(Protocol):
    """An upload of a new version of a file."""

    def write(self, data: bytes) -> None:
        """Adds the next bytes, of any number. Raises TooLargeError and OutOfSpaceError."""
        ...

    def commit(self, client_metadata: ClientMetadata | None = None) -> Resource:
        """Makes the version visible, and stores its client metadata, whose ETag is ignored.
        Whenever it raises, it has aborted the writer."""
        ...

    def abort(self) -> None:
        """Leaves the file as it was. Does nothing after `commit`."""
        ...


class BoundedWriter:
    """An upload of a new version of a file, around the store's writer.

    ``length``: the announced bytes, which are reserved already.
    """

    def __init__(
        self,
        inner: ObjectWriter,
        storage_quota: StorageQuota,
        reservation: Reservation,
        length: int | None,
        commit: Commit,
    ) -> None:
        self._inner = inner
        self._storage_quota = storage_quota
        self._reservation = reservation
        self._reserved = length or 0
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
            if self._written > self._reserved:
                self._reservation.require(self._written)
                self._reserved = self._written
        except StoreError as refusal:
            self._refusal = refusal
            raise
        self._inner.write(data)

    def commit(self, client_metadata: ClientMetadata | None = None) -> Resource:
        """Makes the object visible, and stores its client metadata, whose ETag is ignored.

        Raises the refusal again if a limit was passed. Whenever it raises, it has aborted the
        writer.
        """
        try:
            if self._refusal is not None:
                raise self._refusal
            return self._commit(self._inner, self._reservation, client_metadata)
        except BaseException:
            self._inner.abort()
            raise
        finally:
            self._reservation.release()

    def abort(self) -> None:
        """Leaves the store as it was. Does nothing after `commit`."""
        self._inner.abort()
        self._reservation.release()
