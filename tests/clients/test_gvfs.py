"""GNOME's file systems (gvfs): what GNOME Files does, through ``gio``."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import pytest

from tests.support.drive import Home
from tests.support.names import NAMES
from tests.support.programs import LIMIT, require_program, run

PARTS = {
    "gvfs": ["lib*/gio/modules/libgvfsdbus.so", "lib/*/gio/modules/libgvfsdbus.so"],
    "gvfs-backends": ["lib*/gvfs/gvfsd-dav", "libexec/gvfsd-dav", "libexec/gvfs/gvfsd-dav"],
}
"""Debian's packages that ``gio`` needs for it, and where distributions keep the parts in /usr."""

BUS = 'printf "%s\\n" "$DBUS_SESSION_BUS_ADDRESS"; read -r _'
"""The session's only program: it tells the bus' address, and lives until its stdin ends."""


@pytest.fixture
def session() -> Iterator[dict[str, str]]:
    """The environment of a desktop session of the test's own, which ends with the test."""
    start = require_program("dbus-run-session")
    # pytest's folders have too long names for sockets.
    with TemporaryDirectory() as folder, Path(os.devnull).open("wb") as devnull:
        environment = {"HOME": folder, "XDG_RUNTIME_DIR": folder, "GIO_USE_VFS": "gvfs"}
        with subprocess.Popen(
            [start, "--", "sh", "-c", BUS],
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=devnull,
            text=True,
        ) as process:
            assert process.stdout is not None
            try:
                address = process.stdout.readline().strip()
                assert address, "no session bus"
                yield {**environment, "DBUS_SESSION_BUS_ADDRESS": address}
                process.communicate(timeout=LIMIT)
            finally:
                process.kill()


class Gio:
    """``gio`` on one collection of a mounted drive."""

    def __init__(self, home: Home, folder: Path, environment: dict[str, str]) -> None:
        self._program = require_program("gio")
        self._url = home.url.replace("http:", "dav:", 1)
        self._folder = folder
        self._environment = environment

    def at(self, path: str) -> str:
        return self._url + quote(path)

    def __call__(
        self, command: str, *arguments: str, stdin: bytes = b"", expect: int = 0
    ) -> list[str]:
        """The lines it told."""
        return run(
            [self._program, command, *arguments],
            self._folder,
            environment=self._environment,
            stdin=stdin,
            expect=expect,
        ).splitlines()

    def attributes(self, path: str) -> dict[str, str]:
        told = self("info", self.at(path))
        pairs = (line.strip().partition(": ") for line in told)
        return {name: value.strip() for name, _, value in pairs}


@pytest.fixture
def gio(home: Home, tmp_path: Path, session: dict[str, str]) -> Iterator[Gio]:
    for package, patterns in PARTS.items():
        if not any(any(Path("/usr").glob(pattern)) for pattern in patterns):
            pytest.skip(f"{package} is not installed")
    gio = Gio(home, tmp_path, session)
    gio("mount", gio.at(""))
    try:
        yield gio
    finally:
        gio("mount", "--unmount", gio.at(""))


def test_a_days_work_with_gnome_files_leaves_plain_objects(
    gio: Gio, home: Home, tmp_path: Path
) -> None:
    gio("mkdir", gio.at("docs"))
    gio("mkdir", gio.at("docs/sub #1 100% ä"))
    for name in NAMES:
        (tmp_path / name).write_bytes(name.encode())
        gio("copy", name, gio.at("docs/"))
        assert gio("cat", gio.at(f"docs/{name}")) == [name]
    assert set(gio("list", gio.at("docs"))) == {*NAMES, "sub #1 100% ä"}
    docs = {name: name.encode() for name in NAMES} | {"": b"", "sub #1 100% ä/": b""}
    assert home.bucket.bodies() == {f"docs/{key}": docs[key] for key in docs}

    gio("rename", gio.at("docs/100%.txt"), "50% + #2;ö.txt")
    gio("move", gio.at("docs/it's.txt"), gio.at("docs/sub #1 100% ä/it is.txt"))
    gio("copy", gio.at("docs/one+two.txt"), gio.at("docs/sub #1 100% ä/"))
    gio("move", gio.at("docs/plain.txt"), gio.at("docs/this & that.txt"))
    gio("remove", gio.at("docs/semi;colon.txt"))
    docs["50% + #2;ö.txt"] = docs.pop("100%.txt")
    docs["sub #1 100% ä/it is.txt"] = docs.pop("it's.txt")
    docs["sub #1 100% ä/one+two.txt"] = docs["one+two.txt"]
    docs["this & that.txt"] = docs.pop("plain.txt")
    del docs["semi;colon.txt"]
    assert home.bucket.bodies() == {f"docs/{key}": docs[key] for key in docs}

    gio("rename", gio.at("docs"), "papiere")
    assert home.bucket.bodies() == {f"papiere/{key}": docs[key] for key in docs}


def test_gnome_files_removes_empty_folders_alone(gio: Gio, home: Home) -> None:
    gio("mkdir", gio.at("docs"))
    gio("save", gio.at("docs/a.txt"), stdin=b"a")
    gio("remove", gio.at("docs"), expect=1)
    assert home.bucket.bodies() == {"docs/": b"", "docs/a.txt": b"a"}
    gio("remove", gio.at("docs/a.txt"))
    gio("remove", gio.at("docs"))
    assert home.bucket.bodies() == {}


def test_an_editor_saves_only_over_the_version_that_it_read(gio: Gio, home: Home) -> None:
    gio("save", gio.at("a.txt"), stdin=b"first")
    etag = gio.attributes("a.txt")["etag::value"]
    assert etag == home.bucket.get("a.txt").etag
    gio("save", "--etag", etag, gio.at("a.txt"), stdin=b"second")
    assert home.bucket.bodies() == {"a.txt": b"second"}
    gio("save", "--etag", etag, gio.at("a.txt"), stdin=b"of an old one", expect=2)
    assert home.bucket.bodies() == {"a.txt": b"second"}


def test_gnome_files_shows_size_type_and_time(gio: Gio, home: Home, tmp_path: Path) -> None:
    body = bytes(range(256)) * 80_000  # more than a part
    (tmp_path / "big ü.png").write_bytes(body)
    gio("copy", "big ü.png", gio.at(""))
    shown = gio.attributes("big ü.png")
    assert shown["size"] == str(len(body))
    assert shown["standard::content-type"] == "image/png"
    modified = home.bucket.client.head_object(
        Bucket=home.bucket.name, Key=f"{home.bucket.prefix}big ü.png"
    )["LastModified"]
    assert shown["time::modified"] == str(int(modified.timestamp()))
    gio("copy", gio.at("big ü.png"), "down")
    assert (tmp_path / "down").read_bytes() == body
    assert home.bucket.bodies() == {"big ü.png": body}
