"""A virtual environment that holds just what a lock file says, and davbridge itself, editable.

Owns how the scripts that run before anything is installed (`quickstart.py`, `tests/run.py`) get
there. Only the standard library; it must parse on Python 3.8, so that an old Python is told in
one line what is wrong. Must not know what is done with the environment.

Invariants: nothing is installed, nor used for building, that the lock files don't name with its
hash, and no compiler is needed; an environment whose stamp is there is complete, and is used again
without the network as long as the lock files, pyproject.toml and Python stay the same.
"""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PYTHON = (3, 11)
STAMP = "davbridge-installed"
BUILD_LOCK = ROOT / "deploy" / "build-requirements.txt"

LOCKED = ["--require-hashes", "--only-binary=:all:"]
# Build isolation would fetch build backends anew, and without a hash.
BUILT_HERE = ["--no-build-isolation", "--no-binary=wsgidav"]
"""WsgiDAV has no wheel, but is pure Python."""


class SetupError(Exception):
    """``str(error)`` is one line that says what is missing."""


class LockedVenv:
    """The environment in ``directory``, for the lock file ``lock``."""

    def __init__(self, directory: Path, lock: Path) -> None:
        self.directory = directory
        self._lock = lock
        on_windows = sys.platform == "win32"
        self.bin = directory / ("Scripts" if on_windows else "bin")
        self.python = self.bin / ("python.exe" if on_windows else "python")

    def ensure(self) -> None:
        """Makes the environment, unless it is there as the lock file wants it.

        Raises SetupError.
        """
        require_python()
        if self._is_current():
            return
        tell(f"installing into {self.directory} (once; half a minute or so)")
        _require_venv()
        self._run(sys.executable, "-m", "venv", "--clear", str(self.directory))
        self._pip(*LOCKED, "-r", str(BUILD_LOCK))
        self._pip(*LOCKED, *BUILT_HERE, "-r", str(self._lock))
        self._pip("--no-deps", "--no-build-isolation", "--editable", str(ROOT))
        self._stamp.write_text(self._wanted(), encoding="utf-8")

    @property
    def _stamp(self) -> Path:
        return self.directory / STAMP

    def _is_current(self) -> bool:
        try:
            stamp = self._stamp.read_text(encoding="utf-8")
        except OSError:
            return False
        return stamp == self._wanted() and self._starts()

    def _starts(self) -> bool:
        """False where the Python that the environment was made with is gone, or has moved."""
        try:
            return subprocess.run([str(self.python), "-c", ""], check=False).returncode == 0
        except OSError:
            return False

    def _wanted(self) -> str:
        """What the environment depends on. Sources are used in place, so they don't count."""
        parts = [sys.version, str(ROOT), str(self.directory)]
        files = [self._lock, BUILD_LOCK, ROOT / "pyproject.toml"]
        digest = hashlib.sha256("\0".join(parts).encode())
        for file in files:
            digest.update(file.read_bytes())
        return digest.hexdigest()

    def _pip(self, *arguments: str) -> None:
        # --no-user: a person's pip settings may ask for --user, which environments refuse.
        self._run(str(self.python), "-m", "pip", "install", "-q", "--no-user", *arguments)

    def _run(self, *command: str) -> None:
        """Standard output is left to what the scripts themselves have to say."""
        if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
            raise SetupError(f"'{' '.join(command[2:4])}' failed: its own words stand above")


def require_python() -> None:
    """Raises SetupError on a Python that davbridge doesn't run on."""
    if sys.version_info < OLDEST_PYTHON:
        needed = ".".join(map(str, OLDEST_PYTHON))
        have = ".".join(map(str, sys.version_info[:2]))
        raise SetupError(f"Python {needed} or newer is needed, and this is {have}")


def tell(line: str) -> None:
    print(f"davbridge: {line}", file=sys.stderr, flush=True)


def _require_venv() -> None:
    # Debian and Ubuntu keep ensurepip, without which venv makes nothing, in a package of its own.
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        raise SetupError(f"Python's venv is missing: apt install {package}")
