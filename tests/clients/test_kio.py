"""KDE's file workers (KIO): what Dolphin does, through ``kioclient5``."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import pytest

from tests.support.bodies import lock_info
from tests.support.drive import Home
from tests.support.files import read_files, write_files
from tests.support.names import NAMES
from tests.support.programs import require_program, run

NO_COOKIES = b"""\
[Cookie Policy]
Cookies=false
"""
"""Else, each session gets a daemon for them, which outlives it."""


class Kio:
    """``kioclient5`` on one collection. Each call has a session bus of its own."""

    def __init__(self, home: Home, folder: Path, runtime: Path) -> None:
        self._session = require_program("dbus-run-session")
        self._program = require_program("kioclient5")
        self._url = home.url.replace("http:", "webdav:", 1)
        self._folder = folder
        self._runtime = runtime

    def at(self, path: str) -> str:
        return self._url + quote(path)

    def __call__(self, command: str, *arguments: str, expect: int | None = 0) -> str:
        return run(
            [self._session, "--", self._program, "--noninteractive", command, *arguments],
            self._folder,
            environment={
                "HOME": str(self._runtime),
                "XDG_RUNTIME_DIR": str(self._runtime),
                "QT_QPA_PLATFORM": "offscreen",
            },
            expect=expect,
        )


@pytest.fixture
def kio(home: Home, tmp_path: Path) -> Iterator[Kio]:
    with TemporaryDirectory() as runtime:  # pytest's folders have too long names for sockets.
        write_files(Path(runtime), {".config/kcookiejarrc": NO_COOKIES})
        yield Kio(home, tmp_path, Path(runtime))


def test_a_days_work_with_kio_leaves_plain_objects(kio: Kio, home: Home, tmp_path: Path) -> None:
    docs = {name: name.encode() for name in NAMES} | {"big.bin": bytes(range(256)) * 80_000}
    write_files(tmp_path / "docs", docs)
    kio("copy", "docs", kio.at(""))
    assert docs.keys() <= set(kio("ls", kio.at("docs/")).splitlines())
    assert home.bucket.bodies() == {f"docs/{name}": docs[name] for name in docs} | {"docs/": b""}

    kio("move", kio.at("docs/100%.txt"), kio.at("docs/50% + #2;.txt"))
    docs["50% + #2;.txt"] = docs.pop("100%.txt")
    kio("move", kio.at("docs"), kio.at("papiere"))
    kio("copy", kio.at("papiere/it's.txt"), kio.at("papiere/it's a copy"))
    docs["it's a copy"] = docs["it's.txt"]
    kio("copy", "--overwrite", "docs/it's.txt", kio.at("papiere/plain.txt"))
    docs["plain.txt"] = b"it's.txt"
    kio("remove", kio.at("papiere/semi;colon.txt"))
    del docs["semi;colon.txt"]
    left = {f"papiere/{name}": docs[name] for name in docs} | {"papiere/": b""}
    assert home.bucket.bodies() == left

    kio("copy", kio.at("papiere"), str(tmp_path / "down"))
    assert read_files(tmp_path / "down") == docs
    kio("remove", kio.at("papiere"))
    assert home.bucket.bodies() == {}


def test_kio_shows_that_an_upload_is_refused_since_the_file_is_locked(
    kio: Kio, home: Home, tmp_path: Path
) -> None:
    with home.server.client() as client:
        assert client("PUT", f"{home.path}a.bin", b"locked").status == 201
        assert client("LOCK", f"{home.path}a.bin", lock_info()).status == 200
    (tmp_path / "up").write_bytes(bytes(range(256)) * 20_000)
    shown = kio("copy", "--overwrite", "up", kio.at("a.bin"), expect=1)
    assert "lock" in shown.lower()
    assert home.bucket.bodies() == {"a.bin": b"locked"}
