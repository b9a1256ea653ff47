"""The junk that is kept out of the bucket, in memory.

Invariants: files and bytes are bounded. What was used longest ago goes first, and everything goes
LIFETIME after it was last written. No version has the ETag of another one.
"""

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from threading import Lock
from typing import NamedTuple

from cachetools import TTLCache

from davbridge.clock import Clock
from davbridge.errors import OutOfSpaceError, PreconditionFailedError
from davbridge.paths import ResourcePath, canonical, key_of
from davbridge.store.base import Attributes, Condition, ObjectInfo, ObjectRow
from davbridge.tree.properties.client_metadata import NO_PROPERTIES, ClientMetadata, Properties
from davbridge.tree.properties.sidecar_format import MAX_RESOURCE_BYTES
from davbridge.tree.resource import Resource

MAX_FILE_BYTES = 1024 * 1024
"""Of one file. A larger one is no junk: it is stored."""

MAX_BYTES = 64 * 1024 * 1024
"""Of all files, with what belongs to them."""

MAX_FILES = 16_384

MAX_INCOMING_BYTES = 32 * 1024 * 1024
"""Of all uploads under way. Beyond that, what comes in is stored."""

LIFETIME = 24 * 3600.0
"""Seconds: a document may be open for a working day."""


class JunkFile(NamedTuple):
    """A file in memory."""

    resource: Resource
    row: ObjectRow
    attributes: Attributes
    body: bytes
    properties: Properties
    """Dead properties."""

    @property
    def info(self) -> ObjectInfo:
        return ObjectInfo(self.row, self.attributes)


class JunkFiles:
    """Files by path, in whatever Unicode form. Safe to use from many threads at once."""

    def __init__(self, prefix: str, timer: Callable[[], float], now: Clock) -> None:
        self._prefix = prefix
        self._now = now
        self._files: TTLCache[ResourcePath, JunkFile] = TTLCache(
            MAX_BYTES, LIFETIME, timer=timer, getsizeof=_weight
        )
        self._incoming = 0
        """Bytes of uploads under way."""
        self._lock = Lock()

    def find(self, path: ResourcePath) -> JunkFile | None:
        with self._lock:
            return self._files.get(canonical(path))

    def version(self, resource: Resource) -> JunkFile | None:
        """The file, if it is still the version that was found."""
        file = self.find(resource.path)
        return file if file and file.row.etag == resource.etag else None

    def require(self, path: ResourcePath, condition: Condition) -> None:
        """Raises PreconditionFailedError where the condition doesn't hold of what is here."""
        file = self.find(path)
        etag = file.row.etag if file else None
        if (condition.if_absent and file) or condition.if_match not in (None, etag):
            raise PreconditionFailedError("another version is there")

    def put(
        self,
        path: ResourcePath,
        body: bytes,
        attributes: Attributes,
        client_metadata: ClientMetadata | None = None,
    ) -> Resource:
        """Writes a file, or a new version of it, which has the properties of the last one."""
        modified = self._now().replace(microsecond=0)
        row = ObjectRow(key_of(self._prefix, path), len(body), modified, uuid.uuid4().hex)
        if client_metadata is not None:
            client_metadata = client_metadata._replace(etag=row.etag)
        resource = Resource(path, row, client_metadata)
        with self._lock:
            old = self._files.get(canonical(path))
            properties = old.properties if old else NO_PROPERTIES
            self._files[canonical(path)] = JunkFile(resource, row, attributes, body, properties)
        return resource

    def change_properties(
        self, file: JunkFile, changes: Mapping[str, str | None], modified: datetime | None
    ) -> None:
        """Sets properties, removes those whose value is None, and sets the time. Raises
        OutOfSpaceError."""
        both = {**file.properties, **changes}
        properties = {name: text for name, text in both.items() if text is not None}
        if _length(properties) > MAX_RESOURCE_BYTES:
            raise OutOfSpaceError(f"over {MAX_RESOURCE_BYTES} bytes of properties")
        resource = file.resource
        if modified is not None:
            metadata = resource.client_metadata or ClientMetadata(file.row.etag)
            resource = resource._replace(client_metadata=metadata._replace(modified=modified))
        with self._lock:
            self._files[canonical(resource.path)] = file._replace(
                resource=resource, properties=properties
            )

    def take_memory(self, size: int) -> bool:
        """Counts the next bytes of an upload, unless there are too many by now."""
        with self._lock:
            is_free = self._incoming + size <= MAX_INCOMING_BYTES
            self._incoming += size if is_free else 0
        return is_free

    def return_memory(self, size: int) -> None:
        """The upload has ended, or its bytes are elsewhere."""
        with self._lock:
            self._incoming -= size

    def remove_version(self, file: JunkFile) -> None:
        """Removes the file, unless it is another version by now."""
        path = canonical(file.resource.path)
        with self._lock:
            now = self._files.get(path)
            if now is not None and now.row.etag == file.row.etag:
                del self._files[path]

    def remove_tree(self, path: ResourcePath) -> list[JunkFile]:
        """Removes the file at a path, and everything inside the collection there."""
        root = canonical(path)
        with self._lock:
            inside = [each for each in self._files if each[: len(root)] == root]
            removed = [self._files.pop(each, None) for each in inside]
        return [file for file in removed if file is not None]

    def move_tree(self, source: ResourcePath, target: ResourcePath) -> None:
        """Takes along what is inside a collection that has moved, over what was at the target."""
        moved = self.remove_tree(source)
        self.remove_tree(target)
        for file in moved:
            path = (*target, *file.resource.path[len(source) :])
            row = file.row._replace(key=key_of(self._prefix, path))
            resource = file.resource._replace(path=path, row=row)
            with self._lock:
                self._files[canonical(path)] = file._replace(resource=resource, row=row)


def _weight(file: JunkFile) -> int:
    """Bytes in memory, and no less than would keep the number of files within its bound."""
    size = len(file.body) + _length(file.properties) + len(file.row.key) + _OVERHEAD
    return max(size, MAX_BYTES // MAX_FILES)


_OVERHEAD = 2000


def _length(properties: Properties) -> int:
    return sum(len(name) + len(text) for name, text in properties.items())
