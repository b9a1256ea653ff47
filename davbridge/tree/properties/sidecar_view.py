"""The properties that a head and its segments hold together."""

from davbridge.tree.properties.client_metadata import Properties
from davbridge.tree.properties.entries import (
    REMOVED,
    Members,
    Table,
    decode_name,
    decode_properties,
    encode_name,
)
from davbridge.tree.properties.sidecar_files import SidecarFiles
from davbridge.tree.properties.sidecar_format import Head, Segment


class SidecarView:
    """One version of the properties of a collection's members. Segments are read when they are
    needed: whatever looks at them may raise SegmentGoneError."""

    def __init__(self, files: SidecarFiles, key: str, head: Head) -> None:
        """``key``: the head's."""
        self.head = head
        self._files = files
        self._key = key
        self._tables: dict[str, Table] = {}

    def get(self, name: str) -> Properties:
        """The properties of a member; none where it has none."""
        return decode_properties(self.find(encode_name(name)))

    def find(self, name: bytes) -> bytes | None:
        """What the newest entry of an encoded name has; None if it has none, or is gone."""
        value = self.head.table.find(name)
        if value is None:
            value = self.find_in_segments(name)
        return None if value == REMOVED else value

    def find_in_segments(self, name: bytes) -> bytes | None:
        """What the newest entry of an encoded name has in the segments, if there is one."""
        for segment in self.head.segments:
            if segment.id in self._tables or self._files.may_have(self._key, segment, name):
                value = self.table(segment).find(name)
                if value is not None:
                    return value
        return None

    def table(self, segment: Segment) -> Table:
        """The entries of a segment of this head."""
        if segment.id not in self._tables:
            self._tables[segment.id] = self._files.segment(self._key, segment)
        return self._tables[segment.id]

    def members(self) -> Members:
        """Of all members that have any."""
        cached = self._files.cached_members(self.head)
        if cached is not None:
            return cached
        found: dict[bytes, bytes] = {}
        for table in (*map(self.table, reversed(self.head.segments)), self.head.table):
            found.update(table)
        there = ((name, value) for name, value in found.items() if value != REMOVED)
        members = Members({decode_name(name): value for name, value in there})
        self._files.cache_members(self.head, members)
        return members
