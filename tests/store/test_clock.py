"""Clocks."""

import time

import pytest

from davbridge.store.clock import lasting
from davbridge.store.memory import MemoryStore
from davbridge.tree.journals import Journals


def test_a_lease_runs_on_while_the_machine_sleeps() -> None:
    assert Journals(MemoryStore(), "").timer is lasting
    if hasattr(time, "CLOCK_BOOTTIME"):
        assert lasting() == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=1)


def test_it_goes_on() -> None:
    began_at = lasting()
    time.sleep(0.01)
    assert 0.005 < lasting() - began_at < 5
