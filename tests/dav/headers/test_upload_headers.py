"""What clients tell of a file: times in every form, and what is no time."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from davbridge.dav.headers.upload_headers import parse_time_property

MOMENT = datetime(1994, 11, 6, 8, 49, 37, tzinfo=UTC)


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with a local time of its own, where that can be set."""
    if not hasattr(time, "tzset"):
        pytest.skip("no tzset here")
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 10:49:37 +0200",
        "Sun, 06 Nov 1994 08:49:37 -0000",
        "Sun Nov  6 08:49:37 1994",
        "784111777",
    ],
)
@pytest.mark.usefixtures("new_york")
def test_a_time_is_in_utc_wherever_davbridge_runs(text: str) -> None:
    assert parse_time_property(text) == MOMENT


@pytest.mark.parametrize("text", [None, "", "soon", "Fri, 31 Dec 9999 23:00:00 -2300", "1e300"])
def test_text_that_is_no_time_is_ignored(text: str | None) -> None:
    assert parse_time_property(text) is None
