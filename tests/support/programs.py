"""Clients that are programs of their own: where they are, and how they are run."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

_SEARCH_PATH = os.pathsep.join(
    # Wheels install beside the interpreter, and Debian keeps mount helpers off a user's PATH.
    [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"]
)

LIMIT = 120.0
"""Seconds that any of them may take."""


def require_program(name: str) -> str:
    """The path of a program; skips the test where it isn't installed."""
    path = shutil.which(name, path=_SEARCH_PATH)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def run(
    command: Sequence[str | Path],
    folder: Path,
    *,
    environment: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    expect: int | None = 0,
) -> str:
    """What the program told, on stdout and stderr alike; its exit code must be ``expect``."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={
            "PATH": _SEARCH_PATH,
            "HOME": str(folder),
            "LC_ALL": "C.UTF-8",
            **(environment or {}),
        },
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=LIMIT,
        check=False,
    )
    told = done.stdout.decode("utf-8", "replace")
    assert expect is None or done.returncode == expect, (command, done.returncode, told)
    return told
