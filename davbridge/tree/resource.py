"""A resource, and the outcome of an operation.

Invariant: a resource is either a collection, which has no row, or an object, which has one.
"""

from datetime import UTC, datetime
from typing import NamedTuple

from davbridge.errors import StoreError
from davbridge.paths import ResourcePath
from davbridge.store.base import ObjectRow
from davbridge.tree.properties.client_metadata import ClientMetadata, Properties, client_metadata_of

COLLECTION_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""The time of every collection: a common prefix has none, and clients need one that stays the same.
rclone shows this one for the same folders."""


FIRST_TIME = datetime(1970, 1, 1, tzinfo=UTC)
END_OF_TIMES = datetime(2108, 1, 1, tzinfo=UTC)
"""Clients have times from the first one on, and before the second one: those of Unix and of FAT."""


def is_bearable(moment: datetime) -> bool:
    """Whether every client can have this time."""
    return FIRST_TIME <= moment < END_OF_TIMES


class Resource(NamedTuple):
    """A collection, or an object, at a path."""

    path: ResourcePath
    row: ObjectRow | None
    """None for a collection. Its key is the path's, but may have another Unicode form."""
    client_metadata: ClientMetadata | None = None
    """Of this version of an object, if a client has sent any."""

    @property
    def is_collection(self) -> bool:
        return self.row is None

    @property
    def name(self) -> str:
        """The last segment; empty for the root."""
        return self.path[-1] if self.path else ""

    @property
    def size(self) -> int:
        """Bytes; 0 for a collection."""
        return self.row.size if self.row else 0

    @property
    def modified(self) -> datetime:
        """Aware, UTC: the time that a client has sent, or else the time of the upload. A time that
        not every client can have is shown as the first one that they all have."""
        if self.row is None:
            return COLLECTION_TIME
        sent = self.client_metadata and self.client_metadata.modified
        moment = sent if sent and is_bearable(sent) else self.row.modified
        return moment if is_bearable(moment) else FIRST_TIME

    @property
    def etag(self) -> str:
        """Strong, unquoted; empty for a collection."""
        return self.row.etag if self.row else ""


def add_client_metadata(resource: Resource, properties: Properties) -> Resource:
    """The resource with the client metadata of its version, if its properties have any."""
    client_metadata = client_metadata_of(properties, resource.row.etag) if resource.row else None
    return resource._replace(client_metadata=client_metadata) if client_metadata else resource


class Failure(NamedTuple):
    """A member for which an operation on a tree has failed."""

    path: ResourcePath
    error: StoreError


class Outcome(NamedTuple):
    """The outcome of an operation."""

    failures: list[Failure]
    added_bytes: int = 0
    """By how much the bucket has grown, as far as is known."""
    is_new: bool = False
    """Whether nothing was at the target before."""
