"""Stores whose times are nonsense: everything works all the same."""

from collections.abc import Callable, Iterator

import pytest

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.dav.headers.validators import http_date
from davbridge.store.s3 import S3Store
from davbridge.tree.namespace import Namespace
from tests.support.contract import fill, keys, rows
from tests.support.differing import times
from tests.support.s3proxy import Rule, S3Proxy

YEAR_1 = b"<LastModified>0001-01-01T00:00:00Z</LastModified>"
YEAR_1601 = b"<LastModified>1601-01-01T00:00:00.000Z</LastModified>"
BEFORE_YEAR_1 = b"<LastModified>0001-01-01T00:00:00+23:59</LastModified>"

TIMES: dict[str, Callable[[], Rule]] = {
    "year 1": lambda: times(YEAR_1, "Mon, 01 Jan 0001 00:00:00 GMT", copied=True),
    "year 1, but not of copies": lambda: times(
        YEAR_1, "Mon, 01 Jan 0001 00:00:00 GMT", copied=False
    ),
    "1601 in listings": lambda: times(YEAR_1601, None, copied=False),
    "none in listings": lambda: times(b"", None, copied=False),
    "none": lambda: times(b"", "", copied=True),
    "none that can be read": lambda: times(BEFORE_YEAR_1, "Mon, 99 Nov 9999 99:99:99", copied=True),
}


@pytest.fixture(params=TIMES)
def timeless(request: pytest.FixtureRequest, proxied: S3Store, proxy: S3Proxy) -> S3Store:
    proxy.rule = TIMES[request.param]()
    proxied.probe("")
    return proxied


@pytest.fixture
def tree(timeless: S3Store) -> Iterator[Namespace]:
    tree = Namespace(CachedStore(timeless, CacheSettings()), uncached=timeless)
    yield tree
    tree.close()


def test_objects_with_nonsensical_times_are_listed_and_read(
    timeless: S3Store, tree: Namespace
) -> None:
    fill(timeless, "d/", "d/a", "d/b")
    assert [row.key for row in rows(timeless, "d/")] == ["d/", "d/a", "d/b"]
    for resource in tree.members(("d",)):
        assert int(http_date(resource.modified).split()[3]) >= 1970
        with tree.open_reader(resource) as reader:
            assert reader.read(9) == b"x"
        assert tree.info(resource).row.etag == resource.etag


MOVES = {
    "a file": (("d", "a"), ("n",), ["d/", "d/b", "e/", "e/b", "n"]),
    "a file over a file": (("d", "a"), ("e", "b"), ["d/", "d/b", "e/", "e/b"]),
    "a folder": (("d",), ("n",), ["e/", "e/b", "n/", "n/a", "n/b"]),
    "a folder over a folder": (("d",), ("e",), ["e/", "e/a", "e/b"]),
}


@pytest.mark.parametrize(("source", "target", "expected"), MOVES.values(), ids=MOVES)
def test_objects_with_nonsensical_times_are_moved_and_deleted(
    timeless: S3Store,
    tree: Namespace,
    source: tuple[str, ...],
    target: tuple[str, ...],
    expected: list[str],
) -> None:
    fill(timeless, "d/", "d/a", "d/b", "e/", "e/b")
    assert tree.move(source, target) == []
    assert keys(timeless) == expected
    assert tree.delete(target) == []
    assert tree.find(target) is None
