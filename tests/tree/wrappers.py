"""A store that notes each request it passes on, and fails those that it is told to."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from davbridge.errors import StoreError
from davbridge.store.base import (
    ALWAYS,
    NO_ETAGS,
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

Request = tuple[str, str]
"""The operation, and the key or prefix."""


class WatchedStore:
    """An ObjectStore around another one."""

    def __init__(self, inner: ObjectStore) -> None:
        self._inner = inner
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

    @property
    def max_object_size(self) -> int:
        return self._inner.max_object_size

    def list_objects(
        self, prefix: str, *, delimiter: str = "", page_size: int = PAGE_SIZE
    ) -> Iterator[Page]:
        pages = self._inner.list_objects(prefix, delimiter=delimiter, page_size=page_size)
        while True:
            self._pass("list", prefix)
            page = next(pages)
            yield page
            if page.is_last:
                return

    def lookup(self, key: str) -> Lookup:
        self._pass("lookup", key)
        return self._inner.lookup(key)

    def head_object(self, key: str) -> ObjectInfo:
        self._pass("head", key)
        return self._inner.head_object(key)

    def get_object(
        self,
        key: str,
        *,
        start: int = 0,
        end: int | None = None,
        if_match: str | None = None,
    ) -> ObjectReader:
        self._pass("get", key)
        return self._inner.get_object(key, start=start, end=end, if_match=if_match)

    def put_object(
        self, key: str, body: bytes, attributes: Attributes, condition: Condition = ALWAYS
    ) -> ObjectRow:
        self._pass("put", key)
        return self._inner.put_object(key, body, attributes, condition)

    def open_writer(
        self,
        key: str,
        attributes: Attributes,
        condition: Condition = ALWAYS,
        *,
        length: int | None = None,
    ) -> ObjectWriter:
        self._pass("put", key)
        return self._inner.open_writer(key, attributes, condition, length=length)

    def copy_object(
        self,
        source: ObjectRow,
        target: str,
        *,
        attributes: Attributes | None = None,
        condition: Condition = ALWAYS,
    ) -> ObjectRow:
        self._pass("copy", source.key)
        return self._inner.copy_object(source, target, attributes=attributes, condition=condition)

    def delete_object(self, key: str, *, if_match: str | None = None) -> None:
        self._pass("delete", key)
        self._inner.delete_object(key, if_match=if_match)

    def delete_objects(
        self, keys: Sequence[str], *, if_match: Mapping[str, str] = NO_ETAGS
    ) -> list[DeleteFailure]:
        for start in range(0, len(keys), PAGE_SIZE):
            self.before("delete", keys[start])
            self.requests.append(("delete", keys[start]))
        failed = {key: error for key in keys if (error := self.fault("delete", key))}
        going = [key for key in keys if key not in failed]
        rest = self._inner.delete_objects(going, if_match=if_match)
        return [DeleteFailure(key, error) for key, error in failed.items()] + rest

    def _pass(self, operation: str, key: str) -> None:
        self.before(operation, key)
        self.requests.append((operation, key))
        if error := self.fault(operation, key):
            raise error
