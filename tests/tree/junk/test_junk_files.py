"""The junk in memory: its bounds."""

from collections.abc import Callable

import pytest

from davbridge.errors import OutOfSpaceError
from davbridge.store.base import Attributes
from davbridge.tree.junk.files import (
    LIFETIME,
    MAX_BYTES,
    MAX_FILE_BYTES,
    MAX_FILES,
    JunkFiles,
    _weight,
)
from davbridge.tree.properties.sidecar_format import MAX_RESOURCE_BYTES
from tests.support.timer import Timer
from tests.tree.conftest import Clock


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def files(timer: Callable[[], float]) -> JunkFiles:
    return JunkFiles("", timer, Clock())


def put(files: JunkFiles, name: str, size: int = 0) -> None:
    files.put((name,), bytes(size), Attributes())


def there(files: JunkFiles, names: list[str]) -> list[str]:
    return [name for name in names if files.find((name,))]


def test_the_bytes_are_bounded_and_the_oldest_files_go_first(files: JunkFiles) -> None:
    names = [f"._{number}" for number in range(MAX_BYTES // MAX_FILE_BYTES + 10)]
    for name in names:
        put(files, name, MAX_FILE_BYTES)
    left = there(files, names)
    assert left == names[-len(left) :]
    assert 0 < len(left) * MAX_FILE_BYTES <= MAX_BYTES


def test_the_number_of_files_is_bounded_and_the_oldest_go_first(files: JunkFiles) -> None:
    names = [f"._{number}" for number in range(MAX_FILES + 10)]
    for name in names:
        put(files, name)
    assert there(files, names) == names[10:]


def test_properties_count_among_the_bytes(files: JunkFiles) -> None:
    put(files, "._a")
    for name in ("a", "b", "c"):
        file = files.find(("._a",))
        assert file
        files.change_properties(file, {name: "x" * 100_000}, None)
    file = files.find(("._a",))
    assert file
    assert _weight(file) > 300_000
    with pytest.raises(OutOfSpaceError):
        files.change_properties(file, {"d": "x" * MAX_RESOURCE_BYTES}, None)
    assert files.find(("._a",)) == file


def test_a_file_goes_after_a_while_and_each_write_prolongs_it(
    files: JunkFiles, timer: Timer
) -> None:
    put(files, "._a")
    put(files, "._b")
    timer.advance(LIFETIME - 1)
    put(files, "._b")
    timer.advance(2)
    assert there(files, ["._a", "._b"]) == ["._b"]
    timer.advance(LIFETIME)
    assert there(files, ["._a", "._b"]) == []


def test_equal_contents_are_different_versions(files: JunkFiles) -> None:
    one = files.put(("._a",), b"same", Attributes())
    other = files.put(("._a",), b"same", Attributes())
    assert one.etag != other.etag
    assert files.version(one) is None
    assert files.version(other) is not None
