"""A day's work with cadaver, the interactive client."""

from pathlib import Path

import pytest

from tests.support.drive import Home
from tests.support.names import NAMES
from tests.support.programs import require_program, run


class Cadaver:
    """cadaver in one collection: commands in, what it told out."""

    def __init__(self, home: Home, folder: Path) -> None:
        self._program = require_program("cadaver")
        self._url = home.url
        self._folder = folder

    def __call__(self, *commands: str) -> str:
        script = "\n".join([*commands, "quit", ""]).encode()
        told = run([self._program, "-r", "/dev/null", self._url], self._folder, stdin=script)
        assert "failed" not in told, told
        assert "Could not" not in told, told
        return told


@pytest.fixture
def cadaver(home: Home, tmp_path: Path) -> Cadaver:
    return Cadaver(home, tmp_path)


def test_a_days_work_with_cadaver_leaves_plain_objects(
    cadaver: Cadaver, home: Home, tmp_path: Path
) -> None:
    for name in NAMES:
        (tmp_path / name).write_bytes(name.encode())
    cadaver(
        "mkcol docs",
        'mkcol "docs/sub & more #1"',
        "cd docs",
        *(f'put "{name}"' for name in NAMES),
    )
    docs = {name: name.encode() for name in NAMES} | {"sub & more #1/": b""}
    assert home.bucket.bodies() == {"docs/": b""} | {f"docs/{key}": docs[key] for key in docs}

    cadaver(
        "cd docs",
        'move "100%.txt" "50% + #2;.txt"',
        'copy "it\'s.txt" "sub & more #1/it\'s a copy.txt"',
        'delete "plain.txt"',
        "cd ..",
        "move docs papers",
        "copy papers archive",
        "rmcol papers",
    )
    docs["50% + #2;.txt"] = docs.pop("100%.txt")
    docs["sub & more #1/it's a copy.txt"] = docs["it's.txt"]
    del docs["plain.txt"]
    left = {"archive/": b""} | {f"archive/{key}": docs[key] for key in docs}
    assert home.bucket.bodies() == left


def test_cadaver_reads_back_what_it_wrote(cadaver: Cadaver, tmp_path: Path) -> None:
    body = bytes(range(256)) * 5000
    (tmp_path / "up.bin").write_bytes(body)
    told = cadaver("put up.bin", "ls", "get up.bin down.bin")
    assert "1280000" in told
    assert (tmp_path / "down.bin").read_bytes() == body


def test_cadaver_locks_edits_and_unlocks(cadaver: Cadaver, home: Home, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"first")
    (tmp_path / "b.txt").write_bytes(b"second")
    told = cadaver("put a.txt", "lock a.txt", "discover a.txt", "put b.txt a.txt", "unlock a.txt")
    assert "write" in told
    assert home.bucket.bodies() == {"a.txt": b"second"}


def test_cadaver_keeps_properties_that_move_with_their_file(
    cadaver: Cadaver, tmp_path: Path
) -> None:
    (tmp_path / "a.txt").write_bytes(b"x")
    cadaver("set namespace urn:test", "put a.txt", "propset a.txt colour blue", "move a.txt b.txt")
    assert "blue" in cadaver("set namespace urn:test", "propget b.txt colour")
