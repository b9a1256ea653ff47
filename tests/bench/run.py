"""davbridge beside its peers: ``python3 tests/bench/run.py [--quick] [--only A,B] [--markdown F]``.

Needs Python alone: it goes on in the tests' environment, which it makes if need be. All of it
takes half an hour or more, since rclone's slow work is waited for; ``--quick`` takes minutes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from deploy.locked_venv import LockedVenv, SetupError, tell  # noqa: E402


def main(arguments: list[str]) -> int:
    if sys.platform != "linux":
        tell("the benchmark reads what servers cost from /proc: it runs on Linux alone")
        return 2
    environment = LockedVenv(ROOT / ".venv-tests", ROOT / "tests" / "requirements.txt")
    try:
        environment.ensure()
    except SetupError as error:
        tell(str(error))
        return 2
    command = [str(environment.python), "-m", "tests.bench.main", *arguments]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
