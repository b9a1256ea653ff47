"""Which failed requests are sent again, and when: botocore's ``standard`` mode.

A quota limits the requests to a store that is down.

Invariants: a request is sent at most ``attempts`` times; no wait is longer than LONGEST_DELAY, or
longer by more than LONGEST_EXTENSION than the store asked for.
"""

import random
from dataclasses import dataclass, field

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError
from botocore.retries.quota import RetryQuota

from davbridge.store.s3.messages.errors import code_of, header_of, status_of

LONGEST_DELAY = 20.0
"""Seconds."""

LONGEST_EXTENSION = 5.0

MOST_DIGITS = 9
"""The longest wait that a store may ask for: a longer one would be reduced to LONGEST_EXTENSION
anyway."""

_THROTTLING = frozenset(
    {
        "BandwidthLimitExceeded",
        "LimitExceededException",
        "PriorRequestNotComplete",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "Throttling",
        "ThrottledException",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_TRANSIENT = frozenset({"RequestTimeout", "RequestTimeoutException"})
_TRANSIENT_STATUSES = frozenset({500, 502, 503, 504})

_SCALE = 0.05
_THROTTLING_SCALE = 1.0
"""Seconds before the first retry, at the most; doubled for each later one."""

_COST = 14
_THROTTLING_COST = 5
"""What a retry takes from the quota. The rest of the quota shows how well the store works."""


@dataclass
class Retries:
    """The rules, and what is left of the quota. Shared by all requests to a store."""

    attempts: int
    quota: RetryQuota = field(default_factory=RetryQuota)

    def delay(self, error: Exception, attempt: int) -> tuple[float, int] | None:
        """Seconds to wait, and what the retry takes from the quota; None if there is no retry.

        ``attempt`` is the number, from 1, of the one that ended in ``error``.
        """
        if attempt >= self.attempts or not is_transient(error):
            return None
        throttled = is_throttling(error)
        cost = _THROTTLING_COST if throttled else _COST
        if not self.quota.acquire(cost):
            return None
        scale = _THROTTLING_SCALE if throttled else _SCALE
        delay = random.random() * min(scale * 2 ** (attempt - 1), LONGEST_DELAY)
        return max(delay, min(_asked_for(error), delay + LONGEST_EXTENSION)), cost

    def succeeded(self, cost: int) -> None:
        """Returns to the quota what the retries of a successful request have taken."""
        self.quota.release(cost or 1)


def is_transient(error: Exception) -> bool:
    """Whether the same request may succeed when it is sent again."""
    if isinstance(error, ClientError):
        return (
            status_of(error) in _TRANSIENT_STATUSES
            or code_of(error) in _TRANSIENT
            or is_throttling(error)
        )
    return isinstance(error, NoConnectionError | HTTPClientError)


def is_throttling(error: Exception) -> bool:
    """Whether the store asks for fewer requests."""
    return isinstance(error, ClientError) and (
        code_of(error) in _THROTTLING or status_of(error) == 429
    )


def _asked_for(error: Exception) -> float:
    """Seconds that the store asked to wait."""
    asked = header_of(error, "x-amz-retry-after") if isinstance(error, ClientError) else ""
    return int(asked[:MOST_DIGITS]) / 1000 if asked.isdecimal() else 0.0
