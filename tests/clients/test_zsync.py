"""zsync, which fetches what changed of a file, twenty ranges at a time."""

import math
import random
import re
from pathlib import Path

from tests.support.drive import Home
from tests.support.programs import require_program, run
from tests.support.waiting import until

BLOCK = 2048
RANGES = 20
"""That zsync asks for in one request."""

CHANGED = range(0, 2000, 13)
"""The blocks that the older version doesn't have: more than zsync asks for in one request."""


def test_zsync_fetches_the_blocks_that_changed_and_nothing_else(home: Home, tmp_path: Path) -> None:
    zsync, make = require_program("zsync"), require_program("zsyncmake")
    noise = random.Random(1)
    old = noise.randbytes(2000 * BLOCK)
    blocks = [old[start : start + BLOCK] for start in range(0, len(old), BLOCK)]
    for number in CHANGED:
        blocks[number] = noise.randbytes(BLOCK)
    new = b"".join(blocks)
    for name, body in (("old.img", old), ("new.img", new)):
        (tmp_path / name).write_bytes(body)
    run([make, "-b", str(BLOCK), "-u", "new.img", "new.img"], tmp_path)
    with home.server.client() as client:
        for name in ("new.img", "new.img.zsync"):
            assert client("PUT", home.path + name, (tmp_path / name).read_bytes()).status == 201
    before = home.server.log

    told = run([zsync, "-i", "old.img", "-o", "down.img", f"{home.url}new.img.zsync"], tmp_path)

    assert (tmp_path / "down.img").read_bytes() == new
    fetched = re.search(r"used (\d+) local, fetched (\d+)", told)
    assert fetched, told
    local, from_the_drive = map(int, fetched.groups())
    assert local == (2000 - len(CHANGED)) * BLOCK
    assert from_the_drive < 1.2 * len(CHANGED) * BLOCK  # with the heads of the parts
    name = f'"GET {home.path}new.img'
    requests = math.ceil(len(CHANGED) / RANGES)
    until(lambda: home.server.log.removeprefix(before).count(f'{name}" 206 ') == requests)
    assert f'{name}" 200 ' not in home.server.log.removeprefix(before)
    assert home.bucket.bodies()["new.img"] == new
