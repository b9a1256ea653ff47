"""Client metadata: the modification time and the checksums that a client sent with an upload. Pure.

A listing shows neither. So they are one record among the resource's dead properties, under a name
that no client can read or write.

Invariant: a record is bound to the version's ETag. So a version that anyone else wrote has none.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import NamedTuple

CLIENT_METADATA = "{urn:davbridge:}facts"

Properties = Mapping[str, str]
"""Clark name → serialised element."""

NO_PROPERTIES: Properties = MappingProxyType({})


class ClientMetadata(NamedTuple):
    """The record of one version."""

    etag: str
    modified: datetime | None = None
    """Aware, UTC."""
    checksums: str = ""
    """As ownCloud writes them: ``SHA1:… MD5:…``."""


def client_metadata_of(properties: Properties, etag: str) -> ClientMetadata | None:
    """The record of the version with this ETag, if there is one."""
    try:
        record = json.loads(properties.get(CLIENT_METADATA, "null"))
        if record is None or record["etag"] != etag:
            return None
        seconds = record["modified"]
        modified = None if seconds is None else datetime.fromtimestamp(seconds, UTC)
        checksums = str(record["checksums"])
        if not (checksums.isascii() and checksums.isprintable()):
            return None  # Neither a header nor XML could hold it.
        return ClientMetadata(etag, modified, checksums)
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError):
        return None  # Written by someone else: not reliable.


def with_client_metadata(
    properties: Properties, client_metadata: ClientMetadata | None
) -> Properties:
    """The properties with this record, or with none."""
    others = without_client_metadata(properties)
    if client_metadata is None:
        return others
    seconds = client_metadata.modified.timestamp() if client_metadata.modified else None
    record = {
        "etag": client_metadata.etag,
        "modified": seconds,
        "checksums": client_metadata.checksums,
    }
    return {**others, CLIENT_METADATA: json.dumps(record)}


def without_client_metadata(properties: Properties) -> Properties:
    """The properties that clients may see."""
    if CLIENT_METADATA not in properties:
        return properties
    return {name: text for name, text in properties.items() if name != CLIENT_METADATA}


def rebind(properties: Properties, old_etag: str, new_etag: str) -> Properties:
    """The properties of a copy, whose ETag may be another: its content has the same metadata."""
    client_metadata = client_metadata_of(properties, old_etag)
    return (
        with_client_metadata(properties, client_metadata._replace(etag=new_etag))
        if client_metadata
        else properties
    )
