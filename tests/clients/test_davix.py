"""A day's work with davix, the client of physicists, and its vector reads."""

import random
from functools import partial
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from tests.support.drive import Home
from tests.support.names import NAMES
from tests.support.programs import require_program, run
from tests.support.waiting import until

VECTOR_READ = Path(__file__).parent / "davix" / "vector_read.cpp"


class Davix:
    """davix' commands, on one collection."""

    def __init__(self, home: Home, folder: Path) -> None:
        self._url = home.url
        self._folder = folder

    def at(self, path: str) -> str:
        return self._url + quote(path)

    def __call__(self, command: str, *arguments: str, expect: int | None = 0) -> list[str]:
        """The lines it wrote."""
        program = require_program(f"davix-{command}")
        return run([program, *arguments], self._folder, expect=expect).splitlines()

    def move(self, source: str, target: str) -> None:
        # davix-mv 0.8.4 exits with 255 also after a 201. Of a failure, it writes a line.
        assert self("mv", self.at(source), self.at(target), expect=None) == []


@pytest.fixture
def davix(home: Home, tmp_path: Path) -> Davix:
    return Davix(home, tmp_path)


def test_a_days_work_with_davix_leaves_plain_objects(
    davix: Davix, home: Home, tmp_path: Path
) -> None:
    big = random.Random(1).randbytes(20_000_000)  # more than a part
    docs = {name: name.encode() for name in NAMES} | {"big.bin": big}
    davix("mkdir", davix.at("docs"))
    for name, body in docs.items():
        (tmp_path / name).write_bytes(body)
        davix("put", name, davix.at(f"docs/{name}"))
    assert set(map(unquote, davix("ls", davix.at("docs")))) == docs.keys()
    assert home.bucket.bodies() == {f"docs/{name}": docs[name] for name in docs} | {"docs/": b""}

    davix.move("docs/100%.txt", "docs/50% + #2;.txt")
    docs["50% + #2;.txt"] = docs.pop("100%.txt")
    davix.move("docs", "papiere")
    davix("rm", davix.at("papiere/plain.txt"))
    del docs["plain.txt"]
    for name, body in docs.items():
        davix("get", davix.at(f"papiere/{name}"), "down")
        assert (tmp_path / "down").read_bytes() == body
    left = {f"papiere/{name}": docs[name] for name in docs} | {"papiere/": b""}
    assert home.bucket.bodies() == left
    davix("get", davix.at("docs/plain.txt"), "missing", expect=255)


@pytest.fixture
def vector_read(tmp_path: Path) -> Path:
    """A program that reads many ranges at once by davix' library."""
    require_program("davix-get")
    compiler = require_program("g++")
    if not Path("/usr/include/davix/davix.hpp").exists():
        pytest.skip("davix-dev is not installed")
    program = tmp_path / "vector_read"
    include = ["-I", "/usr/include/davix"]
    run([compiler, *include, "-o", program, VECTOR_READ, "-l", "davix"], tmp_path)
    return program


def test_a_vector_read_of_davix_of_up_to_200_ranges_is_one_request(
    vector_read: Path, home: Home, tmp_path: Path
) -> None:
    size, step = 1000, 20_000
    body = random.Random(1).randbytes(250 * step)
    with home.server.client() as client:
        assert client("PUT", f"{home.path}big.bin", body).status == 201
    for count in (1, 20, 150, 250):
        before = home.server.log
        figures = [str(figure) for figure in (count, size, step)]
        run(["sh", "-c", '"$@" >down', "-", vector_read, f"{home.url}big.bin", *figures], tmp_path)
        expected = [body[number * step :][:size] for number in range(count)]
        assert (tmp_path / "down").read_bytes() == b"".join(expected)
        if count <= 200:  # Else it gets the whole, lets it go, and asks for each by itself.
            until(partial(has_one_get, home, before))
    assert home.bucket.bodies() == {"big.bin": body}


def has_one_get(home: Home, before: str) -> bool:
    """Whether the access log has just one since it was ``before``."""
    return home.server.log.removeprefix(before).count('"GET ') == 1
