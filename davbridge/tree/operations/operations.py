"""DELETE, COPY and MOVE of resources: locks the paths, and makes attempts until one has an outcome.

`Operations._retry_until_done` is the one loop for all of them. `retries` defines why an attempt is
made again, and how often; `attempts` makes one.

Invariant: an attempt looks everything up while it holds the path locks.
"""

import logging
import random
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial

from davbridge.errors import NotFoundError, PreconditionFailedError
from davbridge.store.base import ObjectStore
from davbridge.tree.journal.entry import OperationRequest
from davbridge.tree.journal.journals import Journals
from davbridge.tree.journal.related_moves import (
    JournaledOperations,
    Overlaps,
    RelatedJournals,
    RelatedMoves,
)
from davbridge.tree.listing.markers import DirectoryChecks
from davbridge.tree.listing.view import View
from davbridge.tree.operations.attempts import Attempts, RequireRoom
from davbridge.tree.operations.journaling import Journaling
from davbridge.tree.operations.planner import Planner, SourceAndTarget
from davbridge.tree.operations.preconditions import NO_PRECONDITIONS, Preconditions
from davbridge.tree.operations.retries import (
    AlreadyBegunError,
    ConflictError,
    EarlierAttempts,
    OutdatedError,
    OverlapError,
    RelatedMoveError,
    RetryCounts,
    RetryError,
)
from davbridge.tree.operations.takeover import Takeover
from davbridge.tree.own_versions import OwnVersions
from davbridge.tree.path_locks import PathLocks
from davbridge.tree.properties.property_store import PropertyStore
from davbridge.tree.resource import Outcome
from davbridge.tree.steps.operation_steps import OperationSteps
from davbridge.tree.steps.parallel_requests import ParallelRequests
from davbridge.tree.steps.progress import RunningOperations
from davbridge.tree.writes.parents import Parents

_BACKOFF_SECONDS = 2.0
"""The longest random pause after an overlap."""

_log = logging.getLogger(__name__)


