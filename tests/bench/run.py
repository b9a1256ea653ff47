"""davbridge beside its peers: ``python3 tests/bench/run.py [--quick] [--only A,B] [--markdown F]``.

Needs Python alone, on Linux: it goes on in the tests' environment, which it makes if need be. All
of it takes an hour, most of which is spent on waiting for rclone; ``--quick`` takes minutes.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from tests.support.entry import go_on_as  # noqa: E402

if __name__ == "__main__":
    go_on_as("tests.bench.main", sys.argv[1:])
