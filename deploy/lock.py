"""Renews the lock files from pyproject.toml: ``python3 deploy/lock.py``.

They hold for Linux, macOS and Windows and for every Python that pyproject.toml allows, with
hashes and without the address of an index. What is tested is what is run: each is made under the
constraints of those before it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNTIME = ["pyproject.toml", "--extra", "embedded"]
LOCKS = {
    "deploy/requirements.txt": RUNTIME,
    "deploy/build-requirements.txt": ["--group", "build"],
    "tests/requirements.txt": [*RUNTIME, "--group", "test"],
}


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        tools = Path(folder)
        venv.create(tools, with_pip=True)
        programs = tools / ("Scripts" if sys.platform == "win32" else "bin")
        subprocess.run([programs / "python", "-m", "pip", "install", "-q", "uv"], check=True)
        before: list[str] = []
        for lock, chosen in LOCKS.items():
            _compile(programs / "uv", lock, [*chosen, *before])
            before += ["--constraint", lock]
    return 0


def _compile(uv: Path, lock: str, arguments: list[str]) -> None:
    # A new file, so that everything is resolved anew: pins of the old one would be kept.
    (ROOT / lock).unlink(missing_ok=True)
    command = ["pip", "compile", *arguments]
    command += ["--universal", "--generate-hashes", "--no-emit-index-url", "--no-annotate"]
    command += ["--custom-compile-command", "python3 deploy/lock.py", "--quiet"]
    subprocess.run([uv, *command, "--output-file", lock], cwd=ROOT, check=True)


if __name__ == "__main__":
    sys.exit(main())
