"""Deletes of versions that a listing has just shown: at the end of a MOVE, and when one is undone.

An ETag names bytes, and not an object. If a file was moved away and back, or was replaced by an
equal one, S3 can't tell the new object from the old one. So the source is listed right before it is
deleted, and the times are compared as well. A delete has an effect only within CHECK_VALID_SECONDS
after that listing, including retries and slow networks. An operation that puts a file onto an equal
one waits for longer than that before it relies on the copy: by then no such delete can arrive any
more (see `steps`).

Invariants:
- Only what the last check has shown to be the planned version, to the second, is deleted.
- Members are deleted before the markers and the sidecars of their collections, and those only from
  collections in which nothing is left.
- The segments of a sidecar are deleted after its head, and stay with it: also those that have come
  since the plan was made.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from davbridge.deadline import before
from davbridge.errors import DeadlinePassedError, NotFoundError, PreconditionFailedError
from davbridge.paths import DELIMITER
from davbridge.store.base import DeleteFailure, ObjectRow, ObjectStore, is_same_version
from davbridge.tree.plan import deletion_order, is_marker, parent_keys
from davbridge.tree.properties.sidecar_format import head_of, is_segment
from davbridge.tree.reads import row_at, rows_below
from davbridge.tree.steps.batches import Batches, Deadline, goes_last, of_emptied, versions_of
from davbridge.tree.steps.progress import RunningOperation

CHECK_VALID_SECONDS = 4.0
"""How long a check is valid. The store accepts a signed request of ours for as long."""

_MAX_CHECKS = 3
"""How often a check is made, if all deletes come too late each time."""


class Deleted(NamedTuple):
    """The result of a delete of a tree."""

    failed: list[DeleteFailure]
    remaining: set[str]
    """The keys of everything else that is there, and stays."""


class _Check(NamedTuple):
    """The result of a listing of a tree. All pages but the last were deleted while it was read."""

    failed: list[DeleteFailure]
    remaining: set[str]
    """The keys of what stays."""
    unchanged: set[str]
    """The keys of the planned versions that are there."""
    members: tuple[ObjectRow, ...]
    """The members of the last page, which haven't been deleted yet."""
    segments: Mapping[str, ObjectRow]
    """By key: the planned segments, and others of planned heads."""
    checked_at: float


