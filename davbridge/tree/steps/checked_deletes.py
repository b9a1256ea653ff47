"""Deletes of versions that a look has just shown: the end of a MOVE, and the undoing of one.

Owns the looks, and how long each of them holds. Which versions are meant is the caller's.

An ETag names bytes, and not an object: when a file was moved away and back meanwhile, or replaced
by an equal one, S3 takes the new object for the old one. So the source is listed right before it
goes, its times are compared as well, and a delete is good for LOOK_SECONDS after that look, retries
and slow networks included. Whoever moves a file onto an equal one waits for longer than that before
he relies on it: by then no such delete can arrive any more (see `steps`).

Invariants:
- Deleted is only what the last look showed to be the version that was meant, to the second.
- Members go before the markers and the sidecars of their collections, and those go only from
  collections in which nothing is left.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from davbridge.deadline import before
from davbridge.errors import DeadlinePassedError, NotFoundError, PreconditionFailedError
from davbridge.paths import DELIMITER
from davbridge.store.base import DeleteFailure, ObjectRow, ObjectStore, is_same_version
from davbridge.tree.plan import deletion_order, is_marker, parent_keys
from davbridge.tree.reads import row_at, rows_below
from davbridge.tree.steps.batches import Batches, Bounds, is_late, outside, versions_of
from davbridge.tree.steps.progress import RunningOperation

LOOK_SECONDS = 4.0
"""How long a look holds: as long as S3 takes a request of ours for a fresh one anyway."""

_LOOKS = 3
"""How often is looked, where all deletes come too late each time."""


class Deleted(NamedTuple):
    """What became of the versions in a tree."""

    failed: list[DeleteFailure]
    left: set[str]
    """Keys of what is there besides, and stays."""


class _Look(NamedTuple):
    """What a listing of a tree has shown, while its first pages were deleted."""

    failed: list[DeleteFailure]
    left: set[str]
    """Keys of what stays."""
    members: tuple[ObjectRow, ...]
    """Those of the last page, which haven't been deleted yet."""
    looked_at: float


