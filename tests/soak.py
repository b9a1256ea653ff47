"""What davbridge promises, held for hours: ``python3 tests/soak.py [--only A,B] [--short]``.

Needs Python alone, on Linux: it goes on in the tests' environment, which it makes if need be. All
of it takes some hours; ``--minutes`` bounds each scenario, and ``--short`` does what tests/run.py
does of them. It ends with a table, and exits 0 only if every promise was kept.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from deploy.locked_venv import LockedVenv, SetupError, tell  # noqa: E402


def main(arguments: list[str]) -> None:
    if sys.platform != "linux":
        tell("the soak reads what servers cost from /proc: it runs on Linux alone")
        sys.exit(2)
    environment = LockedVenv(ROOT / ".venv-tests", ROOT / "tests" / "requirements.txt")
    try:
        environment.ensure()
    except SetupError as error:
        tell(str(error))
        sys.exit(2)
    # -P: what lies in the folder that this is called from is not to be imported.
    command = [str(environment.python), "-P", "-m", "tests.endurance.main", *arguments]
    os.execve(command[0], command, {**os.environ, "PYTHONPATH": str(ROOT)})


if __name__ == "__main__":
    main(sys.argv[1:])
