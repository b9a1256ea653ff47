"""Deadlines: the earliest counts, one that moves is asked for anew, and a store keeps them."""

import contextvars
import math
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from davbridge import deadline
from davbridge.clock import monotonic
from davbridge.errors import DeadlinePassedError, NotFoundError
from davbridge.store.base import Attributes
from davbridge.store.memory import MemoryStore


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_time_is_unlimited_without_a_deadline() -> None:
    assert deadline.remaining() == math.inf
    deadline.require()


def test_the_earliest_of_nested_deadlines_counts() -> None:
    clock = Clock()
    with deadline.before(lambda: 110.0, clock):
        assert deadline.remaining() == 10
        with deadline.before(lambda: 130.0, clock):
            assert deadline.remaining() == 10
        with deadline.before(lambda: 103.0, clock):
            assert deadline.remaining() == 3
        with deadline.unlimited():
            assert deadline.remaining() == math.inf
        assert deadline.remaining() == 10
    assert deadline.remaining() == math.inf


def test_a_deadline_that_moves_is_asked_for_anew() -> None:
    clock, end = Clock(), [101.0]
    with deadline.before(lambda: end[0], clock):
        clock.now = 101.0
        with pytest.raises(DeadlinePassedError):
            deadline.require()
        end[0] = 102.0
        deadline.require()


def test_a_deadline_is_on_the_clock_that_runs_while_the_machine_sleeps() -> None:
    began_at = monotonic()
    with deadline.before(lambda: began_at + 60):
        left = deadline.remaining()
    assert began_at + 60 - monotonic() <= left <= 60


def test_a_thread_has_a_deadline_only_in_its_starters_context() -> None:
    with ThreadPoolExecutor(1) as pool, deadline.before(lambda: 1.0, lambda: 0.0):
        assert pool.submit(deadline.remaining).result() == math.inf
        context = contextvars.copy_context()
        assert pool.submit(context.run, deadline.remaining).result() == 1


def test_a_call_that_is_held_past_its_deadline_does_nothing() -> None:
    clock, store = Clock(), MemoryStore()
    store.put_object("old", b"", Attributes())
    at_work, go_on = threading.Event(), threading.Event()

    def late() -> None:
        with deadline.before(lambda: 101.0, clock):
            at_work.set()
            assert go_on.wait(60)
            for call in (
                lambda: store.put_object("new", b"", Attributes()),
                lambda: store.delete_object("old"),
                lambda: store.head_object("old"),
                lambda: store.lookup("old"),
                lambda: next(store.list_objects("")),
            ):
                with pytest.raises(DeadlinePassedError):
                    call()
            (failure,) = store.delete_objects(["old"])
            assert isinstance(failure.error, DeadlinePassedError)

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(late)
        assert at_work.wait(60)
        clock.now = 102.0
        go_on.set()
        done.result()
    assert store.lookup("old").row is not None
    with pytest.raises(NotFoundError):
        store.head_object("new")
