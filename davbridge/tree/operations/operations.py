"""DELETE, COPY and MOVE of resources: who waits for whom, and what is looked for first.

Owns what comes around an attempt: the turns, other bridges' operations that have to end first,
earlier journals of the same operation, and trying again where files are written meanwhile. Must not
know how an operation is carried out.

Invariant: operations on the same trees take turns, and look things up when theirs has come.
"""

import logging
import random
from collections.abc import Callable

from davbridge.errors import NotFoundError, UnavailableError
from davbridge.paths import ResourcePath
from davbridge.store.base import ObjectStore
from davbridge.tree.journal.entry import OperationRequest
from davbridge.tree.journal.journals import Journals
from davbridge.tree.journal.related_moves import (
    Found,
    JournaledOperations,
    Other,
    Overlaps,
    RelatedMoves,
)
from davbridge.tree.journal.resumption import Earlier, Resumption
from davbridge.tree.listing.markers import DirectoryChecks
from davbridge.tree.listing.view import View
from davbridge.tree.operations.attempts import (
    AlreadyBegunError,
    Attempts,
    OverlapError,
    RequireRoom,
)
from davbridge.tree.operations.parallel_requests import ParallelRequests
from davbridge.tree.operations.planner import Planner
from davbridge.tree.operations.preconditions import NO_PRECONDITIONS, Preconditions, insisting
from davbridge.tree.operations.progress import RunningOperations
from davbridge.tree.operations.steps import Steps
from davbridge.tree.path_locks import PathLocks
from davbridge.tree.properties.property_store import PropertyStore
from davbridge.tree.resource import Outcome
from davbridge.tree.writes.parents import Parents

_MAX_RELATED = 10
"""How many that are unfinished one operation goes on with."""

_OVERLAPS = 20
"""How often one begins anew where another bridge is at work on the same trees."""

_BACKOFF_SECONDS = 2.0
"""The longest random pause before that: two that met must not go on meeting."""


_log = logging.getLogger(__name__)


class _RelatedMoveUnfinishedError(Exception):
    """There is one of another that has to end first."""

    def __init__(self, request: OperationRequest) -> None:
        super().__init__(str(request))
        self.request = request


