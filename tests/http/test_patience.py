"""How long a client is waited for."""

from contextlib import AbstractContextManager

import pytest

from davbridge.errors import UnavailableError
from davbridge.http.patience import Patience


def test_a_client_whose_wait_would_be_one_too_many_is_waited_for_no_longer() -> None:
    def refuse() -> AbstractContextManager[object]:
        raise UnavailableError("too many wait")

    tries: list[float | None] = []

    def attempt(seconds: float | None) -> None:
        tries.append(seconds)
        raise TimeoutError

    with pytest.raises(TimeoutError, match="too many others"):
        Patience(60.0, refuse).wait(attempt)
    assert len(tries) == 1  # within the time that costs nothing
