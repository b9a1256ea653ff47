"""From a script that needs Python alone into the tests' environment: it is made, and gone on in."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from deploy.locked_venv import LockedVenv, SetupError, tell

ROOT = Path(__file__).resolve().parent.parent.parent


def go_on_as(module: str, arguments: list[str]) -> None:
    """Replaces this process by ``python -m module``, in the tests' environment."""
    if sys.platform != "linux":
        tell(f"{module} reads what servers cost from /proc: it runs on Linux alone")
        sys.exit(2)
    environment = LockedVenv(ROOT / ".venv-tests", ROOT / "tests" / "requirements.txt")
    try:
        environment.ensure()
    except SetupError as error:
        tell(str(error))
        sys.exit(2)
    # -P: what lies in the folder that this is called from is not to be imported.
    command = [str(environment.python), "-P", "-m", module, *arguments]
    os.execve(command[0], command, {**os.environ, "PYTHONPATH": str(ROOT)})
