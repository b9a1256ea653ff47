"""What a COPY, MOVE or DELETE will do: pure functions from listings to plans.

A plan consists of rows that were listed, and is complete before the first write.

Invariants:
- The keys of a collection are those that begin with its prefix, which ends in ``/``. So neighbours
  (``a-``, ``ab``) are never touched. Keys inside are copied byte for byte, except that an empty
  ``x_$folder$`` becomes the marker ``x/``.
- What was never shown is never deleted: keys without a path stay where they are. So do objects that
  a collection hides, in a DELETE or as the target of an overwrite.
- Every target key fits S3's limit, or there is no plan.
- An existing marker of the target is not overwritten: other tools keep data in theirs.
"""

from collections.abc import Container, Iterable, Iterator, Sequence
from typing import NamedTuple

from davbridge.errors import AlreadyExistsError, InvalidNameError, StoreError
from davbridge.paths import DELIMITER, ResourcePath, is_visible, path_of, require_key_length
from davbridge.store.base import Attributes, ObjectRow
from davbridge.tree.listing.markers import MARKER, folder_stem
from davbridge.tree.properties.sidecar_format import head_of, is_segment
from davbridge.tree.reserved_names import is_housekeeping, is_own, is_own_in_visible_collection
from davbridge.tree.resource import Failure


class Keys(NamedTuple):
    """The keys of a resource, by what may be done with them."""

    proper: tuple[ObjectRow, ...]
    """Objects, markers and sidecars that belong to the resource. They are deleted with it."""
    hidden: tuple[ObjectRow, ...] = ()
    """Objects inside that a collection of the same name hides. They are moved, and never
    deleted."""
    blockers: tuple[ObjectRow, ...] = ()
    """Keys without a path. They stay, and so does their collection."""
    outer_markers: tuple[ObjectRow, ...] = ()
    """``x_$folder$`` and a slashless ``x``, which mark the collection from outside its prefix."""
    same_name_object: ObjectRow | None = None
    """An object of the collection's own name, which the collection hides. It stays where it is."""

    @property
    def has_inside(self) -> bool:
        """Whether there is any key inside the collection, including its marker."""
        return bool(self.proper or self.hidden or self.blockers)

    @property
    def all_hidden(self) -> tuple[ObjectRow, ...]:
        """All objects that a collection of the same name hides."""
        return (*self.hidden, *([self.same_name_object] if self.same_name_object else []))


NO_KEYS = Keys(())


class Copy(NamedTuple):
    """One object to copy. ``attributes`` replace the source's, unless they are None."""

    source: ObjectRow
    target: str
    attributes: Attributes | None = None


class Plan(NamedTuple):
    """A COPY, MOVE or DELETE, in the order in which it is carried out."""

    clashes: tuple[ObjectRow, ...]
    """Of the target: files where collections will be, and the reverse (see `steps.clashes`)."""
    marker: str | None
    """The target's marker, if it has to be written because no copy makes the target exist."""
    copies: tuple[Copy, ...]
    extras: tuple[ObjectRow, ...]
    """Of the target: members that the source doesn't have. They are deleted once the copies are
    verified."""
    deletions: tuple[ObjectRow, ...]
    """Of the source: what a MOVE or DELETE deletes in the end. A COPY deletes nothing."""
    replaced: tuple[ObjectRow, ...]
    """Of the target: what the copies overwrite."""
    target_prefix: str
    """All keys inside the target begin with it, if the target is or was a collection."""
    wanted: frozenset[str]
    """The keys that the target will consist of, including those that stay."""

    @property
    def added_bytes(self) -> int:
        """By how much the bucket grows, before a MOVE deletes its source."""
        return _size(copy.source for copy in self.copies) - _size(
            (*self.clashes, *self.extras, *self.replaced)
        )

    @property
    def is_of_file(self) -> bool:
        """Whether a file is copied, and not a collection."""
        return any(copy.target + DELIMITER == self.target_prefix for copy in self.copies)

    @property
    def over_collections(self) -> frozenset[str]:
        """The targets of files that replace a collection."""
        return self._targets.intersection(parent_keys(row.key for row in self.clashes))

    @property
    def displacing(self) -> frozenset[str]:
        """The targets that replace something of the other kind: files in place of collections, and
        everything inside collections that replace a file, including markers."""
        files = {row.key for row in self.clashes}
        inside = (key for key in self._targets if not files.isdisjoint(_parents_of(key)))
        return self.over_collections.union(inside)

    @property
    def _targets(self) -> frozenset[str]:
        marker = () if self.marker is None else (self.marker,)
        return frozenset((*marker, *(copy.target for copy in self.copies)))

    @property
    def is_onto_equals(self) -> bool:
        """Whether anything is replaced that has the same ETag as what replaces it."""
        etags = {copy.target: copy.source.etag for copy in self.copies}
        return any(row.etag == etags.get(row.key) for row in self.replaced)


