"""Writes changed properties: a new head, and new segments where it would become too large.

Invariants:
- Segments are written before the head that names them. They are deleted after a head is written
  that doesn't name them any more. A bridge that dies in between leaves orphans, and loses nothing.
- Heads are written by compare-and-swap: bridges don't undo each other's changes.
- A collection's first head has no segments. So whoever deletes a head knows that nobody is about to
  name the segments that are left.
- Segments that can't be read stay as they are.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import NamedTuple

from davbridge.errors import PreconditionFailedError, StoreError
from davbridge.store.base import IF_ABSENT, Condition, ObjectRow
from davbridge.tree.properties.entries import EMPTY, REMOVED, Entry, Table
from davbridge.tree.properties.merging import (
    Limits,
    entry_size,
    in_pieces,
    is_mostly_garbage,
    merged,
    segments_to_merge,
)
from davbridge.tree.properties.sidecar_files import LARGE, SidecarFiles
from davbridge.tree.properties.sidecar_format import Head, Segment
from davbridge.tree.properties.sidecar_view import SidecarView

ORPHAN_SECONDS = 24 * 60 * 60
"""The age at which a segment is an orphan that no head names."""

Changes = Mapping[bytes, bytes | None]
"""Encoded name → encoded properties; None: none any more."""

_log = logging.getLogger(__name__)


class _Layout(NamedTuple):
    """A new version of what a head and its segments have."""

    entries: Sequence[Entry]
    """The head's."""
    segments: Sequence[Segment | Table] = ()
    """The last one first. Tables are to be written."""
    member_count: int = 0
    """The members that have properties."""