class Operations:
    """Operations on trees below one prefix of a store."""

    def __init__(
        self,
        store: ObjectStore,
        view: View,
        directory_checks: DirectoryChecks,
        parents: Parents,
        property_store: PropertyStore,
        parallel_requests: ParallelRequests,
        journals: Journals,
    ) -> None:
        self.running_operations = RunningOperations()
        self._view = view
        self._path_locks = PathLocks()
        self._pause = journals.pause
        others = JournaledOperations(journals)
        self._related_moves = RelatedMoves(others)
        planner = Planner(store, view, directory_checks, parents, parallel_requests)
        steps = Steps(
            store,
            view.prefix,
            parents,
            property_store,
            parallel_requests,
            self._path_locks,
            journals.timer,
            journals.pause,
        )
        self._attempts = Attempts(
            view,
            parents,
            property_store,
            planner,
            steps,
            journals,
            Overlaps(others),
            self.running_operations,
        )
        self._resumption = Resumption(
            store, view.prefix, property_store, steps, journals, self.running_operations
        )

    def delete(
        self, request: OperationRequest, preconditions: Preconditions = NO_PRECONDITIONS
    ) -> Outcome:
        def delete(preconditions: Preconditions) -> Outcome:
            return self._attempts.delete(request, preconditions)

        def delete_the_rest() -> Outcome:
            try:
                return insisting(preconditions, delete)
            except NotFoundError:
                return Outcome([])

        def delete_in_turn() -> Outcome:
            with self._path_locks.hold(changed=self._paths(request)):
                try:
                    return insisting(preconditions, delete)
                except AlreadyBegunError:
                    self._resumption.resume(request)
                return self._begun_alone(request, delete_the_rest)

        return self._after_overlaps(request, delete_in_turn)

    def copy(
        self,
        request: OperationRequest,
        preconditions: Preconditions = NO_PRECONDITIONS,
        *,
        recursive: bool,
        require_room: RequireRoom,
    ) -> Outcome:
        def copy(preconditions: Preconditions) -> Outcome:
            if self._look_for_related(request).has_note:
                preconditions = preconditions._replace(spares=True)
            return self._attempts.copy(
                request, preconditions, recursive=recursive, require_room=require_room
            )

        def copy_in_turn(preconditions: Preconditions) -> Outcome:
            target, source = self._view.resolve(request.target), self._view.resolve(request.source)
            with self._path_locks.hold(changed=[target], read=[source]):
                return self._or_resume(request, lambda: insisting(preconditions, copy))

        return self._after_overlaps(
            request, lambda: self._after_related(preconditions, copy_in_turn)
        )

    def move(
        self, request: OperationRequest, preconditions: Preconditions = NO_PRECONDITIONS
    ) -> Outcome:
        def move(preconditions: Preconditions) -> Outcome:
            earlier = self._look_for_earlier(request)
            if earlier.outcome:
                return earlier.outcome
            return self._attempts.move(request, preconditions, has_note=earlier.has_note)

        def move_in_turn(preconditions: Preconditions) -> Outcome:
            with self._path_locks.hold(changed=self._paths(request)):
                return self._or_resume(request, lambda: insisting(preconditions, move))

        return self._after_overlaps(
            request, lambda: self._after_related(preconditions, move_in_turn)
        )

    def resume(
        self, request: OperationRequest, recheck: Callable[[], object] = lambda: None
    ) -> Outcome | None:
        """Finishes what a dead bridge has begun of the same, or waits for one that is at work on
        it; None where there is nothing of it. ``recheck`` is called under the locks."""
        with self._path_locks.hold(changed=self._paths(request)):
            recheck()
            return self._resumption.resume(request)

    @property
    def path_locks(self) -> PathLocks:
        """For whatever else writes to the same resources."""
        return self._path_locks

    def _paths(self, request: OperationRequest) -> list[ResourcePath]:
        paths = (request.source, request.target) if request.target else (request.source,)
        return [self._view.resolve(path) for path in paths]

    def _or_resume(self, request: OperationRequest, work: Callable[[], Outcome]) -> Outcome:
        try:
            return work()
        except AlreadyBegunError:
            earlier = self._resumption.resume(request)
        return earlier or self._begun_alone(request, work)

    def _begun_alone(self, request: OperationRequest, work: Callable[[], Outcome]) -> Outcome:
        """Raises UnavailableError where there is a journal of it once more."""
        try:
            return work()
        except AlreadyBegunError as error:
            raise _at_work_elsewhere(request) from error

    def _after_related(
        self, preconditions: Preconditions, work: Callable[[Preconditions], Outcome]
    ) -> Outcome:
        """Related moves lock their own paths, which may be more than this one's. What they have
        moved was there in part only when this was asked for: it stays."""
        for _ in range(_MAX_RELATED):
            try:
                return work(preconditions)
            except _RelatedMoveUnfinishedError as related:
                unfinished = related.request
            self.resume(unfinished)
            preconditions = preconditions._replace(spares=True)
        raise _at_work_elsewhere(unfinished)

    def _after_overlaps(self, request: OperationRequest, work: Callable[[], Outcome]) -> Outcome:
        """Waits for other bridges that are at work on the same trees, or finishes what one of them
        has left. The turns are given back meanwhile: the other operation may be for more trees."""
        for _ in range(_OVERLAPS):
            try:
                return work()
            except OverlapError as overlap:
                other = overlap.other
            if other.request:
                self.resume(other.request)
            else:
                _log.warning("%s: %s is waited for", request, other)
                self._resumption.outwait(other.name)
            self._pause(random.uniform(0, _BACKOFF_SECONDS))
        raise _at_work_elsewhere(other)

    def _look_for_earlier(self, request: OperationRequest) -> Earlier:
        """Where a tree is moved over another, which may be what has been moved of it already.

        Before anything is listed: else what a bridge at work takes away meanwhile would seem never
        to have been there.
        """
        related = self._look_for_related(request)
        earlier = self._resumption.look(request) if related.is_known else Earlier()
        return earlier._replace(has_note=earlier.has_note or related.has_note)

    def _look_for_related(self, request: OperationRequest) -> Found:
        """Where a tree is to replace something, or to be replaced. Raises
        _RelatedMoveUnfinishedError, and OverlapError."""
        origin, there = self._view.lookup(request.source), self._view.find(request.target)
        if there is None or not (origin.is_collection or there.is_collection):
            return Found()
        found = self._related_moves.of(request)
        if found.unfinished:
            raise _RelatedMoveUnfinishedError(found.unfinished)
        if found.overlapping:
            raise OverlapError(found.overlapping)
        return found


def _at_work_elsewhere(request: OperationRequest | Other) -> UnavailableError:
    return UnavailableError(f"{request}: another bridge is at work on it")
