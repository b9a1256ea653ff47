"""Bulk metadata: a whole directory's, from one listing, in the words of the seed.

For who uses davbridge as a library, as the seed was: no verb needs it."""

from typing import NamedTuple

from davbridge.tree.resource import Resource


class Metadata(NamedTuple):
    """What the seed's ``get_bulk_metadata`` tells of a file object."""

    modified: float
    """Seconds since 1970-01-01 UTC."""
    bytes: int
    """0 for a directory."""
    is_dir: bool


def metadata_of(resource: Resource) -> Metadata:
    return Metadata(resource.modified.timestamp(), resource.size, resource.is_collection)