class SidecarWriter:
    """Of one store."""

    def __init__(self, files: SidecarFiles, limits: Limits) -> None:
        self._files = files
        self._limits = limits
        self._merging_large = Lock()

    def write(
        self, view: SidecarView, key: str, changes: Changes, *, is_late: bool = False
    ) -> bool:
        """Makes these changes to the head at ``key``. False: it has made a part of them, since
        there was no head before. ``is_late``: others were faster before; so this leaves it to a
        later change to write segments. Raises SegmentGoneError, and PreconditionFailedError if the
        head isn't there any more."""
        head, limits = view.head, self._limits
        if head.is_damaged and head.row is not None:
            self._files.set_aside(head.row)
        made = changes if head.row else dict(_first_piece(changes, limits))
        layout = _with_changes(view, made)
        size = sum(map(entry_size, layout.entries))
        if not (layout.entries or layout.segments):
            if head.row is not None:
                self._files.delete_head(head.row)
        elif (
            head.row is None
            or (
                limits.fits_head(len(layout.entries), size)
                and (layout.member_count or not layout.segments)
            )
            or (is_late and size <= limits.piece_bytes)
            or not self._files.can_have_segments(key)
        ):
            self._put_head(key, layout, head)
        else:
            with self._merging(view.head, size):
                self._restructure(view, key, layout)
        return len(made) == len(changes)

    def _merging(self, head: Head, size: int) -> AbstractContextManager[object]:
        is_large = size + sum(segment.size for segment in head.segments) > LARGE
        return self._merging_large if is_large else nullcontext()

    def _put_head(self, key: str, layout: _Layout, old: Head) -> ObjectRow:
        segments = tuple(each for each in layout.segments if isinstance(each, Segment))
        table = Table.of(layout.entries) if layout.entries else EMPTY
        return self._files.put_head(
            key,
            Head(None, table, segments, layout.member_count),
            Condition(if_match=old.row.etag) if old.row else IF_ABSENT,
        )

    def _restructure(self, view: SidecarView, key: str, layout: _Layout) -> None:
        """As `_put_head`, after the entries have been moved into segments, and some are merged."""
        layout = self._merged_layout(view, layout)
        old = view.head
        if not (layout.entries or layout.segments) and old.row is not None:
            self._files.delete_head(old.row)
            self._files.delete_segments(key, [each.id for each in old.segments])
            return
        written: list[tuple[Segment, ObjectRow]] = []
        try:
            for table in (each for each in layout.segments if isinstance(each, Table)):
                written.append(self._files.put_segment(key, table))
        except StoreError:
            self._files.delete_segments(key, [segment.id for segment, _ in written])
            raise
        new = iter([segment for segment, _ in written])
        named = [each if isinstance(each, Segment) else next(new) for each in layout.segments]
        try:
            self._put_head(key, layout._replace(segments=named), old)
        except PreconditionFailedError:
            self._files.discard_segments(key, [segment.id for segment, _ in written])
            raise
        self._delete_unnamed(key, old.segments, named, [row for _, row in written])

    def _delete_unnamed(
        self,
        key: str,
        old: Sequence[Segment],
        named: Sequence[Segment],
        written: Sequence[ObjectRow],
    ) -> None:
        """Deletes the ``old`` segments that aren't ``named`` any more, and orphans with them."""
        ids = {segment.id for segment in named}
        going = [segment.id for segment in old if segment.id not in ids]
        if not going:
            return
        try:
            now = max((row.modified.timestamp() for row in written), default=0.0)
            going += self._files.orphans(key, {*ids, *going}, now - ORPHAN_SECONDS)
        except StoreError as error:
            _log.warning("the segments of %r can't be listed: %s", key, error)
        self._files.delete_segments(key, going)

    def _merged_layout(self, view: SidecarView, layout: _Layout) -> _Layout:
        total = len(layout.entries) + sum(segment.entries for segment in view.head.segments)
        if is_mostly_garbage(total, layout.member_count, self._limits):
            return self._all_merged(view, layout)
        pieces = list(in_pieces(layout.entries, self._limits))
        segments: list[Segment | Table] = [*reversed(pieces), *layout.segments]
        while number := segments_to_merge(list(map(_size, segments)), self._limits):
            readable = [_readable(view, each) for each in segments[:number]]
            if any(isinstance(each, Segment) for each in readable):
                segments[:number] = readable
                continue
            tables = [each for each in readable if isinstance(each, Table)]
            table = Table.of(merged(tables, keeps_removed=number < len(segments)))
            segments[:number] = [table] if len(table) else []
        return layout._replace(entries=(), segments=segments)

    def _all_merged(self, view: SidecarView, layout: _Layout) -> _Layout:
        found = [_readable(view, each) for each in layout.segments]
        unreadable = [each for each in found if isinstance(each, Segment)]
        tables = [each for each in found if isinstance(each, Table)]
        if layout.entries:
            tables.insert(0, Table.of(layout.entries))
        pieces = list(in_pieces(merged(tables, keeps_removed=bool(unreadable)), self._limits))
        count = sum(entry.value != REMOVED for piece in pieces for entry in piece)
        if len(pieces) == 1:
            entries = list(pieces[0])
            if self._limits.fits_head(len(entries), sum(map(entry_size, entries))):
                return _Layout(entries, unreadable, count)
        return _Layout((), [*reversed(pieces), *unreadable], count)


def _with_changes(view: SidecarView, changes: Changes) -> _Layout:
    """The head's entries with the changes, in their order."""
    head = view.head
    own = {entry.name: entry.value for entry in head.table}
    count = head.member_count
    for name, value in changes.items():
        count += (value is not None) - (view.find(name) is not None)
        if value is not None:
            own[name] = value
        elif view.find_in_segments(name) not in (None, REMOVED):
            own[name] = REMOVED
        else:
            own.pop(name, None)
    return _Layout([Entry(*each) for each in sorted(own.items())], head.segments, count)


def _first_piece(changes: Changes, limits: Limits) -> Iterator[tuple[bytes, bytes | None]]:
    size = 0
    for name, value in changes.items():
        if size and size + len(value or b"") > limits.piece_bytes:
            return
        size += entry_size(Entry(name, value or b""))
        yield name, value


def _readable(view: SidecarView, segment: Segment | Table) -> Segment | Table:
    """The entries of a segment; the segment itself, with no entries, if it can't be read."""
    if isinstance(segment, Table):
        return segment
    table = view.table(segment)
    return segment._replace(entries=0) if table.is_damaged else table


def _size(segment: Segment | Table) -> int:
    """0: it isn't merged."""
    if isinstance(segment, Table):
        return len(segment.body)
    return segment.size if segment.entries else 0
