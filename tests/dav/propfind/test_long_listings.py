"""Long answers are streamed: they begin with the first page, and nothing of them piles up."""

import gc
import http.client
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from davbridge.config import DriveSettings
from davbridge.store.base import PAGE_SIZE, Attributes, Lookup, ObjectRow, Page
from davbridge.store.memory import MemoryStore
from tests.support.bridge import Bridge, running_bridge
from tests.support.intercepted import GatedStore

NAMED = (
    '<propfind xmlns="DAV:"><prop><resourcetype/><getcontentlength/><getlastmodified/><getetag/>'
    "</prop></propfind>"
)

BLOCK = 64 * 1024


@contextmanager
def listing(
    bridge: Bridge, target: str, body: str = "", depth: str = "1"
) -> Iterator[http.client.HTTPResponse]:
    """An answer whose body hasn't been read."""
    connection = http.client.HTTPConnection("127.0.0.1", bridge.port, timeout=30)
    try:
        connection.request("PROPFIND", target, body, {"Depth": depth})
        yield connection.getresponse()
    finally:
        connection.close()


def length_of(response: http.client.HTTPResponse) -> int:
    return sum(map(len, iter(lambda: response.read(BLOCK), b"")))


def test_the_first_bytes_leave_when_the_first_page_is_there() -> None:
    store = GatedStore(MemoryStore())
    for number in range(2 * PAGE_SIZE):
        store.put_object(f"d/{number:05}", b"x", Attributes())
    with running_bridge(store) as bridge:
        store.gate("list_objects", "d/").open()
        second = store.gate("list_objects", "d/")
        with listing(bridge, "/d/", NAMED) as response:
            assert response.status == 207
            first = response.read(BLOCK)
            assert b"<D:href>/d/00000</D:href>" in first
            second.open()
            assert response.read().rstrip().endswith(b"</D:multistatus>")


@pytest.mark.parametrize("count", [1, PAGE_SIZE])
def test_an_answer_of_one_page_has_a_length(count: int) -> None:
    store = MemoryStore()
    for number in range(count):
        store.put_object(f"d/{number:05}", b"x", Attributes())
    with running_bridge(store) as bridge, listing(bridge, "/d/") as response:
        assert response.length is not None
        assert response.length == len(response.read())


class Endless(MemoryStore):
    """Lists as many files as it is told to, made up as a parser makes them: nothing is shared."""

    def __init__(self, rows: int) -> None:
        super().__init__()
        self._rows = rows

    def list_objects(
        self, prefix: str, *, delimiter: str = "", page_size: int = PAGE_SIZE
    ) -> Iterator[Page]:
        for start in range(0, self._rows, PAGE_SIZE):
            rows = tuple(made_up(prefix, number) for number in range(start, start + PAGE_SIZE))
            yield Page(rows, (), is_last=start + PAGE_SIZE >= self._rows)

    def lookup(self, key: str, *, bypass_cache: bool = False) -> Lookup:
        return Lookup(None, is_prefix=False)


def made_up(prefix: str, number: int) -> ObjectRow:
    modified = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    return ObjectRow(f"{prefix}IMG_{number:07}.JPG", 10**6 + number, modified, f"{number:032x}")


ENTRIES = 10_000

BYTES_AN_ENTRY = 1200
"""The row, and its response to allprop. A hundred thousand entries may take 200 MB, of which an
idle process takes 80."""


def test_what_a_listing_takes_is_its_rows_and_its_text() -> None:
    with running_bridge(Endless(ENTRIES)) as bridge:
        gc.collect()
        tracemalloc.start()
        try:
            with listing(bridge, "/d/") as response:
                assert length_of(response) > ENTRIES * 400
            kept, peak = tracemalloc.get_traced_memory()
            assert peak < ENTRIES * BYTES_AN_ENTRY
            # What is sent is what is kept, a page at a time: the whole has over 4 MB.
            tracemalloc.reset_peak()
            with listing(bridge, "/d/") as response:
                assert length_of(response) > ENTRIES * 400
            assert tracemalloc.get_traced_memory()[1] - kept < 3_000_000
        finally:
            tracemalloc.stop()


def peak_of_tree(entries: int) -> int:
    """Bytes that the answer to a PROPFIND with Depth: infinity takes at the most."""
    with running_bridge(Endless(entries)) as bridge:
        gc.collect()
        tracemalloc.start()
        try:
            with listing(bridge, "/", depth="infinity") as response:
                assert length_of(response) > entries * 400
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


def test_what_a_tree_takes_does_not_grow_with_it() -> None:
    assert peak_of_tree(8 * PAGE_SIZE) < 1.3 * peak_of_tree(2 * PAGE_SIZE)


@pytest.mark.parametrize("limit", [0, 1, PAGE_SIZE])
def test_a_tree_over_the_limit_is_refused_where_that_is_known_at_once(limit: int) -> None:
    """RFC 4918 §9.1.1."""
    settings = DriveSettings(infinity_limit=limit)
    with (
        running_bridge(Endless(PAGE_SIZE), drive=settings) as bridge,
        listing(bridge, "/", depth="infinity") as response,
    ):
        assert response.status == 403
        assert b"propfind-finite-depth" in response.read()


def test_a_tree_that_turns_out_to_be_over_the_limit_breaks_the_connection() -> None:
    settings = DriveSettings(infinity_limit=2 * PAGE_SIZE)
    with (
        running_bridge(Endless(3 * PAGE_SIZE), drive=settings) as bridge,
        listing(bridge, "/", depth="infinity") as response,
    ):
        assert response.status == 207
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            length_of(response)


def test_a_tree_just_within_the_limit_is_answered_whole() -> None:
    settings = DriveSettings(infinity_limit=2 * PAGE_SIZE + 1)
    with (
        running_bridge(Endless(2 * PAGE_SIZE), drive=settings) as bridge,
        listing(bridge, "/", depth="infinity") as response,
    ):
        body = response.read()
    assert body.count(b"<D:response>") == 2 * PAGE_SIZE + 1
    assert body.rstrip().endswith(b"</D:multistatus>")
