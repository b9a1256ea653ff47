"""The names, the format and the limits of properties files. Pure.

The properties of a collection's *members* are inside the collection, by name, of files and
collections alike; the root's own are in the root, under the empty name. So a tree's properties are
inside the tree. Properties have Clark names; their values are serialised XML elements.

A collection has one *head*, and *segments* if its properties are more than a few::

    .davbridge.properties.json                   the head: what was changed last, and the segments
    .davbridge.properties.json.segment-0123…     a segment: what was changed at some time before

Each is a JSON document of this layout, with an entry on each line (see `entries`). A segment is
compressed by gzip::

    {"format": 1, "members": {
    "a": {"{ns}name": "<name xmlns='ns'>text</name>"},
    "b": {…}
    }}

Format 1 is a head without segments, with whatever layout. A ``nonce`` makes its ETag differ from
that of any other head with the same properties. Format 2 has ``count`` (how many members
have properties), ``segments`` (the last one first; each one's id, number of entries, and their
bytes), and ``copy_of`` (the ETag of the head that it is an unchanged copy of). The entries of the
head hide those of the segments, and each segment's those of the older ones; ``null`` hides an entry
that is gone.

Invariants: a segment never changes, and its name is never used again. A head that can't be read
counts as empty and damaged.
"""

import gzip
import json
import logging
import re
import zlib
from typing import NamedTuple

from davbridge.errors import OutOfSpaceError
from davbridge.paths import DELIMITER, RESERVED_PREFIX
from davbridge.store.base import ObjectRow
from davbridge.tree.properties.entries import (
    EMPTY,
    Entry,
    Table,
    encode_name,
    encode_properties,
    is_text,
)

SIDECAR_NAME = f"{RESERVED_PREFIX}.properties.json"

SEGMENT_NAME = f"{SIDECAR_NAME}.segment-"
"""How the names of segments begin."""

MAX_RESOURCE_BYTES = 1024 * 1024

MAX_OBJECT_BYTES = 16 * 1024 * 1024
"""Of a head or a segment. Nothing longer is read. Heads of format 1 have up to 8 MiB."""

_IS_ID = re.compile(r"[0-9a-f]{16}").fullmatch

_COMPRESSION = 6
"""Properties that desktops set take an eighth. To compress 1 MiB takes 10 ms."""

_GZIP = zlib.MAX_WBITS | 16

_MEMBERS = b'"members": {'

_END = b"\n}}"

_log = logging.getLogger(__name__)


class Segment(NamedTuple):
    """A segment, as a head names it."""

    id: str
    entries: int
    """Its entries. 0: it can't be read, and is left as it is."""
    size: int
    """Bytes of these entries, uncompressed."""


class Head(NamedTuple):
    """One version of a head; ``row`` is None where there is none."""

    row: ObjectRow | None
    table: Table
    """Its own entries."""
    segments: tuple[Segment, ...] = ()
    """The last one first."""
    member_count: int = 0
    """How many members have properties."""
    copy_of: str = ""
    """The ETag of the head that it is an unchanged copy of."""
    is_damaged: bool = False

    @property
    def nbytes(self) -> int:
        """Memory."""
        return 1000 + self.table.nbytes + 300 * len(self.segments)


NO_HEAD = Head(None, EMPTY)


def is_sidecar(key: str) -> bool:
    """Whether a key is a head's, a segment's, or that of the copy of a damaged head."""
    return _name(key).startswith(SIDECAR_NAME)


def is_head(key: str) -> bool:
    return _name(key) == SIDECAR_NAME


def is_segment(key: str) -> bool:
    return _name(key).startswith(SEGMENT_NAME)


def head_of(key: str) -> str:
    """The key of the head that a segment belongs to; any other key as it is."""
    return key[: key.rindex(SEGMENT_NAME)] + SIDECAR_NAME if is_segment(key) else key


