"""A store that notes each request it passes on, and fails those that it is told to."""

from collections.abc import Callable, Mapping, Sequence
from contextvars import Context
from typing import TypeVar

from davbridge.errors import StoreError
from davbridge.store.base import (
    ALWAYS,
    NO_VERSIONS,
    PAGE_SIZE,
    Attributes,
    Condition,
    DeleteFailure,
    ObjectRow,
    ObjectStore,
    ObjectWriter,
)
from tests.support.intercepted import InterceptedStore

Request = tuple[str, str]
"""The operation, and the key or prefix."""

OPERATIONS = {
    "list_objects": "list",
    "lookup": "lookup",
    "head_object": "head",
    "get_object": "get",
    "put_object": "put",
    "delete_object": "delete",
}

T = TypeVar("T")


class WatchedStore(InterceptedStore):
    """An ObjectStore around another one. A writer is a request when it is opened; a copy is one to
    its source."""

    def __init__(self, inner: ObjectStore) -> None:
        super().__init__(inner)
        self.requests: list[Request] = []
        self.fault: Callable[[str, str], StoreError | None] = lambda operation, key: None
        """What a request to this key fails with."""
        self.before: Callable[[str, str], None] = lambda operation, key: None
        """Called before each request: what other programs do meanwhile."""

    def taken(self) -> list[str]:
        """The operations since the last call."""
        taken = [operation for operation, _ in self.requests]
        self.requests.clear()
        return taken

    def intercept(self, name: str, key: str, call: Callable[[], T]) -> T:
        if name in OPERATIONS:
            self._pass(OPERATIONS[name], key)
        return call()

    def open_writer(
        self,
        key: str,
        attributes: Attributes,
        condition: Condition = ALWAYS,
        *,
        length: int | None = None,
    ) -> ObjectWriter:
        self._pass("put", key)
        return super().open_writer(key, attributes, condition, length=length)

    def copy_object(
        self,
        source: ObjectRow,
        target: str,
        *,
        attributes: Attributes | None = None,
        condition: Condition = ALWAYS,
    ) -> ObjectRow:
        self._pass("copy", source.key)
        return super().copy_object(source, target, attributes=attributes, condition=condition)

    def delete_objects(
        self, keys: Sequence[str], *, versions: Mapping[str, ObjectRow] = NO_VERSIONS
    ) -> list[DeleteFailure]:
        for start in range(0, len(keys), PAGE_SIZE):
            self._meanwhile("delete", keys[start])
            self.requests.append(("delete", keys[start]))
        failed = {key: error for key in keys if (error := self.fault("delete", key))}
        going = [key for key in keys if key not in failed]
        rest = super().delete_objects(going, versions=versions)
        return [DeleteFailure(key, error) for key, error in failed.items()] + rest

    def _pass(self, operation: str, key: str) -> None:
        self._meanwhile(operation, key)
        self.requests.append((operation, key))
        if error := self.fault(operation, key):
            raise error

    def _meanwhile(self, operation: str, key: str) -> None:
        """What others do has nothing to do with the deadline of who asks."""
        Context().run(self.before, operation, key)
