"""How often an attempt at an operation is made again."""

import pytest

from davbridge.errors import UnavailableError
from davbridge.tree.journal.entry import OperationRequest
from davbridge.tree.journal.related_moves import Other
from davbridge.tree.operations.retries import (
    MAX_ATTEMPTS,
    AlreadyBegunError,
    OutdatedError,
    OverlapError,
    RelatedMoveError,
    RetryCounts,
    RetryError,
)

REQUEST = OperationRequest("MOVE", ("a",), ("b",))
OTHER = Other(REQUEST.name, REQUEST)
RETRIES: list[RetryError] = [
    OutdatedError("another version", created={}),
    AlreadyBegunError(REQUEST),
    RelatedMoveError(OTHER),
    OverlapError(OTHER),
]


def test_every_reason_to_retry_has_a_limit() -> None:
    assert [type(retry) for retry in RETRIES] == list(MAX_ATTEMPTS)


@pytest.mark.parametrize("retry", RETRIES, ids=lambda retry: type(retry).__name__)
def test_the_last_attempt_is_refused_with_a_reason(retry: RetryError) -> None:
    counts = RetryCounts()
    for _ in range(MAX_ATTEMPTS[type(retry)] - 1):
        counts.add(retry)
    with pytest.raises(UnavailableError, match=r"try again|another bridge is at work"):
        counts.add(retry)


def test_a_wait_for_another_operation_starts_the_counts_of_lesser_reasons_again() -> None:
    counts = RetryCounts()
    outdated, overlap = RETRIES[0], RETRIES[-1]
    for _ in range(MAX_ATTEMPTS[OverlapError] - 1):
        for _ in range(MAX_ATTEMPTS[OutdatedError] - 1):
            counts.add(outdated)
        counts.add(overlap)
    with pytest.raises(UnavailableError):
        counts.add(overlap)
