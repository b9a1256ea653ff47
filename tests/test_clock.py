"""Clocks."""

import time

from davbridge.clock import monotonic
from davbridge.store.memory import MemoryStore
from davbridge.tree.journal.journals import Journals
from tests.support.waiting import until


def test_a_lease_runs_on_while_the_machine_sleeps() -> None:
    assert Journals(MemoryStore(), "").timer is monotonic
    if hasattr(time, "CLOCK_BOOTTIME"):
        before = time.clock_gettime(time.CLOCK_BOOTTIME)
        assert before <= monotonic() <= time.clock_gettime(time.CLOCK_BOOTTIME)


def test_the_monotonic_clock_advances() -> None:
    began_at = monotonic()
    until(lambda: monotonic() > began_at)
