"""One attempt at a DELETE, COPY or MOVE: looks everything up, and refuses it or carries it out.

Invariants:
- Everything that can be refused is refused before the first write.
- The order is: journal, marker, copies, verification, the target's properties, clashes, extras.
  Only then a MOVE deletes its source. The source's properties and the journal are deleted last.
  Wherever this stops, each object is at the source, at the target, or at both.
- A MOVE deletes nothing of its source until every copy is verified. If one isn't, the journal is
  marked as undone. Then what was newly created is deleted again, unless its source is gone by then,
  and the source stays whole. A copy that has replaced something stays.
- The same happens if the store refuses every delete of the source, unless something at the target
  was replaced or deleted. Mostly it is known that the right to delete is missing; then nothing is
  begun.
- Nothing of the target is deleted before the copies are verified. The exception is a store that
  can't hold a file and a collection of one name: there, one that replaces the other deletes it
  first (see `steps.clashes`).
- If the operation fails before it has deleted a file that a collection replaces, or the reverse,
  the copies are deleted again, those of a COPY as well. Otherwise one would hide the other.
- The failure of a single object is raised. Failures of a tree's members are returned.

These operations have a journal:

- A MOVE of a collection with more than one object, since it may stop between them.
- A COPY or DELETE of more than JOURNALED objects. A smaller one ends before its client gives up; if
  it is sent again, it does the rest.
- An operation that replaces a file with a collection, or the reverse: if it stopped in between, one
  would hide the other.
- A MOVE that was incomplete before, of a file as well. Such a journal only keeps other operations
  away, and nobody has to finish it.
"""

from collections.abc import Callable, Mapping

from davbridge.errors import (
    AccessDeniedError,
    InvalidNameError,
    NotFoundError,
    PreconditionFailedError,
    UnavailableError,
)
from davbridge.paths import prefix_of
from davbridge.store.base import NO_VERSIONS, ObjectRow
from davbridge.tree.journal.entry import JournalEntry, OperationRequest
from davbridge.tree.listing.view import View
from davbridge.tree.operations.journaling import Journaling
from davbridge.tree.operations.planner import PlannedTransfer, Planner, SourceAndTarget
from davbridge.tree.operations.preconditions import Preconditions
from davbridge.tree.operations.retries import (
    EarlierAttempts,
    OutdatedError,
)
from davbridge.tree.plan import NO_PLAN, Keys, Plan, left_behind, shown_path
from davbridge.tree.properties.client_metadata import Properties
from davbridge.tree.properties.property_store import PropertyStore
from davbridge.tree.resource import Failure, Outcome, Resource
from davbridge.tree.steps.batches import goes_last
from davbridge.tree.steps.copies import CopyResult
from davbridge.tree.steps.operation_steps import OperationSteps
from davbridge.tree.steps.progress import RunningOperation
from davbridge.tree.writes.parents import Parents

JOURNALED = 1000
"""Objects: as many as one listing shows, and as are copied or deleted in a second or two."""

RequireRoom = Callable[[int], object]
"""Called with a number of bytes. Raises OutOfSpaceError if the quota has fewer left."""


