"""A day's work with restic, whose repository is a folder of the drive, over rclone's webdav."""

import hashlib
import json
import random
import re
from pathlib import Path

import pytest

from tests.support.drive import Home
from tests.support.files import read_files, write_files
from tests.support.names import NAMES
from tests.support.programs import require_program, run

NAMED_BY_THEIR_SUM = ("data/", "index/", "snapshots/")
"""Folders of a repository in which each file's name is the SHA-256 of its bytes."""


class Restic:
    """``restic``. It starts rclone, as its way to the repository."""

    def __init__(self, home: Home, folder: Path) -> None:
        self._program, self._rclone = require_program("restic"), require_program("rclone")
        self.drive = f"rclone::webdav,url='{home.url}',vendor=other:backup"
        self._folder = folder

    def __call__(self, command: str, *arguments: str | Path, repository: str = "") -> str:
        options = ["--quiet", "--no-cache", "--option", f"rclone.program={self._rclone}"]
        return run(
            [self._program, *options, command, *arguments],
            self._folder,
            environment={
                "RCLONE_CONFIG": "/dev/null",
                "RCLONE_LOG_LEVEL": "ERROR",
                "RESTIC_REPOSITORY": repository or self.drive,
                "RESTIC_PASSWORD": "secret",
            },
        )

    def snapshots(self) -> list[str]:
        """Their ids, the oldest first."""
        return [each["id"] for each in json.loads(self("snapshots", "--json"))]


@pytest.fixture
def restic(home: Home, tmp_path: Path) -> Restic:
    return Restic(home, tmp_path)


def test_a_days_work_with_restic_leaves_a_repository_that_restores(
    restic: Restic, home: Home, tmp_path: Path
) -> None:
    noise = random.Random(1)
    first = {f"docs/{name}": name.encode() for name in NAMES}
    first |= {f"noise/{number}.bin": noise.randbytes(1_000_000) for number in range(8)}
    write_files(tmp_path / "up", first)
    restic("init")
    restic("backup", "up")

    second = first | {"docs/plain.txt": b"second", "noise/0.bin": noise.randbytes(3_000_000)}
    write_files(tmp_path / "up", second)
    restic("backup", "up")
    old, new = restic.snapshots()
    for snapshot, files in ((old, first), (new, second)):
        restic("restore", snapshot, "--target", tmp_path / snapshot)
        assert read_files(tmp_path / snapshot / "up") == files

    before = home.bucket.below("backup/").listed()
    restic("forget", old, "--prune", "--max-unused", "0")
    restic("check", "--read-data")
    assert restic.snapshots() == [new]

    left = home.bucket.below("backup/").bodies()
    assert {key for key in before if key.startswith("data/")} - left.keys()
    for key, body in left.items():
        if not key.endswith("/") and key.startswith(NAMED_BY_THEIR_SUM):
            assert key.rpartition("/")[2] == hashlib.sha256(body).hexdigest()
    assert not [key for key in left if re.match("locks/.", key)]
    write_files(tmp_path / "copy", left)
    restic("check", "--read-data", "--no-lock", repository=str(tmp_path / "copy"))
    restic("restore", new, "--target", tmp_path / "again", repository=str(tmp_path / "copy"))
    assert read_files(tmp_path / "again" / "up") == second
