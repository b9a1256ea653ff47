"""What a client told of a version of an object: when its content is from, and its checksums.

A listing can hold neither, so they are kept beside the resource's dead properties, as one record
under a name that no client can read or write.

Pure. Invariant: a record is bound to the version's ETag; of a version that anyone else wrote,
nothing is told.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

FACTS = "{urn:davbridge:}facts"

Properties = Mapping[str, str]
"""Clark name → serialised element."""


class Facts(NamedTuple):
    """A record."""

    etag: str
    modified: datetime | None = None
    """Aware, UTC."""
    checksums: str = ""
    """As ownCloud writes them: ``SHA1:… MD5:…``."""


def facts_of(properties: Properties, etag: str) -> Facts | None:
    """What was told of the version with this ETag, if anything."""
    try:
        record = json.loads(properties.get(FACTS, "null"))
        if record is None or record["etag"] != etag:
            return None
        seconds = record["modified"]
        modified = None if seconds is None else datetime.fromtimestamp(seconds, UTC)
        checksums = str(record["checksums"])
        if not (checksums.isascii() and checksums.isprintable()):
            return None  # Neither a header nor XML could hold it.
        return Facts(etag, modified, checksums)
    except (ValueError, KeyError, TypeError, OverflowError, OSError, RecursionError):
        return None  # Written by someone else: nothing that can be relied on.


def with_facts(properties: Properties, facts: Facts | None) -> Properties:
    """The same properties, with this record or with none."""
    others = without_facts(properties)
    if facts is None:
        return others
    seconds = facts.modified.timestamp() if facts.modified else None
    record = {"etag": facts.etag, "modified": seconds, "checksums": facts.checksums}
    return {**others, FACTS: json.dumps(record)}


def without_facts(properties: Properties) -> Properties:
    """What clients may see."""
    if FACTS not in properties:
        return properties
    return {name: text for name, text in properties.items() if name != FACTS}


def rebound(properties: Properties, old_etag: str, new_etag: str) -> Properties:
    """The properties of a copy, whose ETag may be another: what was told holds of it as well."""
    facts = facts_of(properties, old_etag)
    return with_facts(properties, facts._replace(etag=new_etag)) if facts else properties
