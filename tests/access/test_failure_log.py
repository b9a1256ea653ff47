"""The log of failed logins."""

import re

import pytest

from davbridge.access.failure_log import MAX_NAME, SAMPLE_SECONDS, FailureLog
from davbridge.access.logins import Logins
from davbridge.access.throttle import PAIR, ThrottledError
from davbridge.config import User
from tests.support.timer import Timer

ANNA = User("anna", "$2b$04$" + "a" * 53)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [f"{record.levelname} {record.getMessage()}" for record in caplog.records]


def test_a_failed_login_is_one_line_with_address_and_user_and_without_the_password(
    caplog: pytest.LogCaptureFixture,
) -> None:
    logins = Logins([ANNA])
    logins.identify("anna", "s3cr3t", "2001:db8::1")
    logins.identify("nobody", "s3cr3t", "192.0.2.1")
    assert lines(caplog) == [
        "WARNING failed login from 2001:db8::1 for user 'anna'",
        "WARNING failed login from 192.0.2.1 for user 'nobody'",
    ]
    assert "s3cr3t" not in caplog.text


def test_refused_and_repeated_logins_are_sampled(caplog: pytest.LogCaptureFixture) -> None:
    timer = Timer()
    logins = Logins([ANNA], verify=lambda *_: False, timer=timer)

    def guess(number: int) -> None:
        try:
            logins.identify("anna", f"{number}", "192.0.2.1")
        except ThrottledError:
            return

    for number in range(PAIR.free):
        guess(number)
    for number in range(1000):
        guess(number)
    assert len(lines(caplog)) == PAIR.free + 1
    timer.advance(SAMPLE_SECONDS - 1)
    logins.identify("anna", "0", "192.0.2.1")
    timer.advance(1)
    caplog.clear()
    for _ in range(2):
        logins.identify("anna", f"{PAIR.free}", "192.0.2.1")
    assert lines(caplog) == [
        "WARNING failed login from 192.0.2.1 for user 'anna'",
        "WARNING refused login from 192.0.2.1 for user 'anna' (and 1000 before, not logged)",
    ]


@pytest.mark.parametrize(
    "name", ["x\nfailed login from 192.0.2.9 for user 'x'", "' from 192.0.2.9", "\x1b[2J", "ü" * 9]
)
def test_no_name_looks_like_another_line_or_address(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    FailureLog(Timer()).failed("192.0.2.1", name)
    (line,) = lines(caplog)
    assert line.isprintable()
    match = re.match(r"WARNING failed login from (\S+) for user ", line)
    assert match is not None
    assert match[1] == "192.0.2.1"


def test_a_long_name_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    FailureLog(Timer()).failed("192.0.2.1", "x" * 5000)
    assert len(lines(caplog)[0]) < MAX_NAME + 60
