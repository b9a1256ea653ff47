"""Clocks."""

import time

from davbridge.clock import lasting
from davbridge.store.memory import MemoryStore
from davbridge.tree.journal.journals import Journals
from tests.support.waiting import until


def test_a_lease_runs_on_while_the_machine_sleeps() -> None:
    assert Journals(MemoryStore(), "").timer is lasting
    if hasattr(time, "CLOCK_BOOTTIME"):
        before = time.clock_gettime(time.CLOCK_BOOTTIME)
        assert before <= lasting() <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_the_lasting_clock_goes_on() -> None:
    began_at = lasting()
    until(lambda: lasting() > began_at)
