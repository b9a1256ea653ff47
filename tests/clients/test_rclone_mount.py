"""A drive that rclone has mounted as ownCloud: git, a compiler and SQLite work in it."""

import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.drive import Home
from tests.support.files import read_files, write_files
from tests.support.names import NAMES
from tests.support.programs import LIMIT, require_program, run
from tests.support.waiting import until

TIME = 981_173_106
"""2001-02-03T04:05:06Z, in seconds since 1970."""


@dataclass(frozen=True)
class Mount:
    """A collection that rclone has mounted at ``point``."""

    point: Path
    cache: Path

    def upload(self) -> None:
        """Waits until the drive has all: rclone doesn't when it is unmounted."""
        until(lambda: not any(map(is_dirty, self.cache.glob("vfsMeta/**/*"))))


def is_dirty(record: Path) -> bool:
    """Whether rclone has yet to upload the file that a record of its cache is about."""
    try:
        return not record.is_dir() and bool(json.loads(record.read_bytes())["Dirty"])
    except FileNotFoundError:
        return False  # It was removed or renamed.
    except json.JSONDecodeError:
        return True  # It is being written.


@pytest.fixture
def mount(home: Home, tmp_path: Path) -> Iterator[Mount]:
    rclone, unmount = require_program("rclone"), require_program("fusermount3")
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("mounting needs /dev/fuse")
    mount = Mount(tmp_path / "mnt", tmp_path / "cache")
    mount.point.mkdir()
    remote = f":webdav,url='{home.url}',vendor=owncloud:"
    # It uploads a file a second after it was closed: one that is renamed or removed by then never
    # goes up under its first name.
    options = ["--vfs-cache-mode", "writes", "--vfs-write-back", "1s"]
    with subprocess.Popen(
        [rclone, "mount", remote, mount.point, *options, "--cache-dir", mount.cache],
        env={**os.environ, "RCLONE_CONFIG": "/dev/null", "RCLONE_LOG_LEVEL": "ERROR"},
        stdin=subprocess.DEVNULL,
    ) as process:
        try:
            until(lambda: os.path.ismount(mount.point) or process.poll() is not None)
            assert process.poll() is None, "rclone didn't mount"
            yield mount
            run([unmount, "-u", mount.point], tmp_path)
            assert process.wait(LIMIT) == 0
        finally:
            if process.poll() is None:
                run([unmount, "-u", "-z", mount.point], tmp_path, expect=None)
                process.kill()


def git(*arguments: str | Path, at: Path) -> str:
    author = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "gc.auto=0"]
    return run([require_program("git"), *author, *arguments], at)


def stored(home: Home) -> dict[str, bytes]:
    """The objects that clients see as files."""
    bodies = home.bucket.bodies()
    return {key: bodies[key] for key in bodies if not key.endswith("/") and ".davbridge" not in key}


def test_git_works_in_a_mount_by_rclone(mount: Mount, home: Home, tmp_path: Path) -> None:
    source, clone = tmp_path / "source", mount.point / "clone"
    files = {f"docs/{name}": name.encode() for name in NAMES}
    write_files(source, files | {"big.bin": bytes(range(256)) * 30_000})
    git("init", "--quiet", at=source)
    git("add", "--all", at=source)
    git("commit", "--quiet", "--message", "first", at=source)

    git("clone", "--quiet", source, clone, at=tmp_path)
    assert git("status", "--short", at=clone) == ""
    (clone / "docs" / "plain.txt").write_bytes(b"second")
    git("mv", "docs/it's.txt", "it is.txt", at=clone)
    git("commit", "--quiet", "--all", "--message", "second", at=clone)
    git("push", "--quiet", "origin", "HEAD:refs/heads/topic", at=clone)
    mount.upload()

    files["docs/plain.txt"] = b"second"
    files["it is.txt"] = files.pop("docs/it's.txt")
    bodies = {key.removeprefix("clone/"): body for key, body in stored(home).items()}
    assert not [key for key in bodies if key.endswith(".lock")]
    assert bodies == read_files(clone)
    write_files(tmp_path / "copy", bodies)
    git("fsck", "--full", "--strict", at=tmp_path / "copy")
    assert git("rev-parse", "HEAD", at=tmp_path / "copy") == git("rev-parse", "topic", at=source)
    git("reset", "--hard", "--quiet", at=tmp_path / "copy")
    assert files.items() <= read_files(tmp_path / "copy").items()


def test_a_compiler_works_in_a_mount_by_rclone(mount: Mount, home: Home, tmp_path: Path) -> None:
    compiler = require_program("gcc")
    source = b'#include <stdio.h>\nint main(void) { puts("from the drive"); return 0; }\n'
    write_files(mount.point, {"src/it.c": source})
    for arguments in (["-c", "it.c", "-o", "it.o"], ["it.o", "-o", "it"]):
        run([compiler, *arguments], mount.point / "src")
    mount.upload()
    program = tmp_path / "it"
    program.write_bytes(home.bucket.get("src/it").body)
    program.chmod(0o755)
    assert run([program], tmp_path) == "from the drive\n"
    assert stored(home).keys() == {"src/it.c", "src/it.o", "src/it"}


def test_sqlite_writes_in_a_mount_by_rclone(mount: Mount, home: Home, tmp_path: Path) -> None:
    with closing(sqlite3.connect(mount.point / "it.db")) as database:
        database.execute("CREATE TABLE t (number INTEGER PRIMARY KEY, text TEXT)")
        for start in range(0, 20_000, 1_000):
            with database:
                rows = [(number, f"text {number}") for number in range(start, start + 1_000)]
                database.executemany("INSERT INTO t VALUES (?, ?)", rows)
        with database:
            database.execute("DELETE FROM t WHERE number % 2")
    mount.upload()
    assert stored(home) == {"it.db": (mount.point / "it.db").read_bytes()}
    write_files(tmp_path, stored(home))
    with closing(sqlite3.connect(tmp_path / "it.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        left = database.execute("SELECT count(*), sum(number) FROM t").fetchall()
    assert left == [(10_000, sum(range(0, 20_000, 2)))]


def test_times_that_are_set_in_a_mount_by_rclone_are_kept(mount: Mount, home: Home) -> None:
    """Those set before the upload go with it, as from ``rsync -a``; later ones by PROPPATCH."""
    for name in ("before", "after"):
        (mount.point / name).write_bytes(name.encode())
        if name == "after":
            mount.upload()
        os.utime(mount.point / name, (TIME, TIME))
    mount.upload()
    for name in ("before", "after"):
        with home.server.client() as client:
            answer = client("HEAD", home.path + name)
        assert answer.headers["Last-Modified"] == "Sat, 03 Feb 2001 04:05:06 GMT"
        assert (mount.point / name).stat().st_mtime == TIME
    assert stored(home) == {"before": b"before", "after": b"after"}