class Attempts:
    """At operations below one prefix of a store. The caller holds the path locks."""

    def __init__(
        self,
        view: View,
        parents: Parents,
        property_store: PropertyStore,
        planner: Planner,
        steps: OperationSteps,
        journaling: Journaling,
    ) -> None:
        self._view = view
        self._parents = parents
        self._property_store = property_store
        self._planner = planner
        self._steps = steps
        self._journaling = journaling

    def delete(self, request: OperationRequest, preconditions: Preconditions) -> Outcome:
        resource = self._view.lookup(request.source)
        path = resource.path
        if not path:
            raise InvalidNameError("the root can't be deleted")
        preconditions.require_version(resource)
        preconditions.recheck(is_new=False)
        properties = self._property_store.of(path)
        with self._parents.removing(path):
            checked_at = self._journaling.timer()
            keys = self._planner.keys(resource)
            going = (*keys.proper, *keys.outer_markers)
            entry = JournalEntry(
                request, path, (), is_new=False, plan=NO_PLAN._replace(deletions=going)
            )
            with self._journaling.begun(entry, is_journaled=len(going) > JOURNALED) as running:
                with running.under_lease():
                    self._parents.mark_before_removal_of(path)
                failures = self._delete_resource(resource, keys, preconditions, running, checked_at)
        _raise_for_one(resource, failures)
        if failures:
            return Outcome(failures)
        if properties:
            self._property_store.clear_after_removal(path, properties)
        else:
            self._property_store.record_removal(path)
        return Outcome([], -sum(row.size for row in going))

    def copy(
        self,
        request: OperationRequest,
        found: SourceAndTarget,
        preconditions: Preconditions,
        earlier: EarlierAttempts,
        *,
        recursive: bool,
        require_room: RequireRoom,
    ) -> Outcome:
        transfer = self._planned_transfer(
            request, found, preconditions, earlier, recursive=recursive
        ).keeping_source()
        if blocked := self._planner.obstacles(transfer, is_move=False):
            return Outcome(blocked)
        transfer = transfer.keeping_extras() if earlier.keeps_extras else transfer
        plan = transfer.plan
        require_room(plan.added_bytes)
        entry = _entry(request, transfer)
        is_journaled = len(plan.copies) > JOURNALED or bool(plan.clashes)
        with self._journaling.begun(
            _initial_entry(entry, transfer), is_journaled=is_journaled
        ) as running:
            properties = self._property_store.of(transfer.source.path)
            copied = self._make_copies(transfer, properties, running)
            if copied.failures:
                if transfer.source_tree is None or (
                    plan.clashes and not copied.has_deleted_clashes
                ):
                    self._undo(entry, copied, running)  # Else a folder would hide a file.
                _raise_for_one(transfer.source, copied.failures)
                return Outcome(copied.failures)
            failures = self._steps.delete_extras(plan, running)
        return Outcome(failures, plan.added_bytes, is_new=transfer.is_to_new)

    def move(
        self,
        request: OperationRequest,
        found: SourceAndTarget,
        preconditions: Preconditions,
        earlier: EarlierAttempts,
        *,
        was_incomplete: bool,
    ) -> Outcome:
        """``was_incomplete``: there is a record that an earlier MOVE, the same or a related one,
        has left something."""
        transfer = self._planned_transfer(request, found, preconditions, earlier, recursive=True)
        if not transfer.has(earlier.created):
            # The file was at the target, and somebody has taken it away or replaced it there. What
            # is at the source came after that.
            return Outcome([])
        if blocked := self._planner.obstacles(transfer, is_move=True):
            return Outcome(blocked)
        transfer = transfer.keeping_extras() if was_incomplete or earlier.keeps_extras else transfer
        is_of_many = transfer.source_tree is not None and len(transfer.plan.deletions) > 1
        is_journaled = was_incomplete or is_of_many or bool(transfer.plan.clashes)
        entry = _entry(request, transfer)
        with self._journaling.begun(
            _initial_entry(entry, transfer),
            is_journaled=is_journaled,
            was_incomplete=was_incomplete,
        ) as running:
            return self._carry_out_move(entry, transfer, running)

    def _delete_resource(
        self,
        resource: Resource,
        keys: Keys,
        preconditions: Preconditions,
        running: RunningOperation,
        checked_at: float,
    ) -> list[Failure]:
        if preconditions.if_match is None:
            tree = prefix_of(self._view.prefix, resource.path) if resource.is_collection else None
            return self._steps.delete(keys, running, tree=tree, checked_at=checked_at)
        failures = self._steps.removals.delete_version((*keys.proper, *keys.outer_markers), running)
        if failures and isinstance(failures[0].error, NotFoundError):
            # RFC 9110 §13.1.1: If-Match doesn't hold of what isn't there.
            raise PreconditionFailedError(str(failures[0].error)) from failures[0].error
        return failures

    def _planned_transfer(
        self,
        request: OperationRequest,
        found: SourceAndTarget,
        preconditions: Preconditions,
        earlier: EarlierAttempts,
        *,
        recursive: bool,
    ) -> PlannedTransfer:
        transfer = self._planner.between(
            found, request.target, recursive=recursive, verify_target=earlier.is_outdated
        )
        preconditions.require_version(transfer.source)
        if not transfer.is_over(earlier.created):
            there = transfer.target_keys.proper
            preconditions.require_replaceable(there, is_new=transfer.is_to_new)
        preconditions.recheck(is_new=transfer.is_to_new)
        return transfer

    def _carry_out_move(
        self, entry: JournalEntry, transfer: PlannedTransfer, running: RunningOperation
    ) -> Outcome:
        plan, origin = transfer.plan, transfer.source
        properties = self._property_store.current(origin)
        copied = self._make_copies(transfer, properties, running)
        if copied.failures:
            # What a copy has replaced is gone: deleting the copy would leave nothing there.
            if copied.is_unverified and plan.replaced and not plan.clashes:
                _raise_for_one(origin, copied.failures, created=copied.created)
            self._undo(entry, copied, running)
            _raise_for_one(origin, copied.failures)
            return Outcome(copied.failures)
        failures = self._steps.delete_extras(plan, running)
        left = self._steps.delete_source(
            origin.path,
            plan,
            transfer.source_tree,
            running,
            copied.checked_at,
            new_etags=copied.new_etags,
        )
        if self._is_refused(left, plan) and not running.was_incomplete:
            self._undo(entry, copied, running)
            running.is_incomplete = False
            _raise_for_one(origin, left)
            return Outcome(left)
        # A file's copy stays: another bridge may have deleted the source because of it.
        _raise_for_one(origin, left, created=copied.created)
        if left:
            return Outcome(failures + left, plan.added_bytes)
        self._property_store.move_late_changes(origin, transfer.target, properties)
        hidden = transfer.source_keys.same_name_object
        revealed = left_behind(self._view.prefix, Keys((), same_name_object=hidden))
        removed = sum(row.size for row in plan.deletions)
        return Outcome(failures + revealed, plan.added_bytes - removed, is_new=transfer.is_to_new)

    def _is_refused(self, left: list[Failure], plan: Plan) -> bool:
        """Whether the store has refused all deletes of the source, as the credentials lack the
        right, and nothing else is changed but that copies are there."""
        if not left or plan.replaced or plan.extras or plan.clashes:
            return False
        mount = self._view.prefix
        staying = {one.path for one in left if isinstance(one.error, AccessDeniedError)}
        members = {shown_path(mount, row.key) for row in plan.deletions if not goes_last(row.key)}
        return len(staying) == len({one.path for one in left}) and members <= staying

    def _undo(self, entry: JournalEntry, copied: CopyResult, running: RunningOperation) -> None:
        """Raises UnavailableError if the journal can't be marked: then another bridge finishes the
        operation."""
        if not self._steps.undo(entry, copied.created, running):
            raise UnavailableError(f"{entry.request}: its outcome isn't known yet; try again")

    def _make_copies(
        self, transfer: PlannedTransfer, properties: Properties, running: RunningOperation
    ) -> CopyResult:
        """Makes and verifies the copies, and gives them their properties."""
        if transfer.is_to_new:
            with running.under_lease():
                self._property_store.clear(transfer.target)
        copied = self._steps.copy(
            transfer.plan,
            transfer.target,
            transfer.target_tree,
            running,
            is_onto_equals=transfer.plan.is_onto_equals,
        )
        failures = copied.failures or self._steps.set_properties(
            transfer.plan,
            copied.new_etags,
            transfer.target,
            properties,
            running,
            transfer.source.row,
            is_new=transfer.is_to_new,
        )
        if failures:
            return copied._replace(failures=failures)
        return self._steps.delete_clashes(
            transfer.plan, copied, transfer.target, transfer.target_tree, running
        )


def _entry(request: OperationRequest, transfer: PlannedTransfer) -> JournalEntry:
    return JournalEntry(
        request, transfer.source.path, transfer.target, transfer.is_to_new, transfer.plan
    )


def _initial_entry(entry: JournalEntry, transfer: PlannedTransfer) -> JournalEntry:
    """What the journal says first. Where a single file is moved or copied and nothing clashes, the
    journal only keeps other operations away: it says that there is nothing to undo."""
    if transfer.source_tree is not None or transfer.plan.clashes:
        return entry
    return entry._replace(plan=NO_PLAN._replace(target_prefix=transfer.plan.target_prefix), undo=())


def _raise_for_one(
    resource: Resource, failures: list[Failure], *, created: Mapping[str, ObjectRow] = NO_VERSIONS
) -> None:
    """Raises the failure of a single object: it is the failure of the whole request."""
    if not failures or resource.is_collection:
        return
    error = failures[0].error
    if isinstance(error, PreconditionFailedError):
        raise OutdatedError(str(error), created=created) from error
    raise error
