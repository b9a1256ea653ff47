"""ObjectStores that pass everything through to another, and count or delay it."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from davbridge.errors import StoreError
from davbridge.store.base import (
    ALWAYS,
    NO_VERSIONS,
    PAGE_SIZE,
    Attributes,
    Condition,
    DeleteFailure,
    Lookup,
    ObjectInfo,
    ObjectReader,
    ObjectRow,
    ObjectStore,
    ObjectWriter,
    Page,
)

T = TypeVar("T")


class InterceptedStore:
    """Passes every call through ``intercept``; a listing is one call for each page.

    A writer's `commit` is a call of that name; `open_writer`, `write` and `abort` ask nothing of
    a store by themselves and are none.
    """

    def __init__(self, inner: ObjectStore) -> None:
        self._inner = inner

    def intercept(self, name: str, key: str, call: Callable[[], T]) -> T:
        """Around each call; ``key`` is what it is about (a prefix, for a listing)."""
        return call()

    @property
    def max_object_size(self) -> int:
        return self._inner.max_object_size

    def list_objects(
        self, prefix: str, *, delimiter: str = "", page_size: int = PAGE_SIZE
    ) -> Iterator[Page]:
        pages = self._inner.list_objects(prefix, delimiter=delimiter, page_size=page_size)
        is_last = False
        while not is_last:
            page = self.intercept("list_objects", prefix, lambda: next(pages))
            is_last = page.is_last
            yield page

    def lookup(self, key: str, *, bypass_cache: bool = False) -> Lookup:
        def call() -> Lookup:
            return self._inner.lookup(key, bypass_cache=bypass_cache)

        return self.intercept("lookup", key, call)

    def head_object(self, key: str) -> ObjectInfo:
        return self.intercept("head_object", key, lambda: self._inner.head_object(key))

    def get_object(
        self, key: str, *, start: int = 0, end: int | None = None, if_match: str | None = None
    ) -> ObjectReader:
        def call() -> ObjectReader:
            return self._inner.get_object(key, start=start, end=end, if_match=if_match)

        return self.intercept("get_object", key, call)

    def put_object(
        self, key: str, body: bytes, attributes: Attributes, condition: Condition = ALWAYS
    ) -> ObjectRow:
        def call() -> ObjectRow:
            return self._inner.put_object(key, body, attributes, condition)

        return self.intercept("put_object", key, call)

    def open_writer(
        self,
        key: str,
        attributes: Attributes,
        condition: Condition = ALWAYS,
        *,
        length: int | None = None,
    ) -> ObjectWriter:
        inner = self._inner.open_writer(key, attributes, condition, length=length)
        return _InterceptedWriter(self, key, inner)

    def copy_object(
        self,
        source: ObjectRow,
        target: str,
        *,
        attributes: Attributes | None = None,
        condition: Condition = ALWAYS,
    ) -> ObjectRow:
        def call() -> ObjectRow:
            return self._inner.copy_object(
                source, target, attributes=attributes, condition=condition
            )

        return self.intercept("copy_object", target, call)

    def delete_object(self, key: str, *, version: ObjectRow | None = None) -> None:
        def call() -> None:
            self._inner.delete_object(key, version=version)

        self.intercept("delete_object", key, call)

    def delete_objects(
        self, keys: Sequence[str], *, versions: Mapping[str, ObjectRow] = NO_VERSIONS
    ) -> list[DeleteFailure]:
        def call() -> list[DeleteFailure]:
            return self._inner.delete_objects(keys, versions=versions)

        return self.intercept("delete_objects", keys[0] if keys else "", call)

    def require_deletable(self, keys: Iterable[str]) -> None:
        self._inner.require_deletable(keys)


class _InterceptedWriter:
    def __init__(self, store: InterceptedStore, key: str, inner: ObjectWriter) -> None:
        self._store = store
        self._key = key
        self._inner = inner

    def write(self, data: bytes) -> None:
        self._inner.write(data)

    def commit(self, condition: Condition | None = None) -> ObjectRow:
        return self._store.intercept("commit", self._key, lambda: self._inner.commit(condition))

    def abort(self) -> None:
        self._inner.abort()


class CountingStore(InterceptedStore):
    """Counts the calls by name. One call is one request, but for bodies and batches over a part's
    or a page's size."""

    def __init__(self, inner: ObjectStore) -> None:
        super().__init__(inner)
        self._lock = threading.Lock()
        self.counts: Counter[str] = Counter()

    def intercept(self, name: str, key: str, call: Callable[[], T]) -> T:
        with self._lock:
            self.counts[name] += 1
        return super().intercept(name, key, call)

    @contextmanager
    def expect(self, **counts: int) -> Iterator[None]:
        """Asserts that exactly these calls are made inside of the block, and no others."""
        before = Counter(self.counts)
        yield
        made = Counter(self.counts)
        made.subtract(before)
        assert {name: count for name, count in made.items() if count} == counts


class Gate:
    """One call that stops when the inner store has answered, until it is opened."""

    def __init__(self, name: str, key: str, error: StoreError | None, skip: int) -> None:
        self.call = (name, key)
        self.error = error
        self.skip = skip
        self._answered = threading.Event()
        self._opened = threading.Event()

    def wait_until_answered(self) -> None:
        """Returns when the call is made, and the answer held back."""
        assert self._answered.wait(60), f"{self.call} was not made"

    def open(self) -> None:
        """Lets the answer through."""
        self._opened.set()

    def pass_through(self) -> None:
        """The side of the call."""
        self._answered.set()
        assert self._opened.wait(60), f"{self.call} was held for ever"
        if self.error:
            raise self.error


class GatedStore(CountingStore):
    """Holds chosen answers of the inner store back: they are old news then. Or loses them."""

    def __init__(self, inner: ObjectStore) -> None:
        super().__init__(inner)
        self._gates: list[Gate] = []

    def gate(self, name: str, key: str, *, skip: int = 0) -> Gate:
        """Holds the answer to the next such call back, after ``skip`` others."""
        return self._add(Gate(name, key, None, skip))

    def lose_answer(self, name: str, key: str, error: StoreError, *, skip: int = 0) -> None:
        """The next such call, after ``skip`` others, reaches the store, and then fails."""
        self._add(Gate(name, key, error, skip)).open()

    def _add(self, gate: Gate) -> Gate:
        with self._lock:
            self._gates.append(gate)
        return gate

    def intercept(self, name: str, key: str, call: Callable[[], T]) -> T:
        gate = self._gate_of(name, key)
        try:
            return super().intercept(name, key, call)
        finally:
            if gate:
                gate.pass_through()

    def _gate_of(self, name: str, key: str) -> Gate | None:
        with self._lock:
            for gate in self._gates:
                if gate.call == (name, key):
                    gate.skip -= 1
                    if gate.skip < 0:
                        self._gates.remove(gate)
                        return gate
            return None


class ShortPages(GatedStore):
    """Lists so few names a page that a collection can be large."""

    def __init__(self, inner: ObjectStore, most: int) -> None:
        super().__init__(inner)
        self._most = most

    def list_objects(
        self, prefix: str, *, delimiter: str = "", page_size: int = PAGE_SIZE
    ) -> Iterator[Page]:
        size = min(page_size, self._most)
        return super().list_objects(prefix, delimiter=delimiter, page_size=size)
