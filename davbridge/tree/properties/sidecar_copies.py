"""Copies of properties files, for the COPY and MOVE of a folder.

A head is copied as it is when its turn comes, whatever the plan has listed. Its segments get new
names. So no key of a segment is ever written twice, and a delete of a segment may come late: it
can't meet another one that has come to its place since.

Invariant: the copy of a head is written after all segments that it names. It is an unchanged copy
if it has the source's ETag, or says so.
"""

from davbridge.errors import NotFoundError, PreconditionFailedError, UnavailableError
from davbridge.store.base import Condition, ObjectRow
from davbridge.tree.properties.sidecar_files import SegmentGoneError, SidecarFiles
from davbridge.tree.properties.sidecar_format import Head, Segment, segment_key

_ATTEMPTS = 10


class SidecarCopies:
    """Of one store."""

    def __init__(self, files: SidecarFiles) -> None:
        self._files = files

    def copy(self, source: ObjectRow, target: str, condition: Condition) -> list[ObjectRow]:
        """Copies a head with its segments. Returns what is there now, the head first.

        Raises NotFoundError if the source has no head any more, and PreconditionFailedError if
        ``condition`` doesn't hold of the target.
        """
        copying = _Copying(self._files, target, condition)
        try:
            head = self._files.cached(source.key, source.etag) or self._files.fetch(source.key)
            rows = copying.copy(head, source)
        except BaseException:
            copying.discard([])
            raise
        copying.discard(rows)
        return rows


class _Copying:
    """One call of `SidecarCopies.copy`."""

    def __init__(self, files: SidecarFiles, target: str, condition: Condition) -> None:
        self._files = files
        self._target = target
        self._condition = condition
        self._copies: dict[str, tuple[Segment, ObjectRow]] = {}
        """By the source's id."""
        self._lost: set[str] = set()
        """The keys of segments that aren't there, though the head names them."""
        self._is_certain = True
        """Whether no head will name the copies that the present one doesn't name."""

    def copy(self, head: Head, source: ObjectRow) -> list[ObjectRow]:
        for _ in range(_ATTEMPTS):
            if head.row is None:
                raise NotFoundError(f"{source.key!r} is gone")
            is_planned = head.row.etag == source.etag
            if not head.segments and (is_planned or head.is_damaged):
                try:
                    return [self._files.copy_head(head, self._target, self._condition)]
                except (NotFoundError, PreconditionFailedError):
                    now = self._files.fetch(source.key)
                    if _etag(now) == _etag(head):
                        raise  # Not the source has changed, but the target.
                    head = now
                    continue
            try:
                return self._copy_all(head)
            except SegmentGoneError as gone:
                now = self._files.after(gone, head)
                if _etag(now) == _etag(head):
                    self._lost.add(gone.key)
                head = now
        raise UnavailableError("the properties are being changed by too many others; try again")

    def _copy_all(self, head: Head) -> list[ObjectRow]:
        assert head.row is not None
        for segment in head.segments:
            is_lost = segment_key(head.row.key, segment.id) in self._lost
            if segment.id not in self._copies and not is_lost:
                copied = self._files.copy_segment(head.row.key, segment, self._target)
                self._copies[segment.id] = copied
        copies = [self._copies[each.id] for each in head.segments if each.id in self._copies]
        segments = tuple(segment for segment, _ in copies)
        copy = head._replace(row=None, segments=segments, copy_of=head.row.etag)
        self._is_certain = False
        try:
            row = self._files.put_head(self._target, copy, self._condition)
        except PreconditionFailedError:
            self._is_certain = True
            raise
        return [row, *(row for _, row in copies)]

    def discard(self, used: list[ObjectRow]) -> None:
        """Deletes the copies that aren't ``used``."""
        keys = {row.key for row in used}
        unused = [segment.id for segment, row in self._copies.values() if row.key not in keys]
        if used:
            self._files.delete_segments(self._target, unused)
        elif self._is_certain:
            self._files.discard_segments(self._target, unused)


def _etag(head: Head) -> str | None:
    return head.row.etag if head.row else None
