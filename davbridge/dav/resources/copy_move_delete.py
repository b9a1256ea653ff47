"""COPY, MOVE and DELETE of a resource with everything inside.

`copy_to`, `move_to` and `delete_tree` are for any request server. The rest is WsgiDAV's interface
to them.

Invariants: locks are checked once more right before the first write, when nobody else can write or
lock there; if they forbid any part of the operation, nothing is done. When a resource has been
deleted or moved, its locks are removed; a lock on a new resource of that name stays.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from wsgidav.dav_error import HTTP_CREATED, DAVError
from wsgidav.dav_provider import _DAVResource

from davbridge.dav.errors import RefusalError, as_refusals, refusal_of
from davbridge.dav.locking.enforcement import Enforcement
from davbridge.dav.resources.wsgidav_environment import Environ, allows_overwrite, is_for_version
from davbridge.paths import ResourcePath
from davbridge.tree.operations.preconditions import Preconditions
from davbridge.tree.resource import Failure, Resource

if TYPE_CHECKING:
    from davbridge.dav.provider import BucketProvider

Errors = list[tuple[str, DAVError]]
"""Hrefs, and what could not be done there."""


class CopyMoveDelete(_DAVResource):
    """COPY, MOVE and DELETE: a base class of files and collections."""

    provider: "BucketProvider"
    environ: Environ
    resource: Resource
    requested_path: ResourcePath
    """The path as the client spelt it. Journals are named after it: a client that asks again gets
    its own operation resumed."""
    enforcement: Enforcement

    # --- For any request server. They raise StoreErrors, and DAVErrors for locks.

    def delete_tree(
        self, preconditions: Preconditions, *, recheck: Callable[[], object] = lambda: None
    ) -> list[Failure]:
        """Deletes the resource with everything inside.

        ``recheck`` is called right before the first write, as in the methods below. Raises as
        `Namespace.delete`.
        """
        released: set[str] = set()

        def recheck_with_locks(*, is_new: bool) -> None:
            recheck()
            self._require_removable()
            released.update(self._own_tokens())

        namespace = self.provider.namespace
        failures = namespace.delete(
            self.requested_path, preconditions._replace(recheck=recheck_with_locks)
        )
        if not failures:
            self.enforcement.release(released)
        return failures

    def copy_to(
        self,
        destination: ResourcePath,
        preconditions: Preconditions,
        *,
        recursive: bool,
        recheck: Callable[[], object] = lambda: None,
    ) -> list[Failure]:
        """Copies the resource over whatever is at ``destination``. A lock on the destination itself
        stays; those on what is replaced inside it are removed (§7.6). Raises as
        `Namespace.copy`."""
        released: set[str] = set()

        def recheck_with_locks(*, is_new: bool) -> None:
            recheck()
            self.require_writable_target(destination, is_new=is_new)
            released.update(self.enforcement.tokens_below(destination))

        checked = preconditions._replace(recheck=recheck_with_locks)
        namespace = self.provider.namespace
        failures = namespace.copy(self.requested_path, destination, checked, recursive=recursive)
        if not failures:
            self.enforcement.release(released)
        return failures

    def move_to(
        self,
        destination: ResourcePath,
        preconditions: Preconditions,
        *,
        user: str,
        recheck: Callable[[], object] = lambda: None,
    ) -> list[Failure]:
        """Moves the resource with everything inside over whatever is at ``destination``. Its locks
        are not moved (§7.6). Raises as `Namespace.move`."""
        released: set[str] = set()

        def recheck_with_locks(*, is_new: bool) -> None:
            recheck()
            self.require_writable_target(destination, is_new=is_new)
            self._require_removable()
            released.update(self._own_tokens(), self.enforcement.tokens_below(destination))

        checked = preconditions._replace(recheck=recheck_with_locks)
        namespace = self.provider.namespace
        failures = namespace.move(self.requested_path, destination, checked, user=user)
        if not failures:
            self.enforcement.release(released)
        return failures

    def removal_refusals(self) -> list[tuple[str, RefusalError]]:
        """The locks inside that forbid to remove the resource as a whole, by hrefs. Raises DAVError
        423 where a lock on the resource itself, or on its parent, forbids it."""
        self.enforcement.require_write(self.resource.path)
        self.enforcement.require_membership(self.resource.path)
        return self.enforcement.refusals_below(self.resource.path)

    def require_writable_target(self, destination: ResourcePath, *, is_new: bool) -> None:
        """That no lock forbids to replace what is at ``destination``, or, if ``is_new``, to create
        something there."""
        self.enforcement.require_tree(destination)
        if is_new:
            self.enforcement.require_membership(destination)

    def _require_removable(self) -> None:
        """That no lock forbids to remove the resource with everything inside."""
        self.enforcement.require_membership(self.resource.path)
        self.enforcement.require_tree(self.resource.path)

    def _own_tokens(self) -> set[str]:
        path = self.resource.path
        return self.enforcement.tokens_at(path) | self.enforcement.tokens_below(path)

    # --- For WsgiDAV's request server.

    def handle_delete(self) -> bool | Errors:
        """Deletes the resource with everything inside, unless locks forbid it."""
        return self.delete() or True

    def support_recursive_delete(self) -> bool:
        return True

    @as_refusals()
    def delete(self) -> Errors:
        """As `handle_delete`; returns what could not be deleted, by hrefs."""
        if not self.resource.path:
            raise RefusalError(403, "the root can't be deleted")
        if locked := self.removal_refusals():
            return [*locked]
        return self._errors(self.delete_tree(Preconditions(self._if_match)))

    @as_refusals()
    def handle_copy(self, dest_path: str, *, depth_infinity: bool) -> Errors | bool:
        """Copies the resource; with everything inside if ``depth_infinity``."""
        destination = self.provider.destination(dest_path, self.environ)
        is_new = self._is_new(destination)
        failed = self._copy(destination, is_new=is_new, recursive=depth_infinity)
        return failed or self._success(is_new=is_new)

    @as_refusals()
    def handle_move(self, dest_path: str) -> Errors | bool:
        """Moves the resource with everything inside."""
        destination = self.provider.destination(dest_path, self.environ)
        is_new = self._is_new(destination)
        return self._move(destination, is_new=is_new) or self._success(is_new=is_new)

    @as_refusals()
    def copy_move_single(self, dest_path: str, *, is_move: bool) -> None:
        """Copies the resource without its members. Of a MOVE, the caller deletes the source."""
        destination = self.provider.path_of(dest_path)
        is_new = self._is_new(destination)
        for _, error in self._copy(destination, is_new=is_new, recursive=False):
            raise error

    def support_recursive_move(self, dest_path: str) -> bool:
        return True

    @as_refusals()
    def move_recursive(self, dest_path: str) -> Errors:
        """Moves the resource with everything inside; what could not be moved, by hrefs."""
        destination = self.provider.path_of(dest_path)
        return self._move(destination, is_new=self._is_new(destination))

    def _is_new(self, destination: ResourcePath) -> bool:
        return self.provider.find(destination) is None

    def _success(self, *, is_new: bool) -> Errors | bool:
        """WsgiDAV answers 204 to all that was handled natively, unless there is a status for the
        source itself: with that, it answers 201 where the destination is new (§9.8.5)."""
        return [(self.get_href(), DAVError(HTTP_CREATED))] if is_new else True

    def _copy(self, destination: ResourcePath, *, is_new: bool, recursive: bool) -> Errors:
        self.require_writable_target(destination, is_new=is_new)
        return self._errors(self.copy_to(destination, self._preconditions, recursive=recursive))

    def _move(self, destination: ResourcePath, *, is_new: bool) -> Errors:
        if not self.resource.path:
            raise RefusalError(403, "the root can't be moved")
        self._require_removable()
        self.require_writable_target(destination, is_new=is_new)
        user = str(self.environ.get("wsgidav.user_name") or "")
        return self._errors(self.move_to(destination, self._preconditions, user=user))

    @property
    def _preconditions(self) -> Preconditions:
        return Preconditions(self._if_match, allows_overwrite(self.environ))

    @property
    def _if_match(self) -> str | None:
        """The ETag of the only version that the request applies to; None if it applies to any."""
        return (self.resource.etag or None) if is_for_version(self.environ) else None

    def _errors(self, failures: list[Failure]) -> Errors:
        own = (self.resource.path, self.requested_path)
        return [
            (
                self.get_href() if failure.path in own else self.provider.href(failure.path),
                refusal_of(failure.error),
            )
            for failure in failures
        ]
