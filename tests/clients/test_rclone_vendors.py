"""rclone in the ways that it has for ownCloud and Nextcloud, which carry times and checksums."""

import hashlib
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.drive import Home
from tests.support.names import NAMES
from tests.support.programs import require_program, run

TIME = datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC)
LATER = datetime(2015, 6, 7, 8, 9, 10, tzinfo=UTC)


class Rclone:
    """rclone, whose remote is one collection, taken for a drive of ``vendor``."""

    def __init__(self, vendor: str, url: str, folder: Path) -> None:
        self._program = require_program("rclone")
        # Nextcloud's chunked upload is a protocol of its own, beside WebDAV.
        self._remote = f":webdav,url='{url}',vendor={vendor},nextcloud_chunk_size=0:"
        self._folder = folder

    def at(self, path: str) -> str:
        return self._remote + path

    def __call__(self, command: str, *arguments: str, expect: int | None = 0) -> list[str]:
        """The lines it told."""
        return run(
            [self._program, command, *arguments, "--retries", "1"],
            self._folder,
            environment={"RCLONE_CONFIG": "/dev/null", "RCLONE_LOG_LEVEL": "ERROR", "TZ": "UTC"},
            expect=expect,
        ).splitlines()

    def times(self, path: str) -> dict[str, datetime]:
        """The modification times of all files below, as rclone sees them."""
        lines = self("lsf", "--recursive", "--files-only", "--format", "tp", self.at(path))
        parts = (line.partition(";") for line in lines)
        return {
            name: datetime.strptime(f"{time}+0000", "%Y-%m-%d %H:%M:%S%z")
            for time, _, name in parts
        }

    def sums(self, path: str) -> dict[str, str]:
        """The SHA-1 sums of all files below that the server tells."""
        lines = self("hashsum", "SHA1", self.at(path))
        return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}


@pytest.fixture(params=["owncloud", "nextcloud"])
def rclone(request: pytest.FixtureRequest, home: Home, tmp_path: Path) -> Rclone:
    # rclone takes no URL for Nextcloud's that doesn't end like this.
    path = home.path
    with home.server.client() as client:
        for segment in ("dav", "files", "me"):
            path += f"{segment}/"
            assert client("MKCOL", path).status == 201
    return Rclone(request.param, home.server.url + path, tmp_path)


@pytest.fixture
def tree(tmp_path: Path) -> dict[str, bytes]:
    """A local tree ``up`` of files from long ago, by their paths in it."""
    files = {name: name.encode() for name in NAMES}
    files |= {"sub #1 100% ä/big.bin": bytes(range(256)) * 80_000, "empty": b""}
    for name, body in files.items():
        path = tmp_path / "up" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        date_file(path, TIME)
    return files


def date_file(path: Path, time: datetime) -> None:
    os.utime(path, (time.timestamp(), time.timestamp()))


def sha1(body: bytes) -> str:
    return hashlib.sha1(body, usedforsecurity=False).hexdigest()


def stored(home: Home) -> dict[str, bytes]:
    """The objects of rclone's remote that clients see."""
    bodies = home.bucket.below("dav/files/me/").bodies()
    return {key: bodies[key] for key in bodies if ".davbridge" not in key}


def test_times_and_checksums_go_up_come_down_and_move_along(
    rclone: Rclone, home: Home, tree: dict[str, bytes], tmp_path: Path
) -> None:
    rclone("copy", "up", rclone.at("docs"))
    rclone("check", "up", rclone.at("docs"))
    rclone("check", "--checksum", "up", rclone.at("docs"))
    assert rclone.times("docs") == dict.fromkeys(tree, TIME)
    assert rclone.sums("docs") == {name: sha1(body) for name, body in tree.items()}
    markers = {"": b"", "sub #1 100% ä/": b""}
    assert stored(home) == {f"docs/{key}": body for key, body in (markers | tree).items()}

    rclone("moveto", rclone.at("docs"), rclone.at("papiere"))
    rclone("moveto", rclone.at("papiere/100%.txt"), rclone.at("papiere/50% + #2;.txt"))
    rclone("copyto", rclone.at("papiere/it's.txt"), rclone.at("papiere/it's a copy"))
    tree["50% + #2;.txt"] = tree.pop("100%.txt")
    tree["it's a copy"] = tree["it's.txt"]
    assert rclone.times("papiere") == dict.fromkeys(tree, TIME)
    assert rclone.sums("papiere") == {name: sha1(body) for name, body in tree.items()}
    rclone("copy", rclone.at("papiere"), "down")
    down = tmp_path / "down"
    found = {str(f.relative_to(down)): f for f in down.rglob("*") if f.is_file()}
    assert {name: path.read_bytes() for name, path in found.items()} == tree
    assert {path.stat().st_mtime for path in found.values()} == {TIME.timestamp()}
    assert stored(home) == {f"papiere/{key}": body for key, body in (markers | tree).items()}


def test_a_sync_carries_what_changed_and_nothing_else(
    rclone: Rclone, home: Home, tree: dict[str, bytes], tmp_path: Path
) -> None:
    rclone("sync", "up", rclone.at("docs"))
    before = {name: home.bucket.get(f"dav/files/me/docs/{name}") for name in tree}
    told = home.server.log
    changed = tmp_path / "up" / "plain.txt"
    changed.write_bytes(b"same size")
    date_file(changed, LATER)
    (tmp_path / "up" / "it's.txt").unlink()
    rclone("sync", "up", rclone.at("docs"))
    tree["plain.txt"] = b"same size"
    del tree["it's.txt"], before["it's.txt"]
    assert rclone.times("docs") == dict.fromkeys(tree, TIME) | {"plain.txt": LATER}
    assert rclone.sums("docs")["plain.txt"] == sha1(b"same size")
    after = {name: home.bucket.get(f"dav/files/me/docs/{name}") for name in tree}
    assert {name for name in tree if after[name] != before[name]} == {"plain.txt"}
    assert home.server.log.removeprefix(told).count('"PUT ') == 1
    assert {name: each.body for name, each in after.items()} == tree
    assert set(stored(home)) == {f"docs/{key}" for key in ("", "sub #1 100% ä/", *tree)}


def test_other_tools_see_the_time_in_the_metadata_of_the_object(
    rclone: Rclone, home: Home, tree: dict[str, bytes]
) -> None:
    rclone("copy", "up", rclone.at(""))
    below = home.bucket.below("dav/files/me/")
    for name in tree:
        head = below.client.head_object(Bucket=below.name, Key=below.prefix + name)
        assert float(head["Metadata"]["mtime"]) == TIME.timestamp()
