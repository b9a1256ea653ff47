"""The responses of everything inside a collection, for PROPFIND with Depth: infinity.

Invariant: nothing is cached, so that memory is needed for one page of the listing.
"""

from davbridge.dav.headers.urls import Site
from davbridge.dav.locking.locks import LockStore
from davbridge.dav.locking.xml import lock_discovery
from davbridge.dav.propfind.renderer import NO_PROPERTIES, Renderer
from davbridge.paths import ResourcePath
from davbridge.tree.listing.members import ResourcePage


class TreeResponses:
    """Renders the pages of one tree for one query."""

    def __init__(
        self, path: ResourcePath, renderer: Renderer, site: Site, locks: LockStore
    ) -> None:
        self._path = path
        self._renderer = renderer
        self._site = site
        self._locks = locks

    def of(self, page: ResourcePage) -> bytes:
        """The responses of a page."""
        needs_dead, has_locks = self._renderer.needs_dead_properties, self._has_locks()
        responses = [
            (self._with_locks(resource.path) if has_locks else self._renderer).response(
                self._site.href(resource.path, is_collection=resource.is_collection),
                resource,
                dead if needs_dead else NO_PROPERTIES,
            )
            for resource, dead in page.resources
        ]
        return "".join(responses).encode()

    def _has_locks(self) -> bool:
        """Whether any lock covers anything in the tree, and is to be shown."""
        if not self._renderer.query.shows_locks:
            return False
        around = self._locks.covering(self._path)
        return any(lock.is_deep for lock in around) or bool(self._locks.rooted_below(self._path))

    def _with_locks(self, path: ResourcePath) -> Renderer:
        locks = self._locks.covering(path)
        discovery = lock_discovery(locks, self._locks.now(), self._site)
        context = self._renderer.context._replace(lock_discovery=discovery)
        return Renderer(self._renderer.query, context)