NO_PLAN = Plan((), None, (), (), (), (), "", frozenset())


def keys_inside(mount: str, rows: Iterable[ObjectRow], directories: Container[str] = ()) -> Keys:
    """Sorts the rows of a collection's flat listing. The caller adds ``outer_markers``.

    ``directories``: the keys of slashless directory objects among the rows. Only those that a
    collection hides matter.
    """
    rows = tuple(rows)
    parents = parent_keys(row.key for row in rows)
    proper: list[ObjectRow] = []
    hidden: list[ObjectRow] = []
    blockers: list[ObjectRow] = []
    for row in rows:
        marks = not row.size and (folder_stem(row.key) is not None or row.key in directories)
        if path_of(mount, row.key) is None and not is_own_in_visible_collection(mount, row.key):
            blockers.append(row)
        elif row.key in parents and not marks:
            hidden.append(row)
        else:
            proper.append(row)
    return Keys(tuple(proper), tuple(hidden), tuple(blockers))


def plan_file(source: Keys, target_key: str, target: Keys) -> Plan:
    """The plan for a file. ``source``: its keys; ``target``: the keys of what is at the target."""
    row = source.proper[0]
    require_key_length(target_key)
    there = (*target.proper, *target.outer_markers)
    replaced = tuple(old for old in there if old.key == target_key)
    clashes = tuple(old for old in there if old.key != target_key)
    return Plan(
        clashes=clashes,
        marker=None,
        copies=(Copy(row, target_key),),
        extras=(),
        deletions=(*source.proper, *source.outer_markers),
        replaced=replaced,
        target_prefix=target_key + DELIMITER,
        wanted=frozenset([target_key]),
    )


def plan_tree(source_prefix: str, source: Keys, target_prefix: str, target: Keys) -> Plan:
    """The plan for a collection with all members. ``target``: the keys of what is at the target."""
    old = {row.key: row for row in target.proper}
    # Segments are copied with their heads, to new names. One without a head may get one yet.
    keys = {row.key for row in source.proper}
    going = [row for row in source.proper if head_of(row.key) in keys]
    members = [r for r in source.proper if not (is_housekeeping(r.key) or is_segment(r.key))]
    shown = _targets(source_prefix, members, target_prefix)
    moved = (*shown, *_targets(source_prefix, source.hidden, target_prefix))
    wanted = {target_prefix, *(copy.target for copy in moved)}
    segments = [target_prefix + k[len(source_prefix) :] for k in keys if is_segment(k)]
    for key in (*wanted, *segments):
        require_key_length(key)
    copies = tuple(copy for copy in moved if copy.target not in old or not is_marker(copy.target))
    is_marked = target_prefix in old or any(copy.target == target_prefix for copy in copies)
    # A sidecar of its own shows no member; one further inside shows the collection that it is in.
    inside = (copy.target[len(target_prefix) :] for copy in moved)
    is_empty = all(is_own(key) and DELIMITER not in key for key in inside)
    collections = parent_keys(wanted)
    clashes = tuple(
        row
        for row in _clashes({copy.target for copy in shown}, collections, target)
        if row.key not in wanted  # A hidden file takes the place of what marks a folder.
    )
    cleared = {row.key for row in clashes}
    replaced = old.keys() - cleared
    kept = wanted.union(cleared, (name + DELIMITER for name in collections))
    return Plan(
        clashes=clashes,
        marker=target_prefix if not is_marked and (is_empty or source.outer_markers) else None,
        copies=copies,
        extras=tuple(row for row in target.proper if row.key not in kept),
        deletions=(*going, *source.hidden, *source.outer_markers),
        replaced=tuple(old[c.target] for c in copies if c.target in replaced),
        target_prefix=target_prefix,
        wanted=frozenset(wanted),
    )


