"""What davbridge promises, held for hours: ``python3 tests/soak.py [--only A,B] [--short]``.

Needs Python alone, on Linux: it goes on in the tests' environment, which it makes if need be. All
of it takes some hours; ``--minutes`` bounds each scenario, and ``--short`` does what tests/run.py
does of them. It ends with a table, and exits 0 only if every promise was kept.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.support.entry import go_on_as  # noqa: E402

if __name__ == "__main__":
    go_on_as("tests.endurance.main", sys.argv[1:])
