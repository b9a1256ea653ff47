"""A store that lists in another order than S3."""

from collections.abc import Iterator

from davbridge.store.base import PAGE_SIZE, ObjectRow, Page
from davbridge.store.memory import MemoryStore
from tests.support.intercepted import InterceptedStore


class FolderByFolder(InterceptedStore):
    """As SeaweedFS, folder by folder: ``a/`` is where ``a`` would be. A few names a page."""

    def __init__(self, size: int) -> None:
        self.inner = MemoryStore()
        super().__init__(self.inner)
        self._size = size

    def list_objects(
        self, prefix: str, *, delimiter: str = "", page_size: int = PAGE_SIZE
    ) -> Iterator[Page]:
        (page,) = super().list_objects(prefix, delimiter=delimiter)
        items: list[tuple[str, ObjectRow | None]] = [(row.key, row) for row in page.rows]
        items += [(name, None) for name in page.prefixes]
        items.sort(key=lambda item: item[0].removesuffix("/"))
        for start in range(0, len(items) or 1, self._size):
            some = items[start : start + self._size]
            yield Page(
                tuple(row for _, row in some if row),
                tuple(name for name, row in some if row is None),
                is_last=start + self._size >= len(items),
            )
