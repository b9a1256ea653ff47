"""The copies of a plan: made in parallel, and verified.

Invariants:
- A copy is of the version that was listed, and replaces only what the listing has shown. Markers
  are the exception: a store that keeps folders has one as soon as anything is inside, and would
  refuse another. What a tool writes into the marker of a new folder in that second is lost. An
  object of the collection's own name is never lost. If a file replaces a collection, such a store
  takes the folder for an object: so a file that a tool writes there between the check and the copy
  is replaced.
- A tree counts as copied only when all of it was seen in a listing of the target, but for
  properties, which others may change there meanwhile.
- What can't be copied is returned as a Failure with its path. After a failure no other copy is
  begun.
"""

import math
from collections.abc import Callable, Container, Mapping
from types import MappingProxyType
from typing import NamedTuple

from davbridge.errors import (
    AlreadyExistsError,
    NotFoundError,
    PreconditionFailedError,
    StoreError,
    UnavailableError,
)
from davbridge.paths import DELIMITER
from davbridge.store.base import ALWAYS, IF_ABSENT, Condition, ObjectRow, ObjectStore
from davbridge.tree.listing.markers import MARKER, write_marker
from davbridge.tree.plan import Copy, Plan, is_marker, shown_path
from davbridge.tree.properties.sidecar_format import is_head
from davbridge.tree.properties.sidecars import Sidecars
from davbridge.tree.reads import row_at, rows_below
from davbridge.tree.resource import Failure
from davbridge.tree.steps.parallel_requests import ParallelRequests
from davbridge.tree.steps.progress import RunningOperation

_LARGEST_IN_ONE = 5 * 1024**3
"""What S3 copies in one request. SeaweedFS can't complete a multipart upload where it has a
folder."""


NO_ETAG = ""
"""Of a copy that wasn't made, because its source is gone and it isn't needed."""


class SkippedCopyError(UnavailableError):
    """Stands for all copies that weren't begun because one had failed."""


class CopyResult(NamedTuple):
    """The result of a plan's copies."""

    created: Mapping[str, ObjectRow]
    """By key: the copies and the marker, whether they replaced something or not."""
    failures: list[Failure]
    new_etags: Mapping[str, str] = MappingProxyType({})
    """Of a tree: by key, the ETags of copies that differ from their sources', and of sidecars."""
    refused: tuple[Copy, ...] = ()
    """The copies that failed, if the store refused all of them because of what is at their
    targets."""
    has_deleted_clashes: bool = False
    """Whether what clashes with the plan is deleted, or nothing clashes."""
    is_unverified: bool = False
    """Whether all copies were made, and the failure is that the source may not be deleted."""
    checked_at: float = -math.inf
    """When the sources were last known to be the planned versions, by ``timer``."""


