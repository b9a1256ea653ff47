"""The store fails while it is being read: before the first byte that is a status, and after it the
end of the connection."""

import http.client
import logging
from collections.abc import Iterator

import pytest

from davbridge.errors import UnavailableError
from davbridge.store.base import ObjectInfo, ObjectReader
from davbridge.store.memory import MemoryStore
from tests.support.bridge import Bridge, Client, running_bridge
from tests.support.intercepted import InterceptedStore, ShortPages
from tests.support.objects import put

SIZE = 3 * 256 * 1024
"""Three blocks."""


class BreakingReader:
    """A reader that fails after so many reads."""

    def __init__(self, inner: ObjectReader, reads: int) -> None:
        self._inner = inner
        self._reads = reads
        self.is_closed = False

    @property
    def info(self) -> ObjectInfo:
        return self._inner.info

    def read(self, size: int = -1) -> bytes:
        self._reads -= 1
        if self._reads < 0:
            raise UnavailableError("the store at 10.0.0.1 broke off")
        return self._inner.read(size)

    def close(self) -> None:
        self.is_closed = True
        self._inner.close()

    def __enter__(self) -> "BreakingReader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class BreakingStore(InterceptedStore):
    """Opens ``opens`` readers, each of which fails after ``reads`` reads."""

    opens = 10
    reads = 0

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.readers: list[BreakingReader] = []

    def get_object(
        self, key: str, *, start: int = 0, end: int | None = None, if_match: str | None = None
    ) -> ObjectReader:
        if len(self.readers) >= self.opens:
            raise UnavailableError("the store is gone")
        inner = super().get_object(key, start=start, end=end, if_match=if_match)
        self.readers.append(BreakingReader(inner, self.reads))
        return self.readers[-1]


@pytest.fixture
def store() -> BreakingStore:
    store = BreakingStore()
    put(store, "a", body=b"x" * SIZE)
    return store


@pytest.fixture
def client(store: BreakingStore) -> Iterator[Client]:
    with running_bridge(store) as bridge, bridge.client() as client:
        yield client


RANGES = ["", "bytes=0-9", "bytes=0-9,2000-2009"]


@pytest.mark.parametrize("range_", RANGES, ids=["whole", "range", "ranges"])
def test_a_file_that_fails_before_its_first_byte_is_a_503(
    range_: str, client: Client, store: BreakingStore, caplog: pytest.LogCaptureFixture
) -> None:
    answer = client("GET", "/a", headers={"Range": range_} if range_ else {})
    assert (answer.status, answer.header("Retry-After")) == (503, "5")
    assert b"10.0.0.1" not in answer.body
    assert all(reader.is_closed for reader in store.readers)
    assert warnings(caplog) == ["GET /a: the store at 10.0.0.1 broke off"]


@pytest.mark.parametrize("range_", ["", "bytes=0-600000,700000-700009"], ids=["whole", "ranges"])
def test_a_file_that_fails_midway_is_cut_short(
    range_: str, client: Client, store: BreakingStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.reads = 1
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        client("GET", "/a", headers={"Range": range_} if range_ else {})
    assert warnings(caplog) == [
        "an answer can't be sent to its end: the store at 10.0.0.1 broke off"
    ]


def test_a_second_range_that_cannot_be_opened_cuts_the_answer_short(
    client: Client, store: BreakingStore, caplog: pytest.LogCaptureFixture
) -> None:
    store.reads, store.opens = 2, 1
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        client("GET", "/a", headers={"Range": "bytes=0-9,400000-400009"})
    assert warnings(caplog) == ["an answer can't be sent to its end: the store is gone"]


@pytest.fixture
def long_listing() -> Iterator[tuple[ShortPages, Bridge]]:
    store = ShortPages(MemoryStore(), 10)
    for number in range(30):
        put(store, f"d/{number:02}", body=b"x")
    with running_bridge(store) as bridge:
        yield store, bridge


def test_a_listing_whose_later_page_fails_is_cut_short(
    long_listing: tuple[ShortPages, Bridge], caplog: pytest.LogCaptureFixture
) -> None:
    store, bridge = long_listing
    store.lose_answer("list_objects", "d/", UnavailableError("the store is gone"), skip=2)
    with bridge.client() as client:
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            client("PROPFIND", "/d/", depth="1")
        assert warnings(caplog) == ["an answer can't be sent to its end: the store is gone"]


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was logged that somebody should see; none of it with a traceback."""
    told = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert not any(record.exc_info for record in told)
    return [record.getMessage() for record in told]
