"""Threads that write and read at once: nobody is shown what was over before they asked, nor what
had not begun. Pages are short, and what is kept has little room, so that it comes and goes."""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from random import Random
from typing import NamedTuple

import pytest

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.errors import NotFoundError
from davbridge.store.base import PAGE_SIZE, Attributes
from davbridge.store.memory import MemoryStore
from tests.support.intercepted import ShortPages

WRITERS = 3
ROUNDS = 250

SEGMENTS = ["a", "a-", "a.", "b", "b0", "z"]


class Version(NamedTuple):
    size: int | None
    """None: there is no object."""
    begun: float
    """When its write began: nobody may see it before."""


class History:
    """The versions of one object. It has one writer, and any number of readers."""

    def __init__(self) -> None:
        self._versions = [Version(None, 0.0)]
        self._ends = [0.0]
        """When the write of each had ended: from then on nobody may see the one before."""

    @contextmanager
    def becoming(self, size: int | None) -> Iterator[None]:
        self._versions.append(Version(size, time.monotonic()))
        yield
        self._ends.append(time.monotonic())

    def could_be(self, size: int | None, asked: float, answered: float) -> bool:
        ends = list(self._ends)
        versions = list(self._versions)
        gone = [*ends[1:], *[float("inf")] * (len(versions) - len(ends) + 1)]
        return any(
            version.size == size and version.begun <= answered and end >= asked
            for version, end in zip(versions, gone, strict=True)
        )


def write(cached: CachedStore, histories: dict[str, History], chance: Random) -> None:
    for size in range(1, ROUNDS):
        key = chance.choice(list(histories))
        if chance.random() < 0.6:
            with histories[key].becoming(size):
                cached.put_object(key, b"x" * size, Attributes())
        else:
            with histories[key].becoming(None):
                cached.delete_objects([key])


def look(cached: CachedStore, keys: list[str], chance: Random) -> dict[str, int | None]:
    """What is shown of some of the keys, in one way or another."""
    if chance.random() < 0.5:
        pages = cached.list_objects("d/", delimiter="/")
        sizes = {row.key: row.size for page in pages for row in page.rows}
        return {key: sizes.get(key) for key in keys}
    key = chance.choice(keys)
    if chance.random() < 0.5:
        row = cached.lookup(key).row
        return {key: row and row.size}
    try:
        return {key: cached.head_object(key).row.size}
    except NotFoundError:
        return {key: None}


@pytest.fixture
def _many_switches() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("_many_switches")
@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("page_size", "max_entries"), [(3, 500_000), (PAGE_SIZE, 12), (PAGE_SIZE, 500_000)]
)
def test_readers_see_what_was_stored_during_their_request(
    page_size: int, max_entries: int, seed: int
) -> None:
    own = [{f"d/{name}{n}": History() for name in SEGMENTS} for n in range(WRITERS)]
    histories = {key: history for each in own for key, history in each.items()}
    store = ShortPages(MemoryStore(), page_size)
    cached = CachedStore(store, CacheSettings(max_entries=max_entries))

    def read(chance: Random) -> None:
        while not all(each.done() for each in writers):
            asked = time.monotonic()
            shown = look(cached, list(histories), chance)
            answered = time.monotonic()
            for key, size in shown.items():
                assert histories[key].could_be(size, asked, answered), (key, size)

    with ThreadPoolExecutor() as pool:
        writers = [
            pool.submit(write, cached, each, Random(f"{seed} {number}"))
            for number, each in enumerate(own)
        ]
        readers = [pool.submit(read, Random(f"{seed} reader {number}")) for number in range(3)]
        for thread in (*writers, *readers):
            thread.result()
    cached.close()
