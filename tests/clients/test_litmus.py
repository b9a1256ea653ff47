"""litmus, the protocol's compliance suite."""

import re
from pathlib import Path

from tests.support.drive import Home
from tests.support.programs import require_program, run

SUITES = {"basic": 16, "copymove": 13, "props": 30, "locks": 41, "http": 4}
"""The tests of each suite in version 0.13."""

SUMMARY = re.compile(r"<- summary for `(\w+)': of (\d+) tests run: (\d+) passed, (\d+) failed")


def test_litmus_passes_104_of_104_without_a_warning(home: Home, tmp_path: Path) -> None:
    litmus = require_program("litmus")
    environment = {"TESTS": " ".join(SUITES)}
    told = run([litmus, "-k", home.url], tmp_path, environment=environment)
    results = {suite: tuple(map(int, counts)) for suite, *counts in SUMMARY.findall(told)}
    assert results == {suite: (count, count, 0) for suite, count in SUITES.items()}, told
    assert sum(SUITES.values()) == 104
    assert "warning" not in told.lower(), told
    assert "skipped" not in told.lower(), told
