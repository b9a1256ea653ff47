"""What the namespace shows at a path.

Invariants: a resource is either a collection, which has no row, or an object, which has one.
"""

from datetime import UTC, datetime
from typing import NamedTuple

from davbridge.errors import StoreError
from davbridge.paths import ResourcePath
from davbridge.store.base import ObjectRow
from davbridge.tree.properties.client_metadata import ClientMetadata, Properties, client_metadata_of

COLLECTION_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""Every collection's time: a common prefix has none, and a stable one beats one that is made up
anew at each look. It is the one that rclone shows for the same folders."""


class Resource(NamedTuple):
    """A collection, or an object, at a path."""

    path: ResourcePath
    row: ObjectRow | None
    """None for a collection. Its key can differ from the path's only in Unicode form."""
    client_metadata: ClientMetadata | None = None
    """What a client told of this very version of an object."""

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
        """Aware, UTC: what a client told, else when S3 took the object."""
        if self.row is None:
            return COLLECTION_TIME
        return (self.client_metadata and self.client_metadata.modified) or self.row.modified

    @property
    def etag(self) -> str:
        """Strong, unquoted; empty for a collection."""
        return self.row.etag if self.row else ""


def add_client_metadata(resource: Resource, properties: Properties) -> Resource:
    """The resource with what was told of its version, according to its properties."""
    client_metadata = client_metadata_of(properties, resource.row.etag) if resource.row else None
    return resource._replace(client_metadata=client_metadata) if client_metadata else resource


class Failure(NamedTuple):
    """A member that an operation on a tree could not deal with."""

    path: ResourcePath
    error: StoreError


class Outcome(NamedTuple):
    """How an operation ended, and by how much it made the bucket grow, as far as is known."""

    failures: list[Failure]
    added_bytes: int = 0
    is_new: bool = False
    """Whether nothing was at the target before."""
