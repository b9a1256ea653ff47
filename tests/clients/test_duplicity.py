"""A day's work with duplicity's webdav backend: volumes, signatures and manifests in a folder."""

import os
import random
from pathlib import Path

import pytest

from tests.support.drive import Home
from tests.support.files import read_files, write_files
from tests.support.names import NAMES
from tests.support.programs import require_program, run

LONG_AGO = 981_173_106
"""In seconds since 1970. duplicity sees that a file has changed by its time, in whole seconds."""


class Duplicity:
    """``duplicity`` of plain files, in volumes of 1 MB."""

    def __init__(self, home: Home, folder: Path) -> None:
        self._program = require_program("duplicity")
        self.drive = home.url.replace("http:", "webdav:", 1) + "backups/mine"
        """The folder above isn't there: duplicity makes both."""
        self._folder = folder
        self._caches = 0

    def forget_cache(self) -> None:
        """Works as on another machine, where what it knows comes from the drive."""
        self._caches += 1

    def __call__(self, *arguments: str, expect: int = 0) -> str:
        caches = self._folder / f"cache-{self._caches}"
        options = ["--no-encryption", "--volsize", "1", "--num-retries", "1"]
        return run(
            [self._program, *arguments, *options, "--archive-dir", caches],
            self._folder,
            environment={"FTP_PASSWORD": "none is asked for", "TMPDIR": str(self._folder)},
            expect=expect,
        )


@pytest.fixture
def duplicity(home: Home, tmp_path: Path) -> Duplicity:
    return Duplicity(home, tmp_path)


def test_a_days_work_with_duplicity_leaves_a_backup_that_restores(
    duplicity: Duplicity, home: Home, tmp_path: Path
) -> None:
    noise = random.Random(1)
    first = {f"docs/{name}": name.encode() for name in NAMES}
    first |= {f"noise/{number}.bin": noise.randbytes(1_000_000) for number in range(4)}
    write_files(tmp_path / "up", first)
    for path in (tmp_path / "up").rglob("*"):
        os.utime(path, (LONG_AGO, LONG_AGO))
    duplicity("full", "up", duplicity.drive)
    changed = {"docs/plain.txt": b"second", "noise/0.bin": noise.randbytes(1_500_000)}
    second = first | changed
    write_files(tmp_path / "up", changed)
    duplicity("verify", "--compare-data", duplicity.drive, "up", expect=1)
    duplicity("incremental", "up", duplicity.drive)

    duplicity.forget_cache()
    duplicity("verify", "--compare-data", duplicity.drive, "up")
    duplicity("restore", duplicity.drive, "down")
    assert read_files(tmp_path / "down") == second

    stored = home.bucket.below("backups/mine/").bodies()
    assert {name.partition(".")[0] for name in stored} == {
        *("duplicity-full", "duplicity-full-signatures"),
        *("duplicity-inc", "duplicity-new-signatures"),
    }
    write_files(tmp_path / "copy", stored)
    duplicity.forget_cache()
    duplicity("verify", "--compare-data", f"file://{tmp_path}/copy", "up")
