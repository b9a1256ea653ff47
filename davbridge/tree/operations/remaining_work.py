"""Compares a journal's plan with the bucket, and returns what is still to be done of it.

Pure functions; the caller passes in whether two objects with different ETags have the same bytes.

The bridge that began the operation may have died at any point, and others may have written since.
So each key is decided by itself, from the version in the plan and the present version:

- A copy that is there is done. A copy that isn't is made, if its source is still the planned
  version. A sidecar is copied in whatever version it has now.
- If somebody has written to a sidecar at the target since, the source's entries are merged into it.
- Any other object at the target that is neither the copy nor what was there before is somebody
  else's. It stays, and so does the source.
- A copy that isn't there and can't be made is reported. Then nothing of the target is deleted. If
  something of the other kind is still where copies are, these copies are deleted again.
- Only what is still the listed version, to the second of its time, is deleted. A file that was
  written again stays, even with the same bytes. A MOVE deletes only what has its copy.

Invariant: what somebody has written after the crash, to the source or the target, stays as it is.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from davbridge.store.base import ObjectRow, is_unchanged
from davbridge.tree.plan import Copy, Plan, is_marker
from davbridge.tree.properties.sidecar_format import is_head, is_sidecar
from davbridge.tree.reserved_names import is_own

Rows = Mapping[str, ObjectRow]
"""By key."""

IsCopy = Callable[[Copy, ObjectRow], bool]
"""Whether an object has the bytes that a copy of its source would have, whatever its ETag is."""


class RemainingWork(NamedTuple):
    """The work that is left, and what can't be done of it."""

    plan: Plan
    new_etags: Mapping[str, str]
    """By key, the ETags of copies that are there already and differ from their sources'."""
    merges: tuple[Copy, ...]
    """Copies of sidecars whose targets have entries of their own by now."""
    written_since: tuple[ObjectRow, ...]
    """The objects of the source that are neither copied nor deleted, because they or their copies
    were written since."""
    gone: tuple[ObjectRow, ...]
    """The objects of the source that are gone and have no copy."""
    created: Mapping[str, ObjectRow]
    """By key: the copies that are there already, and the marker."""
    lacks_copies: bool
    """Whether there is a copy that isn't there and can't be made."""


class _SortedCopies(NamedTuple):
    """The copies of a plan, by what is to be done about them."""

    to_make: list[Copy]
    to_merge: list[Copy]
    done: dict[str, ObjectRow]
    """By key: the copies that are there."""
    replaced: set[str]
    """The keys of sources in whose copies' places somebody else has written."""
    missing: list[ObjectRow]
    """The sources of copies that aren't there and can't be made."""


def remaining_work(plan: Plan, source: Rows, target: Rows, is_copy: IsCopy) -> RemainingWork:
    """``source``, ``target``: all that is there now of the plan's keys."""
    copies = _sorted_copies(plan, source, target, is_copy)
    lacks_copies = bool(copies.replaced or copies.missing)
    deletions, written_since = _sorted_sources(plan, source, copies.replaced)
    rest = plan._replace(
        clashes=_unchanged(plan.clashes, target),
        marker=None if plan.marker in target else plan.marker,
        copies=tuple(copies.to_make),
        extras=() if lacks_copies else _unchanged(plan.extras, target),
        deletions=deletions,
        replaced=tuple(target[copy.target] for copy in copies.to_make if copy.target in target),
    )
    etags = {copy.target: copy.source.etag for copy in plan.copies}
    marker = target.get(plan.marker or "")
    return RemainingWork(
        plan=rest,
        new_etags={key: row.etag for key, row in copies.done.items() if row.etag != etags[key]},
        merges=tuple(copies.to_merge),
        written_since=written_since,
        gone=tuple(row for row in copies.missing if row.key not in source),
        created={**copies.done, marker.key: marker} if marker else copies.done,
        lacks_copies=lacks_copies,
    )


def _sorted_copies(plan: Plan, source: Rows, target: Rows, is_copy: IsCopy) -> _SortedCopies:
    replaced = {row.key: row for row in plan.replaced}
    copies = _SortedCopies([], [], {}, set(), [])
    for copy in plan.copies:
        found = target.get(copy.target)
        has_source = is_unchanged(source.get(copy.source.key), copy.source)
        # An object that was there before isn't the copy, even if it is equal: somebody may be
        # moving it away.
        is_old = found is not None and is_unchanged(found, replaced.get(copy.target))
        if found and not is_old and _is_done(copy, found):
            copies.done[copy.target] = found
        elif not found or is_old:
            if has_source or (is_head(copy.target) and copy.source.key in source):
                copies.to_make.append(copy)
            elif not (is_marker(copy.target) or is_own(copy.target)):
                copies.missing.append(copy.source)
        elif is_head(copy.target) and is_copy(copy, found):
            copies.done[copy.target] = found
        elif has_source and is_sidecar(copy.target):
            copies.to_merge.append(copy)
        elif has_source and is_copy(copy, found):
            copies.done[copy.target] = found
        else:
            copies.replaced.add(copy.source.key)
    return copies


def _is_done(copy: Copy, found: ObjectRow) -> bool:
    """Markers are alike, whoever has written them."""
    same = (found.size, found.etag) == (copy.source.size, copy.source.etag)
    return same or is_marker(copy.target)


def _sorted_sources(
    plan: Plan, source: Rows, replaced: set[str]
) -> tuple[tuple[ObjectRow, ...], tuple[ObjectRow, ...]]:
    """The objects of the source to delete, and those that were ``written_since``. A COPY deletes
    nothing."""
    planned = plan.deletions or [copy.source for copy in plan.copies]
    there = [row for row in planned if row.key in source]
    written = {
        row.key for row in there if row.key in replaced or not is_unchanged(source[row.key], row)
    }
    deletions = tuple(row for row in there if row.key not in written) if plan.deletions else ()
    return deletions, tuple(source[row.key] for row in there if row.key in written)


def _unchanged(rows: Iterable[ObjectRow], now: Rows) -> tuple[ObjectRow, ...]:
    return tuple(row for row in rows if is_unchanged(now.get(row.key), row))
