"""The copies of a plan: made side by side, and verified.

Owns how copies are asked for. Must not decide which keys are concerned: plans do; nor delete
anything: that is removals'.

Invariants:
- A copy is of the very version that was listed, and never falls on an object that the listing
  didn't show: but for markers. Stores that keep folders have one as soon as anything is inside, and
  would refuse another. What a tool puts into the marker of a new folder in that second is lost.
- A tree is told to be copied only once all of it was seen in a listing of the target.
- What can't be copied comes back as a Failure with its path; nothing more is begun after one.
"""

from collections.abc import Container, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from davbridge.errors import NotFoundError, StoreError, UnavailableError
from davbridge.store.base import ALWAYS, IF_ABSENT, Condition, ObjectRow, ObjectStore
from davbridge.tree.lanes import Lanes
from davbridge.tree.markers import MARKER
from davbridge.tree.plan import Copy, Plan, is_marker, shown_path
from davbridge.tree.resource import Failure
from davbridge.tree.rows import rows_below
from davbridge.tree.works import Work


class NotBegunError(UnavailableError):
    """Stands for the copies that aren't begun any more after one has failed."""


class Copied(NamedTuple):
    """What was done of a plan's copies."""

    made: Mapping[str, str]
    """ETags by key: of the copies, and of the marker, over what was there and elsewhere."""
    failures: list[Failure]
    renewed: Mapping[str, str] = MappingProxyType({})
    """In a tree: the ETags, by key, of copies that have another than their source."""


class Copies:
    """Makes copies below one prefix of a store."""

    def __init__(self, store: ObjectStore, mount: str, lanes: Lanes) -> None:
        self._store = store
        self._mount = mount
        self._lanes = lanes

    def make(self, plan: Plan, work: Work, *, tree: str | None, is_careful: bool = False) -> Copied:
        """The marker, the copies, and in a tree their verification; ``tree`` is the target's
        prefix if it is a collection. ``is_careful``: what is replaced is still what was listed."""
        made: dict[str, str] = {}
        if plan.marker is not None:
            try:
                made[plan.marker] = self._store.put_object(plan.marker, b"", MARKER).etag
            except StoreError as error:
                return Copied({}, [self._failure(plan.marker, error)])
        replaced = {
            row.key: Condition(if_match=row.etag) if is_careful else ALWAYS for row in plan.replaced
        }
        ended = self._copy_all(plan.copies, replaced, work)
        made |= {row.key: row.etag for row in ended if isinstance(row, ObjectRow)}
        failures = [
            self._failure(copy.source.key, error)
            for copy, error in zip(plan.copies, ended, strict=False)
            if isinstance(error, StoreError)
        ]
        if failures or tree is None or not plan.copies:
            return Copied(made, failures)
        return self._verified(made, plan.copies, tree)

    def _copy_all(
        self, copies: Sequence[Copy], replaced: Mapping[str, Condition], work: Work
    ) -> list[ObjectRow | StoreError]:
        """How each ended. Where not all were begun, the first of the rest stands for them."""

        def copy_one(copy: Copy) -> ObjectRow | StoreError:
            try:
                work.require()
                made = self._copy(copy, replaced.get(copy.target, IF_ABSENT))
            except StoreError as error:
                return error
            work.advance()
            return made

        ended = self._lanes.each(
            copy_one, copies, is_fatal=lambda made: isinstance(made, StoreError)
        )
        if len(ended) < len(copies):
            ended.append(NotBegunError(f"{len(copies) - len(ended)} copies were not begun"))
        return ended

    def _copy(self, copy: Copy, condition: Condition) -> ObjectRow:
        if is_marker(copy.target):
            # To stores that keep folders, a marker is there as soon as anything inside it is.
            condition = ALWAYS
        try:
            return self._store.copy_object(
                copy.source, copy.target, attributes=copy.attributes, condition=condition
            )
        except NotFoundError:
            if copy.source.size or not is_marker(copy.target):
                raise
            # Such stores may not copy folders either (SeaweedFS).
            return self._store.put_object(copy.target, b"", MARKER)

    def _verified(self, made: Mapping[str, str], copies: Sequence[Copy], target: str) -> Copied:
        """Looks whether all is there as it should be, and which ETags differ from the source's."""
        try:
            rows = rows_below(self._store, target)
            if lost := [each for each in copies if _is_lost_marker(each, rows)]:
                for copy in lost:
                    self._copy(copy, ALWAYS)
                rows = rows_below(self._store, target)
        except StoreError as error:
            return Copied(made, [self._failure(target, error)])
        missing = UnavailableError("the copy isn't there as it should be")
        failures = [
            self._failure(copy.target, missing)
            for copy in copies
            if copy.target not in rows or rows[copy.target].size != copy.source.size
        ]
        if failures:
            return Copied(made, failures)
        pairs = ((copy.source.etag, rows[copy.target]) for copy in copies)
        return Copied(made, [], {row.key: row.etag for etag, row in pairs if row.etag != etag})

    def _failure(self, key: str, error: StoreError) -> Failure:
        return Failure(shown_path(self._mount, key), error)


def _is_lost_marker(copy: Copy, rows: Container[str]) -> bool:
    """SeaweedFS, as it makes a folder for a member, may undo a marker that comes right then."""
    return is_marker(copy.target) and copy.target not in rows
