"""davbridge beside its peers: ``python3 tests/bench/run.py [--quick] [--only A,B] [--markdown F]``.

Needs Python alone, on Linux: it goes on in the tests' environment, which it makes if need be. All
of it takes an hour, most of which is spent on waiting for rclone; ``--quick`` takes minutes.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from deploy.locked_venv import LockedVenv, SetupError, tell  # noqa: E402


def main(arguments: list[str]) -> None:
    if sys.platform != "linux":
        tell("the benchmark reads what servers cost from /proc: it runs on Linux alone")
        sys.exit(2)
    environment = LockedVenv(ROOT / ".venv-tests", ROOT / "tests" / "requirements.txt")
    try:
        environment.ensure()
    except SetupError as error:
        tell(str(error))
        sys.exit(2)
    # -P: what lies in the folder that this is called from is not to be imported.
    command = [str(environment.python), "-P", "-m", "tests.bench.main", *arguments]
    os.execve(command[0], command, {**os.environ, "PYTHONPATH": str(ROOT)})


if __name__ == "__main__":
    main(sys.argv[1:])
