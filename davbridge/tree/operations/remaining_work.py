"""What is left to be done of a journal's plan, by what is there now.

Pure, but that it has one question asked: whether two objects of other ETags have the same bytes.

Whoever began it died at any point, and others may have written since. So each key is judged by
itself, by the version that the plan names and the one that is there:

- A copy that is there is done. One that isn't is created, if its source is still that version.
- Of a sidecar that somebody has written at the target since, the source's members are merged in.
- Any other object at the target that is neither the copy nor what was there before is somebody's:
  it stays, and so does the source.
- A copy that is neither there nor can be made is reported. Of the target nothing goes then; and
  if something of the other kind is still where copies are, those are removed again.
- Deleted is only what is still the version that was listed, to the second of its time: a file that
  was written again since stays, even with the same bytes. Of a MOVE, only what has its copy.

Invariant: what somebody wrote after the crash, to the source or to the target, stays as it is.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from davbridge.store.base import ObjectRow
from davbridge.tree.plan import Copy, Plan, is_marker
from davbridge.tree.properties.sidecar_format import is_sidecar
from davbridge.tree.reserved_names import is_own

Rows = Mapping[str, ObjectRow]
"""By key."""

IsCopy = Callable[[Copy, ObjectRow], bool]
"""Whether an object has the bytes that a copy of its source would have, whatever its ETag."""


class RemainingWork(NamedTuple):
    """What is left to be done, and what of it can't be."""

    plan: Plan
    new_etags: Mapping[str, str]
    """Of copies that were there already: their ETags, where those aren't their sources'."""
    merges: tuple[Copy, ...]
    """Of sidecars, whose targets name members of their own by now."""
    kept: tuple[ObjectRow, ...]
    """Of the source: what is neither copied nor deleted, since it or its copy was written anew."""
    gone: tuple[ObjectRow, ...]
    """Of the source: what isn't there any more, nor its copy; by whomever it was taken away."""
    created: Mapping[str, ObjectRow]
    """By key: the copies that were there already, and the marker."""
    lacks_copies: bool
    """Whether there is a copy that isn't there, nor can be created."""


def remaining_work(plan: Plan, source: Rows, target: Rows, is_copy: IsCopy) -> RemainingWork:
    """``source`` and ``target``: all that is there now of the keys that the plan is about."""
    replaced = {row.key: row for row in plan.replaced}
    todo: list[Copy] = []
    merges: list[Copy] = []
    done: dict[str, ObjectRow] = {}
    strange: set[str] = set()
    undone: list[ObjectRow] = []
    for copy in plan.copies:
        found = target.get(copy.target)
        is_there = source.get(copy.source.key) == copy.source
        # What was there before counts as that, be it equal: somebody may be taking it away.
        is_old = found is not None and found == replaced.get(copy.target)
        if found and not is_old and _is_done(copy, found):
            done[copy.target] = found
        elif not found or is_old:
            if is_there:
                todo.append(copy)
            elif not (is_marker(copy.target) or is_own(copy.target)):
                undone.append(copy.source)
        elif is_there and is_sidecar(copy.target):
            merges.append(copy)
        elif is_there and is_copy(copy, found):
            done[copy.target] = found
        else:
            strange.add(copy.source.key)
    leaving, kept = _parted(plan, source, strange)
    rest = plan._replace(
        clashes=_unchanged(plan.clashes, target),
        marker=None if plan.marker in target else plan.marker,
        copies=tuple(todo),
        extras=() if strange or undone else _unchanged(plan.extras, target),
        deletions=leaving,
        replaced=tuple(target[copy.target] for copy in todo if copy.target in target),
    )
    etags = {copy.target: copy.source.etag for copy in plan.copies}
    new_etags = {key: row.etag for key, row in done.items() if row.etag != etags[key]}
    gone = tuple(row for row in undone if row.key not in source)
    marked = target.get(plan.marker or "")
    created = {**done, marked.key: marked} if marked else done
    return RemainingWork(
        rest, new_etags, tuple(merges), kept, gone, created, bool(strange or undone)
    )


def _is_done(copy: Copy, found: ObjectRow) -> bool:
    """Markers are alike, whoever wrote them."""
    same = (found.size, found.etag) == (copy.source.size, copy.source.etag)
    return same or is_marker(copy.target)


def _parted(
    plan: Plan, source: Rows, strange: set[str]
) -> tuple[tuple[ObjectRow, ...], tuple[ObjectRow, ...]]:
    """What may leave the source, and what of it has to stay."""
    concerned = plan.deletions or [copy.source for copy in plan.copies]  # Of a COPY nothing leaves.
    there = [row for row in concerned if row.key in source]
    kept = {row.key for row in there if source[row.key] != row or row.key in strange}
    leaving = tuple(row for row in there if row.key not in kept) if plan.deletions else ()
    return leaving, tuple(source[row.key] for row in there if row.key in kept)


def _unchanged(rows: Iterable[ObjectRow], now: Rows) -> tuple[ObjectRow, ...]:
    return tuple(row for row in rows if now.get(row.key) == row)
