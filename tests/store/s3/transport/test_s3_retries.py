"""Which failures are worth another try."""

import pytest
from botocore.exceptions import (
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)

from davbridge.store.s3.messages.xml import client_error
from davbridge.store.s3.transport.retries import LONGEST_DELAY, LONGEST_EXTENSION, Retries

URL = "http://127.0.0.1:9000"


def refusal(status: int, code: str = "", **headers: str) -> Exception:
    body = f"<Error><Code>{code}</Code></Error>".encode() if code else b""
    return client_error("GetObject", status, headers, body, 0)


@pytest.mark.parametrize(
    "error",
    [
        refusal(500),
        refusal(502),
        refusal(503, "SlowDown"),
        refusal(504),
        refusal(429),
        refusal(400, "RequestTimeout"),
        refusal(403, "RequestLimitExceeded"),
        ReadTimeoutError(endpoint_url=URL, error=TimeoutError()),
        ConnectTimeoutError(endpoint_url=URL),
        ConnectionClosedError(endpoint_url=URL),
        EndpointConnectionError(endpoint_url=URL),
    ],
    ids=str,
)
def test_a_passing_failure_is_tried_again(error: Exception) -> None:
    assert Retries(3).delay(error, 1) is not None
    assert Retries(3).delay(error, 2) is not None
    assert Retries(3).delay(error, 3) is None
    assert Retries(1).delay(error, 1) is None


@pytest.mark.parametrize(
    "error",
    [refusal(403, "AccessDenied"), refusal(404), refusal(412), refusal(501), NoCredentialsError()],
    ids=str,
)
def test_a_lasting_refusal_is_not_tried_again(error: Exception) -> None:
    assert Retries(3).delay(error, 1) is None


def delays(error: Exception, attempt: int) -> list[float]:
    found = [Retries(100).delay(error, attempt) for _ in range(200)]
    return [one[0] for one in found if one]


def test_waits_are_drawn_from_a_range_that_doubles_up_to_a_limit() -> None:
    assert max(delays(refusal(500), 1)) <= 0.05
    assert 0.05 < max(delays(refusal(500), 3)) <= 0.2
    assert 0.5 < max(delays(refusal(503, "SlowDown"), 1)) <= 1.0
    assert 10 < max(delays(refusal(503, "SlowDown"), 50)) <= LONGEST_DELAY


def test_a_store_that_asks_for_a_pause_gets_it_within_limits() -> None:
    assert min(delays(refusal(500, **{"x-amz-retry-after": "2000"}), 1)) == 2.0
    for ages in ("9999999", "9" * 5000):
        longest = delays(refusal(500, **{"x-amz-retry-after": ages}), 1)
        assert max(longest) <= 0.05 + LONGEST_EXTENSION
    assert max(delays(refusal(500, **{"x-amz-retry-after": "soon"}), 1)) <= 0.05


def test_a_store_that_is_down_is_asked_less_and_less() -> None:
    retries = Retries(3)
    tried = [retries.delay(refusal(500), 1) for _ in range(100)]
    spent = [one for one in tried if one]
    assert len(spent) == 500 // 14
    assert tried[-1] is None
    for _, cost in spent[:2]:
        retries.succeeded(cost)
    assert retries.delay(refusal(500), 1)
