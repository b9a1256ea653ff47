"""Threads that write, fail and read at once, with more than one writer to a name: whatever a write
was told, nobody is shown what was over before it.

A write fails before the store has done it, or after; a batch fails for some of its keys. What the
store has really done is on record, and each answer of the cache is judged by it.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import inf
from random import Random
from typing import TypeVar

import pytest

from davbridge.cache import CachedStore
from davbridge.cache.corrections import home_of
from davbridge.config import CacheSettings
from davbridge.errors import NotFoundError, StoreError, UnavailableError
from davbridge.paths import DELIMITER
from davbridge.store.base import (
    ALWAYS,
    NO_VERSIONS,
    PAGE_SIZE,
    Attributes,
    Condition,
    DeleteFailure,
    ObjectRow,
    ObjectStore,
)
from davbridge.store.memory import MemoryStore
from tests.support.intercepted import ShortPages

T = TypeVar("T")

WRITERS = 4
READERS = 3
STEPS = 150

KEYS = ["a", "a/", "a/x", "a/y", "a/b/z", "b", "b/x", "a-"]

PREFIXES = ["", "a/", "a/b/", "b/"]

PAUSE = 0.001
"""Seconds at the most, before and after what the store does."""


@dataclass(slots=True, eq=False)
class Version:
    """What the store has really made of an object."""

    size: int | None
    """None: there is none."""
    begun: float
    """When its write was asked for: nobody may see it before."""
    ended: float = inf
    """When its write was over, whatever was told of it."""


class Record:
    """All versions of all objects, and who is writing them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions = {key: [Version(None, 0.0, 0.0)] for key in KEYS}
        self._writing = threading.local()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Around one write, as whoever wants it sees it."""
        made: list[Version] = []
        self._writing.made, self._writing.since = made, time.monotonic()
        try:
            yield
        finally:
            for version in made:
                version.ended = time.monotonic()

    @contextmanager
    def doing(self, key: str, size: int | None) -> Iterator[None]:
        """Around the deed itself, so that the versions are in the store's own order."""
        version = Version(size, self._writing.since)
        with self._lock:
            self._versions[key].append(version)
            try:
                yield
            except StoreError:
                self._versions[key].remove(version)
                raise
        self._writing.made.append(version)

    def could_be(self, key: str, size: int | None, asked: float, answered: float) -> bool:
        """Whether a version of this size was asked for before the answer, and none that took its
        place was over, for whoever had asked for that, before the question."""
        with self._lock:
            versions = list(self._versions[key])
        is_over = False
        for version in reversed(versions):
            if version.size == size and version.begun <= answered and not is_over:
                return True
            is_over = is_over or version.ended < asked
        return False

    def could_be_there(self, key: str, asked: float, answered: float) -> bool:
        with self._lock:
            sizes = {each.size for each in self._versions[key]} - {None}
        return any(self.could_be(key, size, asked, answered) for size in sizes)

    def could_have(self, prefix: str, *, shown: bool, asked: float, answered: float) -> bool:
        """Whether anything, or nothing, could be below a prefix."""
        inside = [key for key in KEYS if key.startswith(prefix)]
        if shown:
            return any(self.could_be_there(key, asked, answered) for key in inside)
        return all(self.could_be(key, None, asked, answered) for key in inside)


class FailingStore(ShortPages):
    """Takes its time, and fails before or after it has done what it was asked for."""

    def __init__(self, inner: ObjectStore, page_size: int, record: Record, chance: Random) -> None:
        super().__init__(inner, page_size)
        self._record = record
        self._chance = chance
        self.share = 0.2

    def intercept(self, name: str, key: str, call: Callable[[], T]) -> T:
        self.stumble()
        answer = super().intercept(name, key, call)
        self.stumble()
        return answer

    def stumble(self) -> None:
        if self._chance.random() < 0.5:
            time.sleep(self._chance.random() * PAUSE)
        if self._chance.random() < self.share / 2:
            raise UnavailableError("now and then")

    def put_object(
        self, key: str, body: bytes, attributes: Attributes, condition: Condition = ALWAYS
    ) -> ObjectRow:
        def call() -> ObjectRow:
            with self._record.doing(key, len(body)):
                return self._inner.put_object(key, body, attributes, condition)

        return self.intercept("put_object", key, call)

    def copy_object(
        self,
        source: ObjectRow,
        target: str,
        *,
        attributes: Attributes | None = None,
        condition: Condition = ALWAYS,
    ) -> ObjectRow:
        def call() -> ObjectRow:
            with self._record.doing(target, source.size):
                return self._inner.copy_object(
                    source, target, attributes=attributes, condition=condition
                )

        return self.intercept("copy_object", target, call)

    def delete_object(self, key: str, *, version: ObjectRow | None = None) -> None:
        def call() -> None:
            with self._record.doing(key, None):
                self._inner.delete_object(key, version=version)

        self.intercept("delete_object", key, call)

    def delete_objects(
        self, keys: Sequence[str], *, versions: Mapping[str, ObjectRow] = NO_VERSIONS
    ) -> list[DeleteFailure]:
        failures = []
        for key in keys:
            try:
                with suppress(NotFoundError):
                    self.delete_object(key, version=versions.get(key))
            except StoreError as error:
                failures.append(DeleteFailure(key, error))
        self.stumble()
        return failures


