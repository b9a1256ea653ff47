"""A day's work with rclone's webdav backend."""

import json
from pathlib import Path

import pytest

from tests.support.drive import Home
from tests.support.names import NAMES
from tests.support.programs import require_program, run
from tests.support.waiting import until


class Rclone:
    """rclone, whose remote is one collection."""

    def __init__(self, home: Home, folder: Path) -> None:
        self._program = require_program("rclone")
        self._remote = f":webdav,url='{home.url}',vendor=other:"
        self._folder = folder

    def at(self, path: str) -> str:
        return self._remote + path

    def __call__(self, command: str, *arguments: str, expect: int = 0) -> str:
        return run(
            [self._program, command, *arguments, "--retries", "1"],
            self._folder,
            # Nothing of the user's, and no "config not found" among the answers.
            environment={"RCLONE_CONFIG": "/dev/null", "RCLONE_LOG_LEVEL": "ERROR"},
            expect=expect,
        )


@pytest.fixture
def rclone(home: Home, tmp_path: Path) -> Rclone:
    return Rclone(home, tmp_path)


@pytest.fixture
def tree(tmp_path: Path) -> dict[str, bytes]:
    """A local tree ``up``; its files by their paths in it."""
    files = {name: name.encode() for name in NAMES}
    files |= {f"sub #1/100% ä/{name}": name.encode() * 100 for name in NAMES}
    files |= {"empty": b"", "big.bin": bytes(range(256)) * 70_000}
    for name, body in files.items():
        path = tmp_path / "up" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    return files


def under(folder: str, files: dict[str, bytes]) -> dict[str, bytes]:
    """The objects that ``files`` are below ``folder``, with the markers of their collections."""
    inside = {f"{folder}/{name}": body for name, body in files.items()}
    return inside | {
        f"{name.rsplit('/', depth)[0]}/": b""
        for name in inside
        for depth in range(1, name.count("/") + 1)
    }


def test_a_days_work_with_rclone_leaves_plain_objects(
    rclone: Rclone, home: Home, tree: dict[str, bytes]
) -> None:
    rclone("mkdir", rclone.at("empty dir"))
    rclone("copy", "up", rclone.at("docs"))
    rclone("check", "--download", "up", rclone.at("docs"))
    assert home.bucket.bodies() == {"empty dir/": b""} | under("docs", tree)

    rclone("moveto", rclone.at("docs/100%.txt"), rclone.at("docs/50% + #2;.txt"))
    tree["50% + #2;.txt"] = tree.pop("100%.txt")
    rclone("moveto", rclone.at("docs"), rclone.at("papiere & ähnliches"))
    rclone("copyto", rclone.at("papiere & ähnliches/it's.txt"), rclone.at("it's a copy"))
    rclone("deletefile", rclone.at("papiere & ähnliches/plain.txt"))
    del tree["plain.txt"]
    assert home.bucket.bodies() == {
        "empty dir/": b"",
        "it's a copy": b"it's.txt",
        **under("papiere & ähnliches", tree),
    }

    rclone("rmdir", rclone.at("empty dir"))
    rclone("purge", rclone.at("papiere & ähnliches"))
    assert home.bucket.bodies() == {"it's a copy": b"it's.txt"}


def test_rclone_downloads_what_it_uploaded(
    rclone: Rclone, tree: dict[str, bytes], tmp_path: Path
) -> None:
    rclone("copy", "up", rclone.at(""))
    rclone("copy", rclone.at(""), "down")
    down = tmp_path / "down"
    found = {str(f.relative_to(down)): f.read_bytes() for f in down.rglob("*") if f.is_file()}
    assert found == tree


def test_rclone_lists_sizes_types_and_directories(rclone: Rclone, home: Home) -> None:
    with home.server.client() as client:
        client("PUT", f"{home.path}100%25%20%C3%A4.pdf", b"12345")
        client("MKCOL", f"{home.path}sub/")
        client("PUT", f"{home.path}sub/x.png", b"png")
    listed = json.loads(rclone("lsjson", "--recursive", rclone.at("")))
    assert {(row["Path"], row["Size"], row["IsDir"], row["MimeType"]) for row in listed} == {
        ("100% ä.pdf", 5, False, "application/pdf"),
        ("sub", -1, True, "inode/directory"),
        ("sub/x.png", 3, False, "image/png"),
    }


def test_rclone_sync_deletes_what_went_and_nothing_else(
    rclone: Rclone, home: Home, tree: dict[str, bytes], tmp_path: Path
) -> None:
    rclone("copy", "up", rclone.at("docs"))
    rclone("copyto", "up/empty", rclone.at("docs-neighbour"))
    rclone("copyto", "up/empty", rclone.at("doc/neighbour"))
    (tmp_path / "up" / "one+two.txt").unlink()
    (tmp_path / "up" / "it's.txt").write_bytes(b"another length")
    rclone("sync", "up", rclone.at("docs"))
    del tree["one+two.txt"]
    tree["it's.txt"] = b"another length"
    neighbours = {"docs-neighbour": b"", "doc/": b"", "doc/neighbour": b""}
    assert home.bucket.bodies() == neighbours | under("docs", tree)


def test_rclone_about_shows_what_is_used(rclone: Rclone, home: Home) -> None:
    def used() -> int | None:
        figure: int | None = json.loads(rclone("about", "--json", rclone.at(""))).get("used")
        return figure

    until(lambda: used() is not None)  # the first count goes on in the background
    before = used()
    assert before is not None
    with home.server.client() as client:
        client("PUT", f"{home.path}five", b"12345")
    assert used() == before + 5
