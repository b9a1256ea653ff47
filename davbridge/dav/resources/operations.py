"""COPY, MOVE and DELETE of a resource, as WsgiDAV asks for them: done natively, by the namespace.

Invariants: whole trees go at once; a lock whose token isn't shown stops all of it before anything
is done, and once more right before it is; locks go with what they were on.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from wsgidav.dav_error import HTTP_CREATED, HTTP_LOCKED, DAVError
from wsgidav.dav_provider import _DAVResource

from davbridge.dav.errors import RefusalError, as_refusals, refusal_of
from davbridge.dav.resources.wsgidav_environment import (
    Environ,
    Locks,
    allows_overwrite,
    is_for_version,
)
from davbridge.paths import ResourcePath
from davbridge.tree.operations.preconditions import Terms
from davbridge.tree.resource import Failure, Resource

if TYPE_CHECKING:
    from davbridge.dav.provider import BucketProvider

Errors = list[tuple[str, DAVError]]
"""Hrefs, and what could not be done there."""


class TreeMethods(_DAVResource):
    """That part of a resource."""

    provider: "BucketProvider"
    environ: Environ
    resource: Resource
    _locks: Locks

    def handle_delete(self) -> bool | Errors:
        """Deletes the resource with everything inside, unless locks are against it."""
        return self.delete() or True

    def support_recursive_delete(self) -> bool:
        return True

    @as_refusals()
    def delete(self) -> Errors:
        """As `handle_delete`; what could not be deleted, by hrefs."""
        path = self.resource.path
        if not path:
            raise RefusalError(403, "the root can't be deleted")
        self._require_removable()
        if locked := self._locks.blocking_inside(self.get_ref_url()):
            return [(self.provider.href_of_ref_url(root), DAVError(HTTP_LOCKED)) for root in locked]
        terms = Terms(self._if_match, admit=self._require_removable_tree)
        failures = self.provider.namespace.delete(path, terms)
        if not failures:
            self._locks.release(self.get_ref_url())
        return self._errors(failures)

    @as_refusals()
    def handle_copy(self, dest_path: str, *, depth_infinity: bool) -> Errors | bool:
        """Copies the resource; with everything inside if ``depth_infinity``."""
        destination = self.provider.destination(dest_path, self.environ)
        is_new = self.provider.namespace.find(destination) is None
        return self._copy(destination, recursive=depth_infinity) or self._success(is_new=is_new)

    @as_refusals()
    def handle_move(self, dest_path: str) -> Errors | bool:
        """Moves the resource with everything inside."""
        destination = self.provider.destination(dest_path, self.environ)
        is_new = self.provider.namespace.find(destination) is None
        return self._move(destination) or self._success(is_new=is_new)

    @as_refusals()
    def copy_move_single(self, dest_path: str, *, is_move: bool) -> None:
        """Copies the resource without its members. Of a MOVE, the caller deletes the source."""
        for _, error in self._copy(self.provider.path_of(dest_path), recursive=False):
            raise error

    def support_recursive_move(self, dest_path: str) -> bool:
        return True

    @as_refusals()
    def move_recursive(self, dest_path: str) -> Errors:
        """Moves the resource with everything inside; what could not be moved, by hrefs."""
        return self._move(self.provider.path_of(dest_path))

    def _success(self, *, is_new: bool) -> Errors | bool:
        """WsgiDAV answers 204 to all that was handled natively, but for a status that is told of
        the source itself: so it answers 201 where the destination is new (RFC 4918 §9.8.5)."""
        return [(self.get_href(), DAVError(HTTP_CREATED))] if is_new else True

    def _copy(self, destination: ResourcePath, *, recursive: bool) -> Errors:
        terms = self._terms(partial(self._require_free, destination))
        failures = self.provider.namespace.copy(
            self.resource.path, destination, terms, recursive=recursive
        )
        if not failures:
            self._locks.release_inside(self.provider.ref_url(destination))
        return self._errors(failures)

    def _move(self, destination: ResourcePath) -> Errors:
        if not self.resource.path:
            raise RefusalError(403, "the root can't be moved")

        def admit() -> None:
            self._require_removable_tree()
            self._require_free(destination)

        terms = self._terms(admit)
        user = str(self.environ.get("wsgidav.user_name") or "")
        failures = self.provider.namespace.move(self.resource.path, destination, terms, user=user)
        if not failures:
            self._locks.release(self.get_ref_url())
            self._locks.release_inside(self.provider.ref_url(destination))
        return self._errors(failures)

    def _terms(self, admit: Callable[[], None]) -> Terms:
        admit()
        return Terms(self._if_match, allows_overwrite(self.environ), admit=admit)

    def _errors(self, failures: list[Failure]) -> Errors:
        return [
            (
                self.get_href()
                if failure.path == self.resource.path
                else self.provider.href(failure.path),
                refusal_of(failure.error),
            )
            for failure in failures
        ]

    @property
    def _if_match(self) -> str | None:
        """The ETag of the only version that the request is meant for; None where any will do."""
        return (self.resource.etag or None) if is_for_version(self.environ) else None

    def _require_removable(self) -> None:
        """That no lock on the resource or on its parent is against its going."""
        self._locks.require(self.get_ref_url())
        self._locks.require(self.provider.ref_url(self.resource.path[:-1]))

    def _require_removable_tree(self) -> None:
        self._require_removable()
        self._locks.require_tree(self.get_ref_url())

    def _require_free(self, destination: ResourcePath) -> None:
        """That no lock is against something new at the destination."""
        self._locks.require_tree(self.provider.ref_url(destination))
        if self.provider.namespace.find(destination) is None:
            self._locks.require(self.provider.ref_url(destination[:-1]))
