"""The dead properties and the client metadata of resources.

Both are in sidecars, under one name: client metadata is a property that no client sees.

Invariants:
- No client sees the client metadata of another version than the present one.
- A copy has its source's client metadata, though its ETag may be another.
- If a bridge stops between two writes, or a listing is older than an entry, at most an entry stays
  whose resource is gone. Whoever creates a resource of that name removes the entry first.
- Who removes or moves what is left of a resource spares the properties of another one that has come
  to be there since, unless both are equal.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from itertools import count
from threading import Lock

from cachetools import LRUCache

from davbridge.errors import StoreError
from davbridge.paths import DELIMITER, ResourcePath, key_of, path_of, prefix_of
from davbridge.store.base import ObjectRow, ObjectStore
from davbridge.tree.listing.tree_walk import OpenCollection
from davbridge.tree.plan import Plan
from davbridge.tree.properties.client_metadata import (
    NO_PROPERTIES,
    ClientMetadata,
    Properties,
    client_metadata_of,
    rebind,
    with_client_metadata,
    without_client_metadata,
)
from davbridge.tree.properties.entries import NO_MEMBERS, Members, apply_changes
from davbridge.tree.properties.sidecar_format import SIDECAR_NAME, is_head
from davbridge.tree.properties.sidecars import Find, Sidecars
from davbridge.tree.resource import Failure, Resource, add_client_metadata

_MAX_ROUNDS = 4
"""How often `move_late_changes` looks for what others have set."""

_MAX_REMOVED = 10_000
"""How many paths `record_removal` remembers."""

_log = logging.getLogger(__name__)


class PropertyStore:
    """The properties of all resources below the mount's prefix. Paths are in the bucket's
    spelling."""

    def __init__(self, store: ObjectStore, mount: str) -> None:
        self._store = store
        self._mount = mount
        self.sidecars = Sidecars(store)
        self._lock = Lock()
        self._removed: LRUCache[ResourcePath, None] = LRUCache(_MAX_REMOVED)

    def of(self, path: ResourcePath) -> Properties:
        """The resource's properties, client metadata included."""
        return self.sidecars.read_member(self._collection_prefix(path), _name(path))

    def current(self, resource: Resource) -> Properties:
        """As `of`, but past all caches. Costs a request; for a file only if anything in its folder
        is known to have properties."""
        if resource.is_collection or self.sidecars.has_any(self._collection_prefix(resource.path)):
            self.refresh(resource.path)
        return self.of(resource.path)

    def of_members(self, collection: ResourcePath) -> Members:
        """The properties of all members that have any, by name; client metadata included."""
        return self.sidecars.read(prefix_of(self._mount, collection))

    def of_open_collection(self, collection: OpenCollection) -> Members:
        """As `of_members`, for a collection in the middle of a flat listing."""
        if collection.sidecar is not None:
            return self.sidecars.listed(collection.sidecar)
        if collection.has_listed_sidecar:
            return NO_MEMBERS
        return self.sidecars.read(collection.prefix)

    def add_client_metadata(self, resource: Resource) -> Resource:
        """The resource with its client metadata, if it has any."""
        return add_client_metadata(resource, self.of(resource.path)) if resource.row else resource

    def refresh(self, path: ResourcePath) -> None:
        """From now on, reads of the resource's properties are no older than this call. Costs a
        request."""
        self.sidecars.refresh(self._collection_prefix(path))

    def update(
        self,
        resource: Resource,
        changes: Mapping[str, str | None],
        modified: datetime | None,
        require_there: Callable[[], object],
    ) -> None:
        """Sets properties, removes those whose value is None, and sets the time of an object's
        present version: all or none. Raises OutOfSpaceError.

        If another bridge has changed the sidecar meanwhile, the resource may be gone: then
        ``require_there`` is called before the next attempt, and raises if it is.
        """
        row = resource.row
        tries = count()

        def change(old: Properties) -> Properties:
            if next(tries):
                require_there()
            new = {name: text for name, text in {**old, **changes}.items() if text is not None}
            if modified is None or row is None:
                return new
            client_metadata = client_metadata_of(old, row.etag) or ClientMetadata(row.etag)
            return with_client_metadata(new, client_metadata._replace(modified=modified))

        self.sidecars.update(self._collection_prefix(resource.path), _name(resource.path), change)

    def set_client_metadata(self, path: ResourcePath, client_metadata: ClientMetadata) -> None:
        """Sets the metadata of a version that was just written. Empty metadata removes that of an
        earlier version with the same ETag. If another bridge has changed the sidecar meanwhile, it
        may have written a later version: then that one keeps its metadata. Raises
        OutOfSpaceError."""
        tries = count()

        def change(old: Properties) -> Properties:
            if next(tries) and not self._is_version(path, client_metadata.etag):
                return old
            if client_metadata.modified is not None or client_metadata.checksums:
                return with_client_metadata(old, client_metadata)
            return (
                without_client_metadata(old)
                if client_metadata_of(old, client_metadata.etag)
                else old
            )

        self.sidecars.update(self._collection_prefix(path), _name(path), change)

    def record_removal(self, path: ResourcePath) -> None:
        """Call it after the removal of a resource without known properties. Another bridge may have
        set some since the listing was cached: `clear` looks for them past the cache."""
        with self._lock:
            self._removed[path] = None

    def clear(self, path: ResourcePath) -> None:
        """Removes the properties that an earlier resource has left. Call it before a resource is
        created. If there are any, and another bridge has created a resource there meanwhile, that
        one keeps them."""
        self._clear(path, NO_PROPERTIES)

    def copy_to(
        self,
        target: ResourcePath,
        properties: Properties,
        source: ObjectRow | None,
        *,
        is_new: bool = False,
    ) -> list[Failure]:
        """Gives a copy the properties of its source. ``source``: the object, for a file.
        ``is_new``: nothing was at the target before; so what it has already was set since, and
        stays."""
        try:
            bound = self._bound_to_copy(target, properties, source)
            self.sidecars.update(
                self._collection_prefix(target),
                _name(target),
                lambda there: {**bound, **there} if is_new else bound,
            )
        except StoreError as error:
            return [Failure(target, error)]
        return []

    def _bound_to_copy(
        self, target: ResourcePath, properties: Properties, source: ObjectRow | None
    ) -> Properties:
        """The properties of a ``source``, with the client metadata bound to its copy."""
        copied = source and self._store.lookup(key_of(self._mount, target)).row
        return rebind(properties, source.etag, copied.etag) if source and copied else properties

    def merge(self, source: str, target: str) -> None:
        """Gives those members of the target the properties of the source's that have none. Both are
        heads' keys. Raises StoreError."""
        members = self.sidecars.read(_prefix(source))
        self.sidecars.update_members(
            _prefix(target),
            lambda find: {name: new for name, new in members.items() if not find(name)},
        )

    def rebind_tree(self, plan: Plan, new_etags: Mapping[str, str]) -> list[Failure]:
        """Binds client metadata in the copied sidecars of a tree to the ETags of the copies, which
        are in ``new_etags`` by key where they differ from the sources'."""
        etags = {
            copy.target: (copy.source.etag, new_etags[copy.target])
            for copy in plan.copies
            if copy.target in new_etags
        }
        changed: defaultdict[str, dict[str, tuple[str, str]]] = defaultdict(dict)
        for key, pair in etags.items():
            changed[_prefix(key)][key[len(_prefix(key)) :]] = pair
        copied = {_prefix(copy.target) for copy in plan.copies if is_head(copy.target)}
        try:
            for prefix in copied.intersection(changed):
                self.sidecars.update_members(prefix, partial(_rebound, changed[prefix]))
        except StoreError as error:
            return [Failure(path_of(self._mount, plan.target_prefix) or (), error)]
        return []

    def move_late_changes(self, source: Resource, target: ResourcePath, copied: Properties) -> None:
        """Call it after a MOVE, when the target has the ``copied`` properties: moves what somebody
        has set on the source since, and leaves the source none. Costs a request for a collection,
        past all caches: what another bridge has set would be lost otherwise. If another bridge has
        created a resource there meanwhile, that one keeps its properties. Never raises a
        StoreError: what remains is removed by `clear`."""
        try:
            if source.is_collection:
                self.refresh(source.path)
            for _ in range(_MAX_ROUNDS):
                late = self._remove_copied(source.path, copied)
                if late is None:
                    if not copied:
                        self.record_removal(source.path)
                    return
                if self._is_there(source.path):
                    return
                changes = (self._bound_to_copy(target, each, source.row) for each in (copied, late))
                self.sidecars.update(
                    self._collection_prefix(target), _name(target), partial(apply_changes, *changes)
                )
                copied = late
            _log.warning("properties are set again and again on %r, which has moved", source.path)
        except StoreError as error:
            _log.warning("the properties of %r, which has moved, are left: %s", source.path, error)

    def _remove_copied(self, path: ResourcePath, copied: Properties) -> Properties | None:
        """Removes the properties if they are the copied ones; else leaves and returns them."""
        found = copied

        def change(old: Properties) -> Properties:
            nonlocal found
            found = old
            return {} if old == copied else old

        self.sidecars.update(self._collection_prefix(path), _name(path), change)
        return None if found in (copied, {}) else found

    def clear_after_removal(self, path: ResourcePath, known: Properties = NO_PROPERTIES) -> None:
        """As `clear`, after a removal. ``known``: the properties of what was removed. Never raises
        a StoreError: the next resource of this name calls `clear`."""
        try:
            self._clear(path, known)
        except StoreError as error:
            _log.warning("the properties of %r are left, though it is gone: %s", path, error)

    def _clear(self, path: ResourcePath, known: Properties) -> None:
        """Removes the ``known`` properties, and any others if nothing is there: that costs a
        request."""

        def change(old: Properties) -> Properties:
            return old if old not in (known, {}) and self._is_there(path) else {}

        with self._lock:
            may_have_properties = path in self._removed
        if may_have_properties:
            self.refresh(path)
        self.sidecars.update(self._collection_prefix(path), _name(path), change)
        with self._lock:
            self._removed.pop(path, None)

    def _is_there(self, path: ResourcePath) -> bool:
        """Whether anything is at the path, past all caches."""
        row, is_prefix = self._store.lookup(key_of(self._mount, path), bypass_cache=True)
        return row is not None or is_prefix

    def _is_version(self, path: ResourcePath, etag: str) -> bool:
        """Whether the file at the path has this ETag, past all caches."""
        row = self._store.lookup(key_of(self._mount, path), bypass_cache=True).row
        return row is not None and row.etag == etag

    def _collection_prefix(self, path: ResourcePath) -> str:
        """The prefix of the collection whose sidecar has the resource's entry."""
        return prefix_of(self._mount, path[:-1])


def _rebound(etags: Mapping[str, tuple[str, str]], find: Find) -> dict[str, Properties]:
    """The properties of copied members, bound to the copies' ETags. ``etags``: by name, the
    source's ETag and the copy's."""
    return {name: rebind(find(name), *pair) for name, pair in etags.items() if name != SIDECAR_NAME}


def _prefix(key: str) -> str:
    """That of the collection that a key is directly in."""
    return key[: key.rfind(DELIMITER) + 1]


def _name(path: ResourcePath) -> str:
    return path[-1] if path else ""