class Work:
    """A cache, what it has inside, and threads that use both."""

    def __init__(self, seed: int, page_size: int, settings: CacheSettings) -> None:
        self.record = Record()
        self.store = FailingStore(MemoryStore(), page_size, self.record, Random(f"{seed} faults"))
        self.cached = CachedStore(self.store, settings)
        self.seed = seed

    def write(self, number: int) -> None:
        chance = Random(f"{self.seed} writer {number}")
        for step in range(1, STEPS):
            with suppress(StoreError), self.record.writing():
                self.write_some(chance, STEPS * number + step)

    def write_some(self, chance: Random, size: int) -> None:
        """A put, a deletion, a batch, or a copy: of what the cache shows, as a MOVE begins."""
        kind, key = chance.random(), chance.choice(KEYS)
        if kind < 0.4:
            self.cached.put_object(key, b"x" * size, Attributes())
        elif kind < 0.6:
            self.cached.delete_object(key)
        elif kind < 0.8:
            self.cached.delete_objects(chance.sample(KEYS, chance.randint(1, 4)))
        else:
            row = self.cached.head_object(chance.choice(KEYS)).row
            if row.key != key:
                self.cached.copy_object(row, key)

    def look(self, chance: Random) -> None:
        """At one thing or another. What is shown has to be what could be."""
        asked = time.monotonic()
        key = chance.choice(KEYS)
        kind = chance.random()
        if kind < 0.5:
            self.look_into(chance.choice(PREFIXES), asked, PAUSE * chance.randint(0, 1))
        elif kind < 0.75 and not key.endswith(DELIMITER):
            found = self.cached.lookup(key)
            self.judge({key: found.row and found.row.size}, asked)
            self.judge_prefixes({key + DELIMITER: found.is_prefix}, asked)
        else:
            self.judge({key: self.size_of(key)}, asked)

    def look_into(self, prefix: str, asked: float, pause: float) -> None:
        sizes: dict[str, int] = {}
        prefixes: set[str] = set()
        for page in self.cached.list_objects(prefix, delimiter=DELIMITER):
            sizes |= {row.key: row.size for row in page.rows}
            prefixes.update(page.prefixes)
            time.sleep(pause)
        self.judge({key: sizes.get(key) for key in KEYS if home_of(key) == prefix}, asked)
        inside = (each for each in PREFIXES if each and home_of(each[:-1]) == prefix)
        self.judge_prefixes({each: each in prefixes for each in inside}, asked)

    def size_of(self, key: str) -> int | None:
        try:
            return self.cached.head_object(key).row.size
        except NotFoundError:
            return None

    def judge(self, shown: Mapping[str, int | None], asked: float) -> None:
        answered = time.monotonic()
        for key, size in shown.items():
            assert self.record.could_be(key, size, asked, answered), (key, size)

    def judge_prefixes(self, shown: Mapping[str, bool], asked: float) -> None:
        answered = time.monotonic()
        for each, is_there in shown.items():
            is_possible = self.record.could_have(
                each, shown=is_there, asked=asked, answered=answered
            )
            assert is_possible, (each, is_there)


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize(
    ("page_size", "settings"),
    [
        (2, CacheSettings()),
        (PAGE_SIZE, CacheSettings(max_entries=12)),
        (PAGE_SIZE, CacheSettings()),
        (2, CacheSettings(ttl=0.005, negative_ttl=0.002)),
    ],
)
def test_whatever_writers_are_answered_readers_see_what_was_stored(
    page_size: int, settings: CacheSettings, seed: int
) -> None:
    work = Work(seed, page_size, settings)

    def read(number: int) -> None:
        chance = Random(f"{seed} reader {number}")
        while not all(each.done() for each in writers):
            with suppress(UnavailableError):
                work.look(chance)

    with ThreadPoolExecutor() as pool:
        writers = [pool.submit(work.write, number) for number in range(WRITERS)]
        readers = [pool.submit(read, number) for number in range(READERS)]
        for thread in (*writers, *readers):
            thread.result()
    work.store.share = 0
    for _ in range(50):
        work.look(Random())
    work.cached.close()