class Operations:
    """Operations below one prefix of a store."""

    def __init__(
        self,
        store: ObjectStore,
        view: View,
        directory_checks: DirectoryChecks,
        parents: Parents,
        property_store: PropertyStore,
        parallel_requests: ParallelRequests,
        journals: Journals,
        own_versions: OwnVersions,
    ) -> None:
        self.running_operations = RunningOperations()
        self._path_locks = PathLocks()
        self._pause = journals.pause
        others = JournaledOperations(journals)
        self._related_moves = RelatedMoves(others)
        self._planner = Planner(store, view, directory_checks, parents, parallel_requests)
        steps = OperationSteps(
            store,
            view.prefix,
            parents,
            property_store,
            parallel_requests,
            self._path_locks,
            own_versions,
            journals.timer,
            journals.pause,
        )
        self._attempts = Attempts(
            view,
            parents,
            property_store,
            self._planner,
            steps,
            Journaling(journals, Overlaps(others), self.running_operations),
        )
        self._takeover = Takeover(
            store, view.prefix, property_store, steps, journals, self.running_operations
        )

    def delete(
        self, request: OperationRequest, preconditions: Preconditions = NO_PRECONDITIONS
    ) -> Outcome:
        def attempt(earlier: EarlierAttempts) -> Outcome:
            try:
                return self._attempts.delete(request, preconditions)
            except NotFoundError:
                if earlier.is_resumed:
                    return Outcome([])
                raise

        return self._retry_until_done(request, preconditions, attempt)

    def copy(
        self,
        request: OperationRequest,
        preconditions: Preconditions = NO_PRECONDITIONS,
        *,
        recursive: bool,
        require_room: RequireRoom,
    ) -> Outcome:
        def attempt(earlier: EarlierAttempts) -> Outcome:
            found = self._planner.look_up(request)
            if self._find_related(request, found).was_incomplete:
                earlier = earlier._replace(keeps_extras=True)
            return self._attempts.copy(
                request,
                found,
                preconditions,
                earlier,
                recursive=recursive,
                require_room=require_room,
            )

        return self._retry_until_done(request, preconditions, attempt)

    def move(
        self, request: OperationRequest, preconditions: Preconditions = NO_PRECONDITIONS
    ) -> Outcome:
        return self._retry_until_done(
            request, preconditions, partial(self._attempt_move, request, preconditions)
        )

    def resume(
        self, request: OperationRequest, recheck: Callable[[], object] = lambda: None
    ) -> Outcome | None:
        """Finishes the same operation if a dead bridge has begun it, or waits for a bridge that
        works on it. None if nothing of it is left to resume. Calls ``recheck`` under the path
        locks."""
        with self._path_locks.hold(changed=request.paths):
            recheck()
            return self._takeover.resume(request)

    @property
    def path_locks(self) -> PathLocks:
        """Writes to the same resources use them, too."""
        return self._path_locks

    def _retry_until_done(
        self,
        request: OperationRequest,
        preconditions: Preconditions,
        attempt: Callable[[EarlierAttempts], Outcome],
    ) -> Outcome:
        """Makes attempts until one has an outcome. Raises what an attempt raises, unless that is a
        RetryError; UnavailableError once too many have ended with one (see `MAX_ATTEMPTS`)."""
        counts, earlier = RetryCounts(), EarlierAttempts()
        with ExitStack() as locks:
            locks.enter_context(self._locked(request))
            while True:
                try:
                    return attempt(earlier)
                except RetryError as error:
                    counts.add(error)
                    retry = error.with_traceback(None)  # Frees the plan before the wait.
                match retry:
                    case OutdatedError():
                        if preconditions.if_match is not None:
                            raise PreconditionFailedError(str(retry)) from retry
                        created = {**earlier.created, **retry.created}
                        earlier = earlier._replace(created=created, is_outdated=True)
                    case AlreadyBegunError():
                        outcome = self._takeover.resume(request)
                        if outcome and request.verb != "DELETE":
                            return outcome
                        earlier = earlier._replace(is_resumed=True)
                    case RelatedMoveError() | OverlapError():
                        locks.close()
                        self._wait_for(retry, request)
                        locks.enter_context(self._locked(request))
                        keeps_extras = earlier.keeps_extras or isinstance(retry, RelatedMoveError)
                        earlier = earlier._replace(keeps_extras=keeps_extras)

    def _locked(self, request: OperationRequest) -> AbstractContextManager[None]:
        return self._path_locks.hold(changed=request.changed, read=request.paths)

    def _wait_for(self, conflict: ConflictError, request: OperationRequest) -> None:
        """Finishes the other operation, or waits for the bridge that works on it. After an overlap,
        pauses for a random time, so that the two don't overlap again."""
        other = conflict.other
        if other.request:
            self.resume(other.request)
        else:
            _log.warning("%s: %s is waited for", request, other)
            self._takeover.wait_for_end(other.name)
        if isinstance(conflict, OverlapError):
            self._pause(random.uniform(0, _BACKOFF_SECONDS))

    def _attempt_move(
        self, request: OperationRequest, preconditions: Preconditions, earlier: EarlierAttempts
    ) -> Outcome:
        """Looks for the same MOVE first, if a tree is moved over another one: the target may be
        what was moved already.

        It does so before anything is listed. Otherwise what another bridge moves away meanwhile
        would seem never to have been there.
        """
        found = self._planner.look_up(request)
        related = self._find_related(request, found)
        was_incomplete = related.was_incomplete
        if related.has_same:
            same = self._takeover.find_earlier(request)
            if same.outcome:
                return same.outcome
            was_incomplete |= same.was_incomplete
            found = self._planner.look_up(request)  # What was resumed or awaited has changed it.
        return self._attempts.move(
            request, found, preconditions, earlier, was_incomplete=was_incomplete
        )

    def _find_related(self, request: OperationRequest, found: SourceAndTarget) -> RelatedJournals:
        """Looks for related MOVEs, if a tree replaces something, or is replaced. Raises
        RelatedMoveError and OverlapError."""
        source, target = found
        if target is None or not (source.is_collection or target.is_collection):
            return RelatedJournals()
        related = self._related_moves.of(request)
        if related.unfinished:
            raise RelatedMoveError(related.unfinished)
        if related.overlapping:
            raise OverlapError(related.overlapping)
        return related
