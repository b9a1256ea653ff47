"""Why an attempt at a DELETE, COPY or MOVE has to be made again, and how often that may happen::

    RetryError
    ├── OutdatedError           what the attempt looked up has changed since
    ├── AlreadyBegunError       the same operation has a journal in the bucket
    └── ConflictError           another operation has to end first
        ├── RelatedMoveError    an unfinished MOVE between the same trees
        └── OverlapError        another bridge works on the same trees

`Operations._retry_until_done` catches all of them: no caller of `Operations` sees one. After the
first two, it keeps the path locks. During a conflict it releases them, since the other operation
may need the locks of more paths.
"""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from davbridge.errors import UnavailableError
from davbridge.store.base import NO_VERSIONS, ObjectRow
from davbridge.tree.journal.entry import OperationRequest
from davbridge.tree.journal.related_moves import Other


class RetryError(Exception):
    """An attempt ended without an outcome. It has left nothing half done."""

    def __init__(self, message: str, refusal: str) -> None:
        """``refusal``: the message for the client once the limit is reached."""
        super().__init__(message)
        self.refusal = refusal


class OutdatedError(RetryError):
    """A file, or what is at its target, has changed since the attempt looked it up. The cache has
    dropped it."""

    def __init__(self, message: str, *, created: Mapping[str, ObjectRow]) -> None:
        """``created``: by key, what the attempt has created at the target, and left there."""
        super().__init__(message, "it is being written by others; try again")
        self.created = created


class AlreadyBegunError(RetryError):
    """The same operation has a journal: it is resumed before the next attempt."""

    def __init__(self, request: OperationRequest) -> None:
        super().__init__(f"{request} has a journal", _at_work_elsewhere(request))


class ConflictError(RetryError):
    """Another operation has to end before this one begins."""

    def __init__(self, other: Other) -> None:
        super().__init__(str(other), _at_work_elsewhere(other))
        self.other = other


class RelatedMoveError(ConflictError):
    """The other operation is a MOVE that has moved a part of this operation's trees."""


class OverlapError(ConflictError):
    """The other operation changes what this one reads or changes, or the reverse."""


MAX_ATTEMPTS: Mapping[type[RetryError], int] = {
    OutdatedError: 4,
    AlreadyBegunError: 2,
    RelatedMoveError: 10,
    OverlapError: 20,
}
"""How many attempts may end with each. Each one sets the counts of those above it to zero, because
the next attempt looks everything up again."""


class RetryCounts:
    """How many attempts at one operation have ended with each kind of RetryError."""

    def __init__(self) -> None:
        self._counts: Counter[type[RetryError]] = Counter()

    def add(self, retry: RetryError) -> None:
        """Raises UnavailableError where that was the last attempt."""
        kinds = list(MAX_ATTEMPTS)
        kind = type(retry)
        for above in kinds[: kinds.index(kind)]:
            del self._counts[above]
        self._counts[kind] += 1
        if self._counts[kind] >= MAX_ATTEMPTS[kind]:
            raise UnavailableError(retry.refusal) from retry


class EarlierAttempts(NamedTuple):
    """What the earlier attempts at an operation have found out, and have left behind."""

    created: Mapping[str, ObjectRow] = NO_VERSIONS
    """By key, what they have created at the target. It may be replaced."""
    is_outdated: bool = False
    """Whether a cached listing has turned out to be out of date."""
    is_resumed: bool = False
    """Whether the journal of the same operation was resumed."""
    keeps_extras: bool = False
    """Whether members of the target stay that the source doesn't have. A related MOVE, which has
    ended since, may have moved them there."""


def _at_work_elsewhere(what: OperationRequest | Other) -> str:
    return f"{what}: another bridge is at work on it"
