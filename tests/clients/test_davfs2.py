"""davfs2: the drive as a file system of the kernel's."""

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.drive import Home
from tests.support.names import NAMES
from tests.support.programs import require_program, run

SETTINGS = """\
ask_auth 0
use_locks 1
delay_upload 0
cache_dir {cache}
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that every user may enter, unlike pytest's: mount.davfs goes on as the user davfs2."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def mounted(home: Home, folder: Path) -> Iterator[Path]:
    """The folder where the test's collection is mounted."""
    mount, unmount = require_program("mount.davfs"), require_program("umount")
    if os.geteuid() != 0 or not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("mounting needs root and /dev/fuse")
    point, cache, settings = (folder / name for name in ("mnt", "cache", "davfs2.conf"))
    point.mkdir()
    cache.mkdir()
    cache.chmod(0o777)
    settings.write_text(SETTINGS.format(cache=cache))
    settings.chmod(0o600)
    run([mount, "-o", f"conf={settings},uid=0,gid=0", home.url, point], folder)
    try:
        yield point
    finally:
        run([unmount, point], folder)


def test_a_days_work_on_a_mounted_drive_leaves_plain_objects(mounted: Path, home: Home) -> None:
    docs = mounted / "docs"
    docs.mkdir()
    for name in NAMES:
        (docs / name).write_bytes(name.encode())
    for name in NAMES:
        assert (docs / name).read_bytes() == name.encode()
    (docs / "plain.txt").write_bytes(b"a second version")
    (docs / "100%.txt").rename(docs / "50% + #2;.txt")
    (docs / "sub").mkdir()
    (docs / "it's.txt").rename(docs / "sub" / "it is.txt")
    (docs / "comma, equals = at @ (brackets) [square].txt").unlink()
    os.sync()
    left = {name: name.encode() for name in NAMES[:-1]}
    left["plain.txt"] = b"a second version"
    left["50% + #2;.txt"] = left.pop("100%.txt")
    left["sub/it is.txt"] = left.pop("it's.txt")
    left |= {"": b"", "sub/": b""}
    assert home.bucket.bodies() == {f"docs/{name}": body for name, body in left.items()}


def test_a_large_file_survives_the_mount(mounted: Path, home: Home) -> None:
    body = bytes(range(256)) * 80_000  # more than a part
    (mounted / "big.bin").write_bytes(body)
    assert (mounted / "big.bin").read_bytes() == body
    assert home.bucket.bodies() == {"big.bin": body}
    (mounted / "big.bin").unlink()
    assert home.bucket.bodies() == {}