class Copies:
    """Makes copies below one prefix of a store."""

    def __init__(
        self,
        store: ObjectStore,
        mount: str,
        parallel_requests: ParallelRequests,
        sidecars: Sidecars,
        timer: Callable[[], float],
    ) -> None:
        self._store = store
        self._mount = mount
        self._sidecars = sidecars
        self._parallel_requests = parallel_requests
        self._timer = timer

    def make(self, plan: Plan, running: RunningOperation) -> CopyResult:
        """Makes the marker and the copies, and doesn't verify them."""
        created: dict[str, ObjectRow] = {}
        if plan.marker is not None:
            try:
                with running.under_lease():
                    if row := write_marker(self._store, plan.marker):
                        created[plan.marker] = row
            except StoreError as error:
                return CopyResult({}, [self._failure(plan.marker, error)])
        checked_at = self._timer()  # S3 checks whether each is still the planned version.
        ended = self._copy_all(plan, running)
        created |= {row.key: row for rows in ended if isinstance(rows, tuple) for row in rows}
        errors = [
            (copy, error)
            for copy, error in zip(plan.copies, ended, strict=False)
            if isinstance(error, StoreError)
        ]
        failures = [self._failure(copy.source.key, error) for copy, error in errors]
        begun = [each for each in errors if not isinstance(each[1], SkippedCopyError)]
        is_refused = all(isinstance(error, AlreadyExistsError) for _, error in begun)
        refused = tuple(copy for copy, _ in begun) if is_refused else ()
        return CopyResult(created, failures, refused=refused, checked_at=checked_at)

    def mark(self, plan: Plan, copied: CopyResult, running: RunningOperation) -> CopyResult:
        """Writes the markers that the store refused because of a file, which is deleted by now."""
        created = dict(copied.created)
        copies = {copy.target: copy for copy in plan.copies}
        for key in sorted(_unmade_markers(plan, created)):
            try:
                with running.under_lease():
                    is_copied = key in copies
                    row = (
                        self._copy_marker(copies[key])
                        if is_copied
                        else write_marker(self._store, key)
                    )
            except StoreError as error:
                return copied._replace(created=created, failures=[self._failure(key, error)])
            if row:
                created[key] = row
        return copied._replace(created=created)

    def verified(
        self, copied: CopyResult, plan: Plan, tree: str, running: RunningOperation
    ) -> CopyResult:
        """Checks that all of a tree is there, and which ETags differ from the sources'. ``tree``:
        the target's prefix."""
        copies = plan.copies
        if copied.failures or not copies:
            return copied
        try:
            rows = rows_below(self._store, tree)
            needless = (
                set() if copied.has_deleted_clashes else _unmade_markers(plan, copied.created)
            )
            lost = [each for each in copies if _is_lost_marker(each, rows)]
            if lost := [each for each in lost if each.target not in needless]:
                for copy in lost:
                    with running.under_lease():
                        if self._copy_marker(copy) is None:
                            needless.add(copy.target)
                rows = rows_below(self._store, tree)
        except StoreError as error:
            return copied._replace(failures=[self._failure(tree, error)])
        missing = UnavailableError("the copy isn't there as it should be")
        failures = [
            self._failure(copy.target, missing)
            for copy in copies
            if not _is_there(copy, rows) and copy.target not in needless
        ]
        pairs = ((copy.source.etag, rows.get(copy.target)) for copy in copies)
        new_etags = {row.key: row.etag for etag, row in pairs if row and row.etag != etag}
        for key in (copy.target for copy in copies if is_head(copy.target)):
            new_etags[key] = copied.created[key].etag if key in copied.created else NO_ETAG
        return copied._replace(failures=failures, new_etags=new_etags)

    def _copy_all(
        self, plan: Plan, running: RunningOperation
    ) -> list[tuple[ObjectRow, ...] | StoreError]:
        """What each copy has created, or its error. If not all were begun, one SkippedCopyError
        stands for the rest."""
        copies = plan.copies
        old = {row.key: row for row in plan.replaced}
        replaced = {row.key: Condition(if_match=row.etag) for row in plan.replaced}
        over_collections = plan.over_collections

        def copy_one(copy: Copy) -> tuple[ObjectRow, ...] | StoreError:
            condition = replaced.get(copy.target, IF_ABSENT)
            try:
                with running.under_lease():
                    if is_head(copy.target):
                        created = self._copy_sidecar(copy, old.get(copy.target))
                    elif is_marker(copy.target):
                        marker = self._copy_marker(copy)
                        created = [marker] if marker else []
                    elif copy.target in over_collections - replaced.keys():
                        created = [self._copy_over_collection(copy)]
                    else:
                        created = [self._copy(copy, condition)]
            except StoreError as error:
                return error
            running.advance()
            return tuple(created)

        ended = self._parallel_requests.each(
            copy_one, copies, is_fatal=lambda created: isinstance(created, StoreError)
        )
        if len(ended) < len(copies):
            ended.append(SkippedCopyError(f"{len(copies) - len(ended)} copies were not begun"))
        return ended

    def _copy_sidecar(self, copy: Copy, old: ObjectRow | None) -> list[ObjectRow]:
        """Makes the copy. If the source has no sidecar any more, there is nothing to copy, unless
        an ``old`` one of the target would stay: another bridge may have moved the source there.
        Then raises UnavailableError."""
        condition = Condition(if_match=old.etag) if old else IF_ABSENT
        try:
            return self._sidecars.copy(copy.source, copy.target, condition)
        except NotFoundError as error:
            if old:
                raise UnavailableError("the properties are being changed; try again") from error
            return []

    def _copy_over_collection(self, copy: Copy) -> ObjectRow:
        try:
            return self._copy(copy, IF_ABSENT)
        except PreconditionFailedError:
            if self._store.lookup(copy.target, bypass_cache=True).row:
                raise
        # A store that keeps folders has a folder there, and keeps both (SeaweedFS).
        if copy.source.size > _LARGEST_IN_ONE:
            raise AlreadyExistsError(f"a folder is at {copy.target!r}")
        return self._copy(copy, ALWAYS)

    def _copy(self, copy: Copy, condition: Condition) -> ObjectRow:
        return self._store.copy_object(
            copy.source, copy.target, attributes=copy.attributes, condition=condition
        )

    def _copy_marker(self, copy: Copy) -> ObjectRow | None:
        """None if an object of the collection's own name is there: a store that keeps folders
        doesn't distinguish the two names, and would replace it."""
        try:
            return self._copy_marker_if(copy, IF_ABSENT)
        except (PreconditionFailedError, AlreadyExistsError):
            if row_at(self._store, copy.target.removesuffix(DELIMITER)):
                return None
            # On such a store a folder is there as soon as anything inside it is.
            return self._copy_marker_if(copy, ALWAYS)

    def _copy_marker_if(self, copy: Copy, condition: Condition) -> ObjectRow:
        try:
            return self._copy(copy, condition)
        except NotFoundError:
            if copy.source.size:
                raise
            # Such stores may not copy folders either (SeaweedFS).
            return self._store.put_object(copy.target, b"", MARKER, condition)

    def _failure(self, key: str, error: StoreError) -> Failure:
        return Failure(shown_path(self._mount, key), error)


def _is_there(copy: Copy, rows: Mapping[str, ObjectRow]) -> bool:
    """Others may change the copy of a sidecar as soon as it is there."""
    if is_head(copy.target):
        return True
    return copy.target in rows and rows[copy.target].size == copy.source.size


def _unmade_markers(plan: Plan, created: Container[str]) -> set[str]:
    """The markers that can't be written yet, because a clashing file has the collection's name."""
    markers = {key for key in plan.displacing if is_marker(key)}
    files = {row.key for row in plan.clashes}
    return {key for key in markers if key.removesuffix(DELIMITER) in files and key not in created}


def _is_lost_marker(copy: Copy, rows: Container[str]) -> bool:
    """SeaweedFS may undo a marker that is written while it makes a folder for a member."""
    return is_marker(copy.target) and copy.target not in rows
