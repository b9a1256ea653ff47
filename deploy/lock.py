"""Renews the lock files from pyproject.toml: ``python3 deploy/lock.py``.

They hold for Linux, macOS and Windows and for every Python that pyproject.toml allows, with
hashes and without the address of an index. The tests' lock is made under the other one, so that
what is tested is what is run.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNTIME = "deploy/requirements.txt"
TESTS = "tests/requirements.txt"


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        tools = Path(folder)
        venv.create(tools, with_pip=True)
        programs = tools / ("Scripts" if sys.platform == "win32" else "bin")
        subprocess.run([programs / "python", "-m", "pip", "install", "-q", "uv"], check=True)
        _compile(programs / "uv", RUNTIME, "--group", "build")
        _compile(programs / "uv", TESTS, "--group", "test", "--constraint", RUNTIME)
    return 0


def _compile(uv: Path, lock: str, *arguments: str) -> None:
    # A new file, so that everything is resolved anew: pins of the old one would be kept.
    (ROOT / lock).unlink(missing_ok=True)
    command = ["pip", "compile", "pyproject.toml", "--extra", "embedded", *arguments]
    command += ["--universal", "--generate-hashes", "--no-emit-index-url", "--no-annotate"]
    command += ["--custom-compile-command", "python3 deploy/lock.py", "--quiet"]
    subprocess.run([uv, *command, "--output-file", lock], cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main())
