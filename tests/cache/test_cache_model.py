"""Whatever is done in whatever order: the cache shows what the store inside shows.

Names are few and alike, so that keys, markers and prefixes collide; pages are short, so that
collections are large; what is already kept is left to chance.
"""

from collections.abc import Callable
from contextlib import suppress
from itertools import product
from random import Random

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.errors import NotFoundError, StoreError, UnavailableError
from davbridge.store.base import (
    ALWAYS,
    IF_ABSENT,
    PAGE_SIZE,
    Attributes,
    Condition,
    ObjectInfo,
    ObjectStore,
)
from davbridge.store.memory import MemoryStore
from tests.support.intercepted import ShortPages
from tests.support.objects import names
from tests.support.timer import Timer

SEGMENTS = ["a", "a-"]

EVERY_PREFIX = [
    "".join(f"{segment}/" for segment in segments)
    for depth in range(3)
    for segments in product(SEGMENTS, repeat=depth)
]

EVERY_OBJECT = ["".join(parts) for parts in product(EVERY_PREFIX, SEGMENTS)]

KEYS = st.sampled_from([*EVERY_OBJECT, *EVERY_PREFIX[1:], "a//a", "/a"])

BODIES = st.sampled_from([b"", b"1", b"22"])
TYPES = st.sampled_from(["text/plain", "application/x-directory"]).map(Attributes)

LOST = UnavailableError("the answer was lost")


def info_of(store: ObjectStore, key: str) -> ObjectInfo | None:
    try:
        return store.head_object(key)
    except NotFoundError:
        return None


class CacheMachine(RuleBasedStateMachine):
    @initialize(
        ttl=st.sampled_from([60.0, 60.0, 60.0, 0.0]),
        negative_ttl=st.sampled_from([10.0, 100.0, 0.0]),
        max_entries=st.sampled_from([1000, 1000, 12]),
        page_size=st.sampled_from([1, 3, PAGE_SIZE]),
        curiosity=st.sampled_from([0.02, 0.2, 1.0]),
        seed=st.integers(0, 1000),
    )
    def start(
        self,
        ttl: float,
        negative_ttl: float,
        max_entries: int,
        page_size: int,
        curiosity: float,
        seed: int,
    ) -> None:
        self.timer = Timer()
        self.inner = ShortPages(MemoryStore(), page_size)
        bounds = CacheSettings(ttl=ttl, negative_ttl=negative_ttl, max_entries=max_entries)
        self.cached = CachedStore(self.inner, bounds, timer=self.timer)
        self.random = Random(seed)
        self.curiosity = curiosity
        self.written = 0

    @invariant()
    def shows_what_the_inner_store_shows(self) -> None:
        """Here and there, so that what is kept already varies."""
        for look, name in LOOKS:
            if self.random.random() < self.curiosity:
                look(self, name)

    # Reading: each has to be what the inner store says now.

    def list_collection(self, prefix: str) -> None:
        assert names(self.cached, prefix) == names(self.inner, prefix)

    def begin_to_list(self, prefix: str) -> None:
        next(self.cached.list_objects(prefix, delimiter="/"))

    def lookup(self, key: str) -> None:
        assert self.cached.lookup(key) == self.inner.lookup(key)

    def head(self, key: str) -> None:
        assert info_of(self.cached, key) == info_of(self.inner, key)

    # Writing: done, refused, or done and the answer lost.

    @rule(key=KEYS, attributes=TYPES, condition=st.sampled_from([ALWAYS, IF_ABSENT]))
    def put(self, key: str, attributes: Attributes, condition: Condition) -> None:
        with suppress(StoreError):
            self.cached.put_object(key, b"", attributes, condition)

    @rule(key=KEYS, body=BODIES, attributes=TYPES)
    def write(self, key: str, body: bytes, attributes: Attributes) -> None:
        writer = self.cached.open_writer(key, attributes)
        writer.write(body)
        writer.commit()

    @rule(source=KEYS, copy=KEYS, attributes=st.none() | TYPES)
    def copy_object(self, source: str, copy: str, attributes: Attributes | None) -> None:
        if info := info_of(self.inner, source):
            self.cached.copy_object(info.row, copy, attributes=attributes)

    @rule(key=KEYS)
    def delete(self, key: str) -> None:
        self.cached.delete_object(key)

    @rule(keys=st.lists(KEYS, max_size=8))
    def delete_many(self, keys: list[str]) -> None:
        self.cached.delete_objects(keys)

    @rule(key=KEYS)
    def lose_the_answer_to_a_put(self, key: str) -> None:
        self.inner.lose_answer("put_object", key, LOST)
        with pytest.raises(UnavailableError):
            self.cached.put_object(key, b"", Attributes())

    @rule(key=KEYS)
    def lose_the_answer_to_a_deletion(self, key: str) -> None:
        self.inner.lose_answer("delete_object", key, LOST)
        with pytest.raises(UnavailableError):
            self.cached.delete_object(key)

    # What comes from outside

    @rule(key=KEYS, body=BODIES, deletion=st.booleans())
    def another_program_writes_and_an_event_tells(
        self, key: str, body: bytes, deletion: bool
    ) -> None:
        if deletion:
            self.inner.delete_object(key)
        else:
            self.inner.put_object(key, body, Attributes())
        self.cached.invalidate(key)

    @rule(key=st.sampled_from(EVERY_OBJECT), deletion=st.booleans())
    def another_program_writes_and_the_store_is_asked_past_the_cache(
        self, key: str, deletion: bool
    ) -> None:
        if deletion:
            self.inner.delete_object(key)
        else:
            # Equal bytes within a second would be the same version, whatever their type.
            self.written += 1
            self.inner.put_object(key, f"other {self.written}".encode(), Attributes())
        assert self.cached.lookup(key, bypass_cache=True) == self.inner.lookup(key)
        assert self.cached.lookup(key) == self.inner.lookup(key)
        if deletion:
            # Whether the folders around it are gone as well was not asked.
            self.cached.invalidate(key)

    @rule(seconds=st.sampled_from([5, 50]))
    def time_passes(self, seconds: int) -> None:
        self.timer.advance(seconds)

    @rule()
    def clear(self) -> None:
        self.cached.clear()

    def teardown(self) -> None:
        self.curiosity = 1
        self.shows_what_the_inner_store_shows()
        self.cached.close()


LOOKS: list[tuple[Callable[[CacheMachine, str], None], str]] = [
    *product([CacheMachine.begin_to_list, CacheMachine.list_collection], EVERY_PREFIX),
    *product([CacheMachine.lookup], EVERY_OBJECT),
    *product([CacheMachine.head], [*EVERY_OBJECT, *EVERY_PREFIX[1:]]),
]

CacheMachine.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)

TestCacheModel = CacheMachine.TestCase