class CheckedDeletes:
    """Below one prefix of a store. ``timer`` gives seconds, those of a machine asleep included."""

    def __init__(self, store: ObjectStore, batches: Batches, timer: Callable[[], float]) -> None:
        self._store = store
        self._batches = batches
        self._timer = timer

    def file(self, row: ObjectRow, running: RunningOperation, looked_at: float) -> None:
        """Deletes one object, which was still this version at ``looked_at``.

        Raises PreconditionFailedError where it is another by now, and NotFoundError where somebody
        else has deleted it: of several who move one file, one has moved it.
        """
        for attempt in range(_LOOKS):
            if attempt or self._timer() - looked_at > LOOK_SECONDS / 2:
                looked_at = self._timer()
                self._require_same(row)
            try:
                with running.step(), self.bounds(looked_at)():
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
        gone: Iterable[ObjectRow] = (),
        is_whole: bool = True,
    ) -> Deleted:
        """Deletes these versions from a tree, and what marks it from outside of its prefix. What is
        another version by now fails with PreconditionFailedError.

        ``gone``: what was in the tree and went before: stores that keep folders may still have
        those that it was in. ``is_whole``: the empty folders that such a store shows go along.
        Raises StoreError where the tree can't be listed.
        """
        wanted = {row.key: row for row in rows}
        went = {row.key for row in gone if row.key.startswith(prefix)}
        inside = went | {key for key in wanted if key.startswith(prefix)}
        folders = {name + DELIMITER for name in parent_keys(inside)} if is_whole else set()
        beside = [row for key, row in wanted.items() if key not in inside]
        looks_left, fewest_late = _LOOKS, len(wanted)
        while looks_left:
            look = self._delete_pages(prefix, wanted, folders, running)
            order = deletion_order(inside - look.left, prefix, look.left)
            failed = look.failed + self._delete_last(look, order, wanted, running)
            late = sum(isinstance(one.error, DeadlinePassedError) for one in failed)
            if not late:
                break
            # A slow store deletes a part of them after each look.
            looks_left = _LOOKS if late < fewest_late else looks_left - 1
            fewest_late = min(late, fewest_late)
        failed += self._delete(list(filter(self._is_same, beside)), running, self._timer())
        return Deleted(failed, look.left)

    def _delete_pages(
        self,
        prefix: str,
        wanted: Mapping[str, ObjectRow],
        folders: Container[str],
        running: RunningOperation,
    ) -> "_Look":
        """All pages but the last, each right after it was listed."""
        look = _Look([], set(), (), began_at := self._timer())
        for page in self._store.list_objects(prefix):
            there = [row for row in page.rows if row.key in wanted]
            changed = {row.key for row in there if _is_changed(wanted[row.key], row)}
            look.failed.extend(map(_failure_of_changed, sorted(changed)))
            look.left.update(changed, (r.key for r in page.rows if _is_others(r, wanted, folders)))
            members = [row for row in there if not (is_late(row.key) or row.key in changed)]
            if page.is_last:
                look = look._replace(members=tuple(members))
                break
            failed = self._delete(members, running, look.looked_at)
            look.failed.extend(failed)
            look.left.update(one.key for one in failed)
            look = look._replace(looked_at=self._timer())
        if self._timer() - began_at > LOOK_SECONDS / 2:
            # What came into the first pages meanwhile keeps the markers of its collections.
            look = look._replace(looked_at=self._timer())
            now = rows_below(self._store, prefix).values()
            look.left.update(row.key for row in now if _is_others(row, wanted, folders))
        return look

    def _delete_last(
        self,
        look: "_Look",
        order: Sequence[str],
        wanted: Mapping[str, ObjectRow],
        running: RunningOperation,
    ) -> list[DeleteFailure]:
        """The members of the last page, and the markers and sidecars of all."""
        late = outside(filter(is_late, order), look.left)
        sidecars = [wanted[key] for key in late if key in wanted and not is_marker(key)]
        markers = [key for key in late if is_marker(key)]
        members = [row.key for row in look.members]
        bounds = self.bounds(look.looked_at)
        versions = versions_of((*look.members, *sidecars))
        if not sidecars:
            # A collection that keeps a member needs no marker: nothing depends on what fails.
            return self._batches.delete([*members, *markers], running, versions, bounds)
        failed = self._batches.delete(members, running, versions, bounds)
        order = outside((row.key for row in sidecars), [one.key for one in failed])
        failed += self._batches.delete(order, running, versions, bounds)
        markers = outside(markers, [one.key for one in failed])
        return failed + self._batches.delete(markers, running, versions, bounds)

    def _delete(
        self, rows: Sequence[ObjectRow], running: RunningOperation, looked_at: float
    ) -> list[DeleteFailure]:
        keys = [row.key for row in rows]
        bounds = self.bounds(looked_at)
        return self._batches.delete(keys, running, versions_of(rows), bounds)

    def bounds(self, looked_at: float) -> Bounds:
        """For requests none of which has an effect once the look is too old."""
        return partial(before, lambda: looked_at + LOOK_SECONDS, self._timer)

    def _is_same(self, row: ObjectRow) -> bool:
        now = row_at(self._store, row.key)
        return now is not None and is_same_version(now, row)

    def _require_same(self, row: ObjectRow) -> None:
        now = row_at(self._store, row.key)
        if now is None:
            raise NotFoundError(f"{row.key!r} is gone")
        if not is_same_version(now, row):
            raise PreconditionFailedError(f"{row.key!r} is another version")


def _is_changed(planned: ObjectRow, now: ObjectRow) -> bool:
    """Both are a listing's, or a copy's own: those tell the same time, to the second."""
    if is_marker(now.key):
        return now.size != planned.size
    one, other = ((row.etag, row.size, int(row.modified.timestamp())) for row in (planned, now))
    return one != other


def _is_others(row: ObjectRow, wanted: Container[str], folders: Container[str]) -> bool:
    """Whether it is somebody else's: not meant, nor an empty folder that goes with its members."""
    return row.key not in wanted and bool(row.size or row.key not in folders)


def _failure_of_changed(key: str) -> DeleteFailure:
    error = PreconditionFailedError("was changed while it was moved, and is left")
    return DeleteFailure(key, error)