def obstacles(
    mount: str, plan: Plan, source: Keys, target: Keys, *, is_move: bool
) -> list[Failure]:
    """Why a plan must not begin: it would delete or hide what was never shown, or its source could
    never be moved entirely."""
    files = {copy.target for copy in plan.copies if not is_marker(copy.target)}
    burying = files - parent_keys(copy.target for copy in plan.copies)
    unseen = (*target.all_hidden, *target.blockers)
    error = AlreadyExistsError("an object that is not shown is in the way")
    failures = [
        Failure(shown_path(mount, row.key), error)
        for row in unseen
        if row.key in files or not burying.isdisjoint(_parents_of(row.key))
    ]
    return failures + (left_behind(mount, Keys((), blockers=source.blockers)) if is_move else [])


def left_behind(mount: str, keys: Keys) -> list[Failure]:
    """Why a collection can't be deleted entirely: one failure for each place."""
    no_path = "holds an object that has no path: %r"
    failures: dict[ResourcePath, StoreError] = {
        shown_path(mount, row.key): InvalidNameError(no_path % row.key) for row in keys.blockers
    }
    revealed = AlreadyExistsError("an object of the same name was hidden, and is left")
    for row in keys.all_hidden:
        failures[shown_path(mount, row.key)] = revealed
    return [Failure(path, error) for path, error in failures.items()]


def deletion_order(going: Iterable[str], scope: str | None, staying: Iterable[str]) -> list[str]:
    """Members before the markers of their collections, inner ones first.

    A store that keeps folders shows an emptied one until its marker is deleted, and refuses that
    while anything is inside. So this names the markers of all collections below the prefix
    ``scope`` that are emptied, whether listed or not. Elsewhere an absent key costs nothing in a
    batch.
    """
    going = set(going)
    emptied = parent_keys(going) - parent_keys(staying) if scope is not None else set()
    markers = {name + DELIMITER for name in emptied if (name + DELIMITER).startswith(scope or "")}
    markers.update(filter(is_marker, going))
    return sorted(going - markers) + sorted(markers, reverse=True)


def shown_path(mount: str, key: str) -> ResourcePath:
    """The path of ``key``, or of the innermost collection that shows anything of it."""
    shown: ResourcePath = ()
    for segment in key[len(mount) :].removesuffix(DELIMITER).split(DELIMITER):
        if not is_visible(segment):
            break
        shown = (*shown, segment)
    return shown


def is_marker(key: str) -> bool:
    """Whether a key is that of a directory marker."""
    return key.endswith(DELIMITER)


def parent_keys(keys: Iterable[str]) -> set[str]:
    """The keys, without a slash, of the collections that exist if these keys do."""
    return {parent for key in keys for parent in _parents_of(key)}


def _targets(source_prefix: str, rows: Sequence[ObjectRow], target_prefix: str) -> list[Copy]:
    known = {row.key for row in rows}
    copies = []
    for row in rows:
        target = target_prefix + row.key[len(source_prefix) :]
        stem = None if row.size else folder_stem(row.key)
        if stem is None:
            copies.append(Copy(row, target))
        elif stem not in known and stem + DELIMITER not in known:
            marker = target_prefix + stem[len(source_prefix) :] + DELIMITER
            copies.append(Copy(row, marker, MARKER))
    return copies


def _clashes(
    files: Container[str], collections: Container[str], target: Keys
) -> tuple[ObjectRow, ...]:
    return tuple(
        row
        for row in (*target.proper, *target.outer_markers)
        if row.key in collections or any(parent in files for parent in _parents_of(row.key))
    )


def _parents_of(key: str) -> Iterator[str]:
    at = key.find(DELIMITER)
    while at >= 0:
        yield key[:at]
        at = key.find(DELIMITER, at + 1)


def _size(rows: Iterable[ObjectRow]) -> int:
    return sum(row.size for row in rows)
