"""What belongs to a resource and isn't its bytes: dead properties, and what clients told of it.

Owns where they are kept, and that they go along with their resource. Must not know sidecars'
format, nor when a resource goes where.

Invariants:
- Clients never see facts among the properties, nor those of another version.
- What is told of a version is told of its copy as well, whose ETag may be another.
- A stop between two writes, or a listing that is older than an entry, leaves at most an entry for
  a name that is gone, and who makes that name anew removes it.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from itertools import count
from threading import Lock

from cachetools import LRUCache

from davbridge.errors import StoreError
from davbridge.paths import DELIMITER, ResourcePath, key_of, path_of, prefix_of
from davbridge.store.base import ObjectRow, ObjectStore
from davbridge.tree.operations.plan import Plan
from davbridge.tree.properties.client_metadata import (
    ClientMetadata,
    Properties,
    client_metadata_of,
    rebound,
    with_client_metadata,
    without_client_metadata,
)
from davbridge.tree.properties.sidecar_format import MemberProperties, is_sidecar
from davbridge.tree.properties.sidecars import Sidecars
from davbridge.tree.resource import Failure, Resource, add_client_metadata

_HAND_OVERS = 4
"""How often is looked for what others have set."""

_MAX_GONE = 10_000
"""Names of resources of which `note_gone` keeps note."""

_log = logging.getLogger(__name__)


class PropertyStore:
    """Of the resources below one prefix of a store; paths are in the bucket's spelling."""

    def __init__(self, store: ObjectStore, mount: str) -> None:
        self._store = store
        self._mount = mount
        self.sidecars = Sidecars(store)
        self._lock = Lock()
        self._gone: LRUCache[ResourcePath, None] = LRUCache(_MAX_GONE)

    def of(self, path: ResourcePath) -> Properties:
        """The resource's, facts included."""
        return self.sidecars.read(self._home(path)).get(_name(path), {})

    def current(self, resource: Resource) -> Properties:
        """The same as the store has it now, past all caches, which learn it. Costs a request: of a
        file only where anything in its folder is known to have properties."""
        if resource.is_collection or self.sidecars.is_there(self._home(resource.path)):
            self.renew(resource.path)
        return self.of(resource.path)

    def of_members(self, collection: ResourcePath) -> MemberProperties:
        """Those of all members of a collection that have any, by name; facts included."""
        return self.sidecars.read(prefix_of(self._mount, collection))

    def told(self, resource: Resource) -> Resource:
        """The resource with what clients told of its version."""
        return add_client_metadata(resource, self.of(resource.path)) if resource.row else resource

    def renew(self, path: ResourcePath) -> None:
        """What is told next of the resource is no older than this call. Costs a request."""
        self.sidecars.renew(self._home(path))

    def update(
        self,
        resource: Resource,
        changes: Mapping[str, str | None],
        modified: datetime | None,
        require_there: Callable[[], object],
    ) -> None:
        """Sets, or where the value is None removes, properties; and the time of an object's
        present version. All or none. Raises OutOfSpaceError.

        ``require_there`` is asked where another bridge has changed the sidecar meanwhile, which
        may be since the resource has gone, and raises then.
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

        self.sidecars.update(self._home(resource.path), _name(resource.path), change)

    def tell(self, path: ResourcePath, client_metadata: ClientMetadata) -> None:
        """Keeps what a client told of the version that it has just written; where it told
        nothing, forgets what was told of an equal one. Raises OutOfSpaceError."""

        def change(old: Properties) -> Properties:
            if client_metadata.modified is not None or client_metadata.checksums:
                return with_client_metadata(old, client_metadata)
            return (
                without_client_metadata(old)
                if client_metadata_of(old, client_metadata.etag)
                else old
            )

        self.sidecars.update(self._home(path), _name(path), change)

    def note_gone(self, path: ResourcePath) -> None:
        """After a resource has gone that had nothing, as far as is known: another bridge may have
        set something within the time that listings are cached. Who makes that name anew looks."""
        with self._lock:
            self._gone[path] = None

    def clear(self, path: ResourcePath) -> None:
        """Before a resource is made: none of one that went are its own."""
        with self._lock:
            is_noted = path in self._gone
        if is_noted:
            self.renew(path)
        self.sidecars.put(self._home(path), _name(path), {})
        with self._lock:
            self._gone.pop(path, None)

    def give(
        self, target: ResourcePath, properties: Properties, source: ObjectRow | None
    ) -> list[Failure]:
        """Gives a copy what its source has; ``source`` is the object that was copied, if any."""
        try:
            copied = source and self._store.lookup(key_of(self._mount, target)).row
            if source and copied:
                properties = rebound(properties, source.etag, copied.etag)
            self.sidecars.put(self._home(target), _name(target), properties)
        except StoreError as error:
            return [Failure(target, error)]
        return []

    def merge(self, source: str, target: str) -> None:
        """Of two sidecars' keys: the target's members keep what they have, and those that it
        doesn't name get the source's. Raises StoreError."""
        members = self.sidecars.read(_prefix(source))
        self.sidecars.update_members(_prefix(target), lambda there: {**members, **there})

    def rebind_inside(self, plan: Plan, renewed: Mapping[str, str]) -> list[Failure]:
        """In a tree, sidecars are copied along: they name the ETags of the sources, where copies
        have those in ``renewed``."""
        new_etags = {
            copy.target: (copy.source.etag, renewed[copy.target])
            for copy in plan.copies
            if copy.target in renewed
        }
        sidecars = [copy.target for copy in plan.copies if is_sidecar(copy.target)]
        try:
            for prefix in set(map(_prefix, sidecars)):
                self.sidecars.update_members(prefix, partial(rebound_members, prefix, new_etags))
        except StoreError as error:
            return [Failure(path_of(self._mount, plan.target_prefix) or (), error)]
        return []

    def hand_over(self, source: Resource, target: ResourcePath, given: Properties) -> None:
        """After a resource has moved to a target that was ``given`` its properties: what somebody
        has set since goes along, and the source keeps none. Never raises a StoreError: a name's
        next owner clears."""
        try:
            for _ in range(_HAND_OVERS):
                late = self._take(source.path, given)
                if late is None:
                    if not given:
                        self.note_gone(source.path)
                    return
                if failures := self.give(target, late, source.row):
                    raise failures[0].error
                given = late
            _log.warning("properties are set again and again on %r, which has moved", source.path)
        except StoreError as error:
            _log.warning("the properties of %r, which has moved, are left: %s", source.path, error)

    def _take(self, path: ResourcePath, known: Properties) -> Properties | None:
        """Removes those that are ``known``; others stay, and are told."""
        found = known

        def change(old: Properties) -> Properties:
            nonlocal found
            found = old
            return {} if old == known else old

        self.sidecars.update(self._home(path), _name(path), change)
        return None if found in (known, {}) else found

    def forget(self, path: ResourcePath) -> None:
        """After a resource has gone. Never raises a StoreError: the name's next owner clears."""
        try:
            self.clear(path)
        except StoreError as error:
            _log.warning("the properties of %r are left, though it is gone: %s", path, error)

    def _home(self, path: ResourcePath) -> str:
        """The prefix of the collection whose sidecar has the resource's entry."""
        return prefix_of(self._mount, path[:-1])


def rebound_members(
    prefix: str, new_etags: Mapping[str, tuple[str, str]], members: MemberProperties
) -> MemberProperties:
    """The properties of the members of a copied collection. ``new_etags``: by key, the source's
    ETag and the copy's, where they differ."""
    return {
        name: rebound(properties, *new_etags[prefix + name])
        if prefix + name in new_etags
        else properties
        for name, properties in members.items()
    }


def _prefix(sidecar: str) -> str:
    return sidecar[: sidecar.rfind(DELIMITER) + 1]


def _name(path: ResourcePath) -> str:
    return path[-1] if path else ""