class CheckedDeletes:
    """Below one prefix of a store. ``timer`` counts seconds, including those in which the machine
    sleeps."""

    def __init__(self, store: ObjectStore, batches: Batches, timer: Callable[[], float]) -> None:
        self._store = store
        self._batches = batches
        self._timer = timer

    def file(self, row: ObjectRow, running: RunningOperation, checked_at: float) -> None:
        """Deletes one object, which was still this version at ``checked_at``.

        Raises PreconditionFailedError if it is another version by now, and NotFoundError if
        somebody else has deleted it: of several clients that move one file, only one has moved it.
        """
        for attempt in range(_MAX_CHECKS):
            if attempt or self._timer() - checked_at > CHECK_VALID_SECONDS / 2:
                checked_at = self._timer()
                self._require_same(row)
            try:
                with running.under_lease(), self.deadline(checked_at)():
                    self._store.delete_object(row.key, version=row)
            except DeadlinePassedError as error:
                late = error
            else:
                running.advance()
                return
        raise late

    def tree(
        self,
        prefix: str,
        rows: Iterable[ObjectRow],
        running: RunningOperation,
        *,
        deleted_before: Iterable[ObjectRow] = (),
        is_whole: bool = True,
    ) -> Deleted:
        """Deletes these versions from a tree, and what marks the tree from outside its prefix. A
        key with another version by now fails with PreconditionFailedError.

        ``deleted_before``: what was in the tree, and was deleted by an earlier call. Stores that
        keep folders may still have the folders around it. ``is_whole``: the empty folders that such
        a store shows are deleted as well. Raises StoreError if the tree can't be listed.
        """
        wanted = {row.key: row for row in rows}
        deleted = {row.key for row in deleted_before if row.key.startswith(prefix)}
        inside = deleted | {key for key in wanted if key.startswith(prefix)}
        folders = {name + DELIMITER for name in parent_keys(inside)} if is_whole else set()
        outer_markers = [row for key, row in wanted.items() if key not in inside]
        looks_left, fewest_late = _MAX_CHECKS, len(wanted)
        unchanged: set[str] = set()
        while looks_left:
            check = self._delete_pages(prefix, wanted, folders, running)
            unchanged |= check.unchanged
            check = _with_segments(check, unchanged)
            order = deletion_order(inside - check.remaining, prefix, check.remaining)
            failed = check.failed + self._delete_last(check, order, wanted, running)
            late = sum(isinstance(one.error, DeadlinePassedError) for one in failed)
            if not late:
                break
            # A slow store deletes a part of them after each check.
            looks_left = _MAX_CHECKS if late < fewest_late else looks_left - 1
            fewest_late = min(late, fewest_late)
        failed += self._delete(list(filter(self._is_same, outer_markers)), running, self._timer())
        return Deleted(failed, check.remaining)

    def _delete_pages(
        self,
        prefix: str,
        wanted: Mapping[str, ObjectRow],
        folders: Container[str],
        running: RunningOperation,
    ) -> "_Check":
        """Deletes each page but the last, right after it was listed."""
        segments: dict[str, ObjectRow] = {}
        check = _Check([], set(), set(), (), segments, began_at := self._timer())
        for page in self._store.list_objects(prefix):
            there = [row for row in page.rows if row.key in wanted]
            changed = {row.key for row in there if _is_changed(wanted[row.key], row)}
            check.failed.extend(map(_failure_of_changed, sorted(changed)))
            check.unchanged.update(row.key for row in there if row.key not in changed)
            others = [row for row in page.rows if _is_others(row, wanted, folders)]
            segments.update((row.key, row) for row in there if is_segment(row.key))
            segments.update((row.key, row) for row in others if head_of(row.key) in wanted)
            check.remaining.update(changed, (row.key for row in others))
            members = [row for row in there if not (goes_last(row.key) or row.key in changed)]
            if page.is_last:
                check = check._replace(members=tuple(members))
                break
            failed = self._delete(members, running, check.checked_at)
            check.failed.extend(failed)
            check.remaining.update(one.key for one in failed)
            check = check._replace(checked_at=self._timer())
        if self._timer() - began_at > CHECK_VALID_SECONDS / 2:
            # Objects that were added meanwhile to the first pages keep their collections' markers.
            check = check._replace(checked_at=self._timer())
            now = rows_below(self._store, prefix).values()
            check.remaining.update(row.key for row in now if _is_others(row, wanted, folders))
        return check

    def _delete_last(
        self,
        check: "_Check",
        order: Sequence[str],
        wanted: Mapping[str, ObjectRow],
        running: RunningOperation,
    ) -> list[DeleteFailure]:
        """Deletes the members of the last page, and the markers and sidecars of all pages."""
        late = of_emptied(filter(goes_last, order), check.remaining)
        own = [wanted[key] for key in late if key in wanted and not is_marker(key)]
        heads = [row for row in own if not is_segment(row.key)]
        segments = of_emptied(check.segments, check.remaining)
        markers = [key for key in late if is_marker(key)]
        members = [row.key for row in check.members]
        deadline = self.deadline(check.checked_at)
        versions = versions_of((*check.members, *heads, *check.segments.values()))
        if not (heads or segments):
            # A collection that keeps a member needs no marker: nothing depends on what fails.
            return self._batches.delete([*members, *markers], running, versions, deadline)
        failed = self._batches.delete(members, running, versions, deadline)
        for keys in ([row.key for row in heads], segments):
            order = of_emptied(keys, [one.key for one in failed])
            failed += self._batches.delete(order, running, versions, deadline)
        markers = of_emptied(markers, [one.key for one in failed])
        return failed + self._batches.delete(markers, running, versions, deadline)

    def _delete(
        self, rows: Sequence[ObjectRow], running: RunningOperation, checked_at: float
    ) -> list[DeleteFailure]:
        keys = [row.key for row in rows]
        deadline = self.deadline(checked_at)
        return self._batches.delete(keys, running, versions_of(rows), deadline)

    def deadline(self, checked_at: float) -> Deadline:
        """The context of requests: none of them has an effect once the check is too old."""
        return partial(before, lambda: checked_at + CHECK_VALID_SECONDS, self._timer)

    def _is_same(self, row: ObjectRow) -> bool:
        now = row_at(self._store, row.key)
        return now is not None and is_same_version(now, row)

    def _require_same(self, row: ObjectRow) -> None:
        now = row_at(self._store, row.key)
        if now is None:
            raise NotFoundError(f"{row.key!r} is gone")
        if not is_same_version(now, row):
            raise PreconditionFailedError(f"{row.key!r} is another version")


def _with_segments(check: _Check, unchanged: Container[str]) -> _Check:
    """The same, with those segments that go: the planned ones, and those of ``unchanged`` heads."""
    going = {
        key: row
        for key, row in check.segments.items()
        if key in check.unchanged or head_of(key) in unchanged
    }
    return check._replace(segments=going, remaining=check.remaining.difference(going))


def _is_changed(planned: ObjectRow, now: ObjectRow) -> bool:
    """Both rows come from listings or copies, whose times agree to the second."""
    if is_marker(now.key):
        return now.size != planned.size
    one, other = ((row.etag, row.size, int(row.modified.timestamp())) for row in (planned, now))
    return one != other


def _is_others(row: ObjectRow, wanted: Container[str], folders: Container[str]) -> bool:
    """Whether somebody else wrote it: it isn't planned, nor an empty folder that is deleted with
    its members."""
    return row.key not in wanted and bool(row.size or row.key not in folders)


def _failure_of_changed(key: str) -> DeleteFailure:
    error = PreconditionFailedError("was changed while it was moved, and is left")
    return DeleteFailure(key, error)
