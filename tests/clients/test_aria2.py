"""aria2, which downloads one file over many connections, each a range of its own."""

import random
from pathlib import Path

from tests.support.drive import Home
from tests.support.programs import require_program, run
from tests.support.waiting import until

CONNECTIONS = 16


def test_aria2_downloads_one_file_over_16_connections(home: Home, tmp_path: Path) -> None:
    aria2 = require_program("aria2c")
    body = random.Random(1).randbytes(32_000_000)
    with home.server.client() as client:
        assert client("PUT", f"{home.path}big%20%C3%BC.bin", body).status == 201
    before = home.server.log

    run(
        [
            *(aria2, "--no-conf", "--quiet", "--max-tries=1", "--out=down.bin"),
            *(f"--split={CONNECTIONS}", f"--max-connection-per-server={CONNECTIONS}"),
            *("--min-split-size=1M", f"{home.url}big%20%C3%BC.bin"),
        ],
        tmp_path,
    )

    assert (tmp_path / "down.bin").read_bytes() == body
    until(lambda: home.server.log.removeprefix(before).count('"GET ') >= CONNECTIONS)
    assert home.bucket.bodies() == {"big ü.bin": body}
