"""Readiness is told at once, whatever the store does."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from davbridge.http.readiness import LOOK_SECONDS, SILENT_SECONDS, Readiness
from tests.support.timer import Timer


def wait_until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Looks:
    """A store that is looked at: how often, and what is found, once it may be."""

    def __init__(self) -> None:
        self.timer = Timer()
        self.count = 0
        self.found = ""
        self.fails = False
        self.may_end = threading.Event()
        self.may_end.set()
        self.readiness = Readiness(lambda *_: [], self.look, timer=self.timer)

    def look(self) -> str:
        self.count += 1
        self.may_end.wait(10)
        if self.fails:
            raise ConnectionError
        return self.found

    def ended(self, is_ready: bool) -> None:
        """Asks, and waits until that is the answer."""
        self.timer.advance(LOOK_SECONDS)
        wait_until(lambda: self.readiness.is_ready() == is_ready)


@pytest.fixture
def looks() -> Iterator[Looks]:
    looks = Looks()
    yield looks
    looks.may_end.set()


def test_what_was_found_is_told(looks: Looks) -> None:
    assert looks.readiness.is_ready()
    looks.found = "no bucket"
    looks.ended(is_ready=False)
    looks.found = ""
    looks.ended(is_ready=True)


def test_who_asks_often_costs_no_more(looks: Looks) -> None:
    for _ in range(100):
        looks.readiness.is_ready()
    wait_until(lambda: looks.count == 1)
    looks.timer.advance(LOOK_SECONDS - 0.1)
    assert looks.readiness.is_ready()
    assert looks.count == 1


def test_a_look_that_does_not_end_is_an_answer_and_holds_nobody_up(looks: Looks) -> None:
    looks.may_end.clear()
    assert looks.readiness.is_ready()
    looks.timer.advance(SILENT_SECONDS)
    assert not looks.readiness.is_ready()
    assert looks.count <= 1
    looks.may_end.set()
    wait_until(looks.readiness.is_ready)


def test_a_look_that_fails_is_no_good_news(looks: Looks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    looks.fails = True
    looks.ended(is_ready=False)
    looks.fails = False
    looks.ended(is_ready=True)


def test_a_look_that_cannot_begin_is_no_news(looks: Looks, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        assert looks.readiness.is_ready()
    looks.timer.advance(SILENT_SECONDS)
    assert looks.readiness.is_ready()
    wait_until(lambda: looks.count == 1)
