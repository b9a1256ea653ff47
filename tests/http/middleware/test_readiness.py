"""Readiness is told at once, whatever the store does."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from davbridge.http.middleware.readiness import (
    CHECK_INTERVAL_SECONDS,
    CHECK_TIMEOUT_SECONDS,
    Readiness,
)
from tests.support.timer import Timer


def wait_until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class StoreChecks:
    """A store that is checked: how often, and what is found, once it may be."""

    def __init__(self) -> None:
        self.timer = Timer()
        self.count = 0
        self.found = ""
        self.fails = False
        self.may_end = threading.Event()
        self.may_end.set()
        self.readiness = Readiness(lambda *_: [], self.check, timer=self.timer)

    def check(self) -> str:
        self.count += 1
        self.may_end.wait(60)
        if self.fails:
            raise ConnectionError
        return self.found

    def ended(self, is_ready: bool) -> None:
        """Asks, and waits until that is the answer."""
        self.timer.advance(CHECK_INTERVAL_SECONDS)
        wait_until(lambda: self.readiness.is_ready() == is_ready)


@pytest.fixture
def checks() -> Iterator[StoreChecks]:
    checks = StoreChecks()
    yield checks
    checks.may_end.set()


def test_readiness_follows_what_the_check_found(checks: StoreChecks) -> None:
    assert checks.readiness.is_ready()
    checks.found = "no bucket"
    checks.ended(is_ready=False)
    checks.found = ""
    checks.ended(is_ready=True)


def test_readiness_asked_for_often_costs_one_check_an_interval(checks: StoreChecks) -> None:
    for _ in range(100):
        checks.readiness.is_ready()
    wait_until(lambda: checks.count == 1)
    checks.timer.advance(CHECK_INTERVAL_SECONDS - 0.1)
    assert checks.readiness.is_ready()
    assert checks.count == 1


def test_a_check_that_does_not_end_is_an_answer_and_holds_nobody_up(checks: StoreChecks) -> None:
    checks.may_end.clear()
    assert checks.readiness.is_ready()
    checks.timer.advance(CHECK_TIMEOUT_SECONDS)
    assert not checks.readiness.is_ready()
    assert checks.count <= 1
    checks.may_end.set()
    wait_until(checks.readiness.is_ready)


def test_a_check_that_fails_is_not_ready(
    checks: StoreChecks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    checks.fails = True
    checks.ended(is_ready=False)
    checks.fails = False
    checks.ended(is_ready=True)


def test_a_check_that_cannot_begin_changes_nothing(
    checks: StoreChecks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        assert checks.readiness.is_ready()
    checks.timer.advance(CHECK_TIMEOUT_SECONDS)
    assert checks.readiness.is_ready()
    wait_until(lambda: checks.count == 1)
