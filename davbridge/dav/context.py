"""What a method works with: the request, the provider's resource, the locks.

A context lives for one request.
"""

from davbridge.dav.conditional_requests import (
    Find,
    Lookups,
    check_http,
    check_if,
    depends_on_target,
    is_dated,
    names_version,
    wants_absence,
)
from davbridge.dav.errors import RefusalError
from davbridge.dav.headers.if_header import IfList
from davbridge.dav.locking.enforcement import LockEnforcement
from davbridge.dav.locking.locks import LockStore
from davbridge.dav.provider import BucketProvider
from davbridge.dav.request import DavRequest
from davbridge.dav.resources.collection import Collection, instance
from davbridge.dav.resources.file import File
from davbridge.paths import ResourcePath, canonical
from davbridge.tree.operations.preconditions import Preconditions
from davbridge.tree.resource import Resource

CONDITIONS_HOLD_SECONDS = 1.0
"""Seconds for which a check of the conditions is valid. After that, they are checked against the
store once more before the write: another bridge may have written since."""

_READING_METHODS = ("GET", "HEAD", "PROPFIND")
"""The conditions of these methods may be checked against the cache."""

_VERSIONED_METHODS = ("PUT", "DELETE", "COPY", "MOVE")
"""These methods send the ETag of the version that the request names to the store."""

_DECIDED_BY_STORE = ("PUT", "COPY")
"""Of these, the methods that do nothing if the store has another version."""


class Context:
    """What a method knows of its request."""

    def __init__(self, request: DavRequest, provider: BucketProvider, locks: LockStore) -> None:
        self.request = request
        self.provider = provider
        self.locks = locks
        self.enforcement = LockEnforcement(locks, request)
        self._resource: Resource | None = None
        self._is_looked_up = False
        self._instance: Collection | File | None = None
        self._checked_at: float | None = None
        """When the conditions were last checked against the store, on the locks' clock."""
        self._matching_list: IfList | None = None
        self._found: dict[ResourcePath, Resource | None] = {}
        self._target_if_match: str | None = None

    @property
    def path(self) -> ResourcePath:
        return self.request.path

    @property
    def resource(self) -> Resource | None:
        """What is at the request's path, or None; looked up once."""
        if not self._is_looked_up:
            self._resource = self.provider.find(self.path)
            self._is_looked_up = True
        return self._resource

    @property
    def if_match(self) -> str | None:
        """The ETag of the only version that the request applies to; None if it applies to any.

        It is sent to the store, which decides races.
        """
        request = self.request
        is_bound = names_version(request) or is_dated(request)
        # A collection has no version: its empty tag is none.
        return (self.resource.etag or None) if is_bound and self.resource else None

    @property
    def preconditions(self) -> Preconditions:
        """The preconditions of a COPY or MOVE, once `check_conditions` has been called."""
        return Preconditions(
            self.if_match, self.request.overwrite, target_if_match=self._target_if_match
        )

    def require(self) -> Collection | File:
        """The provider's resource at the request's path. Raises RefusalError 404."""
        found = self.resource
        if found is None:
            raise RefusalError(404, "there is nothing here")
        if self._instance is None or self._instance.resource is not found:
            self._instance = instance(
                found, self.request.environ, requested_path=self.path, enforcement=self.enforcement
            )
        return self._instance

    def file(self) -> File:
        """The file at the request's path, or the one that a PUT will make there."""
        found = self.resource or Resource(self.path, None)
        return File(
            found, self.request.environ, requested_path=self.path, enforcement=self.enforcement
        )

    def parent(self) -> Collection:
        """The parent collection, whether or not it exists."""
        path = self.path[:-1]
        own = Resource(path, None)
        return Collection(own, self.request.environ, enforcement=self.enforcement)

    def listed(self) -> Collection:
        """The collection at the request's path with its listing. Raises NotFoundError and
        NotACollectionError."""
        return self.provider.listed(self.path, self.request.environ, self.enforcement)

    def invalidate_resource(self) -> None:
        """The resource is looked up again when it is next used."""
        self._is_looked_up = False

    def check_conditions(self) -> bool:
        """Checks every conditional header. True where the answer is 304; raises RefusalError 412.

        The conditions of a write are checked against the store's present state, unless the store
        checks them itself when it writes. Call it again right before the write: within
        CONDITIONS_HOLD_SECONDS that costs no request, unless this bridge has written there.
        """
        if not self.request.is_conditional:
            return False
        began = self.locks.now()
        is_recent = (
            self._checked_at is not None and began - self._checked_at < CONDITIONS_HOLD_SECONDS
        )
        lookups = self._lookups(is_recent=is_recent)
        try:
            not_modified = self._conditions_hold(lookups.find)
        except RefusalError:
            if not lookups.invalidate_cached():
                raise
            not_modified = self._conditions_hold(lookups.find)
        self._skip_what_the_store_checks(lookups.find)
        if not is_recent:
            self._checked_at = began
        return not_modified

    def _lookups(self, *, is_recent: bool) -> Lookups:
        request = self.request
        names_state = wants_absence(request) and request.method == "PUT"
        names_state = names_state or (names_version(request) and not is_dated(request))
        is_for_store = names_state and request.method in _DECIDED_BY_STORE

        def may_be_cached(path: ResourcePath) -> bool:
            return is_recent or not self._writes or (is_for_store and path == self.path)

        return Lookups(self._find_cached, self._find_current, may_be_cached, self._found)

    def _conditions_hold(self, find: Find) -> bool:
        self._matching_list = check_if(
            self.request, find, self.enforcement.tokens_covering, self._matching_list
        )
        target = find(self.path) if depends_on_target(self.request) else None
        return check_http(self.request, target)

    def _skip_what_the_store_checks(self, find: Find) -> None:
        """Stores the condition of the write itself, so that it isn't checked again.

        A destination's is stored by the second check, under the operation's locks: the operation's
        first attempt may change it.
        """
        request = self.request
        destination = self._conditional_destination
        target = find(destination) if destination is not None else None
        if self._checked_at is not None:
            if destination is not None:
                self._found[destination] = target
            return
        self._target_if_match = (target.etag or None) if target else None
        is_absent = request.method == "PUT" and wants_absence(request)
        if request.method in _VERSIONED_METHODS and (is_absent or self.if_match is not None):
            self._found[self.path] = self.resource

    @property
    def _conditional_destination(self) -> ResourcePath | None:
        """The destination, if the If list that matches names a version of it."""
        request, held = self.request, self._matching_list
        if request.method not in ("COPY", "MOVE") or held is None or not held.names_version:
            return None
        path = held.resource(self.path, request.site)
        is_named = path is not None and canonical(path) == canonical(request.destination)
        return path if is_named else None

    @property
    def _writes(self) -> bool:
        return self.request.method not in _READING_METHODS

    def _find_cached(self, path: ResourcePath) -> Resource | None:
        if path != self.path:
            return self.provider.find(path)
        if self._checked_at is not None:
            self.invalidate_resource()
        return self.resource

    def _find_current(self, path: ResourcePath) -> Resource | None:
        if path != self.path:
            return self.provider.find_current(path)
        # Times and checksums that clients have sent.
        with_client_metadata = is_dated(self.request) or not self._writes
        found = self.provider.find_current(path, with_client_metadata=with_client_metadata)
        self._resource, self._is_looked_up = found, True
        return found