def segment_key(head: str, segment_id: str) -> str:
    """The key of a segment of the head at this key."""
    return head.removesuffix(SIDECAR_NAME) + SEGMENT_NAME + segment_id


def encode_head(head: Head, nonce: str = "") -> bytes:
    """The body that `decode_head` reads. ``nonce`` makes its ETag differ from that of any other
    head with the same properties. Raises OutOfSpaceError."""
    header: dict[str, object] = {"format": 1, "nonce": nonce}
    if head.segments or head.copy_of:
        header |= {"format": 2, "count": head.member_count, "copy_of": head.copy_of}
        header["segments"] = head.segments
    body = _document(header, head.table)
    if len(body) > MAX_OBJECT_BYTES:  # Where names are too long for segments.
        raise OutOfSpaceError(f"over {MAX_OBJECT_BYTES} bytes of properties in one collection")
    return body


def encode_segment(table: Table) -> bytes:
    return gzip.compress(_document({"format": 2}, table), _COMPRESSION, mtime=0)


def decode_head(row: ObjectRow, body: bytes) -> Head:
    try:
        header, table = _parsed(body)
        segments = _segments_in(header)
        count = header.get("count") if segments else _count_in(table)
        copy_of = header.get("copy_of", "")
        if not isinstance(count, int) or not isinstance(copy_of, str):
            raise ValueError("not a count, or not an ETag")
        return Head(row, table, segments, count, copy_of)
    except (ValueError, RecursionError):
        _log.warning("the properties in %r are damaged, and read as none", row.key)
        return Head(row, EMPTY, is_damaged=True)


def decode_segment(body: bytes) -> Table:
    """Raises ValueError."""
    try:
        stream = zlib.decompressobj(_GZIP)
        text = stream.decompress(body, MAX_OBJECT_BYTES)
        if not stream.eof:
            raise ValueError("cut off, or too long")
        return _parsed(text)[1]
    except (zlib.error, RecursionError) as error:
        raise ValueError("not compressed, or too deep") from error


def _name(key: str) -> str:
    return key.rpartition(DELIMITER)[2]


def _document(header: object, table: Table) -> bytes:
    beginning = json.dumps(header).encode().removesuffix(b"}")
    return b"%s, %s\n%s%s" % (beginning, _MEMBERS, table.body, _END)


def _parsed(body: bytes) -> tuple[dict[str, object], Table]:
    """The header and the entries. Raises ValueError, and RecursionError."""
    beginning, _, rest = body.partition(b"\n")
    if beginning.endswith(_MEMBERS) and rest.endswith(_END):
        try:
            return _header_in(json.loads(beginning + b"}}")), Table(rest[: -len(_END)])
        except ValueError:
            pass  # Somebody else has written it, in another layout.
    content = json.loads(body)
    header = _header_in(content)
    members = content.get("members")
    if not isinstance(members, dict) or not all(
        value is None or is_text(value) for value in members.values()
    ):
        raise ValueError("not names and properties")
    entries = (
        Entry(encode_name(name), b"null" if value is None else encode_properties(value))
        for name, value in members.items()
    )
    return header, Table.of(sorted(entries))


def _header_in(content: object) -> dict[str, object]:
    if not isinstance(content, dict) or content.get("format") not in (1, 2):
        raise ValueError("of another format")
    return content


def _segments_in(header: dict[str, object]) -> tuple[Segment, ...]:
    found = header.get("segments", [])
    if not isinstance(found, list) or not all(map(_is_segment, found)):
        raise ValueError("not segments")
    return tuple(Segment(*each) for each in found)


def _is_segment(value: object) -> bool:
    if not isinstance(value, list) or len(value) != len(Segment._fields):
        return False
    name, *numbers = value
    are_sizes = all(isinstance(number, int) and number >= 0 for number in numbers)
    return isinstance(name, str) and bool(_IS_ID(name)) and are_sizes


def _count_in(table: Table) -> int:
    return sum(entry.value != b"null" for entry in table)
