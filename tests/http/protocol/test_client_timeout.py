"""How long a client is waited for."""

import time
from contextlib import AbstractContextManager

import pytest

from davbridge.errors import UnavailableError
from davbridge.http.protocol.client_timeout import ClientTimeout


def test_a_client_whose_wait_would_be_one_too_many_is_waited_for_no_longer() -> None:
    def refuse() -> AbstractContextManager[object]:
        raise UnavailableError("too many wait")

    tries: list[float | None] = []

    def attempt(seconds: float | None) -> None:
        tries.append(seconds)
        raise TimeoutError

    with pytest.raises(TimeoutError, match="too many others"):
        ClientTimeout(60.0, refuse).wait(attempt)
    assert len(tries) == 1  # within the time that costs nothing


def test_a_client_is_the_slower_the_longer_it_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    timeout = ClientTimeout()
    speeds = [timeout.speed]

    def attempt(_: float | None) -> None:
        nonlocal now
        for _ in range(2):
            now += 10.0
            speeds.append(timeout.speed)

    timeout.wait(attempt)
    assert speeds[0] > speeds[1] > speeds[2] == timeout.speed
    now += 60.0  # in which it isn't waited for
    assert speeds[2] == timeout.speed
    timeout.record_progress(2_000_000)
    assert timeout.speed > speeds[0]
    timeout.begin_request()
    assert timeout.speed == speeds[0]
