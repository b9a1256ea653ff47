"""What files and collections have in common."""

from davbridge.dav.locking.enforcement import Enforcement
from davbridge.dav.resources.copy_move_delete import CopyMoveDelete
from davbridge.dav.resources.properties import ResourceProperties
from davbridge.dav.resources.wsgidav_environment import Environ
from davbridge.dav.resources.wsgidav_locks import WsgidavLocks
from davbridge.paths import ResourcePath
from davbridge.tree.properties.client_metadata import Properties
from davbridge.tree.resource import Resource


class BucketResource(ResourceProperties, CopyMoveDelete):
    """A resource, as one request works on it."""

    def __init__(
        self,
        resource: Resource,
        environ: Environ,
        *,
        requested_path: ResourcePath | None = None,
        enforcement: Enforcement | None = None,
        dead: Properties | None = None,
    ) -> None:
        """``requested_path``: the client's spelling of the path, where it may be another;
        ``enforcement``: the locks, unless WsgiDAV's lock manager has them; ``dead``: the dead
        properties, where a listing had them."""
        # WsgiDAV's constructors would do the same, and take a tenth of a PROPFIND with Depth 0.
        self.provider = environ["wsgidav.provider"]
        self.environ = environ
        self.resource = resource
        self.requested_path = resource.path if requested_path is None else requested_path
        self._is_listed = dead is not None
        self._dead = dead
        self.enforcement = enforcement or WsgidavLocks(self.provider, environ)

    @property
    def path(self) -> str:
        """The decoded path below the share."""
        return "/" + "/".join(self.resource.path)

    @property
    def name(self) -> str:
        """The last segment; empty for the root."""
        return self.resource.name
