"""The DAVProvider through which WsgiDAV reaches the namespace.

Invariant: it turns paths into resources and knows nothing of verbs.
"""

from wsgidav.dav_provider import DAVProvider

from davbridge import paths
from davbridge.config import DriveSettings
from davbridge.dav.errors import refusal_of
from davbridge.dav.resources import BucketMember, Environ, member_of
from davbridge.dav.target import Site
from davbridge.errors import StoreError
from davbridge.tree.namespace import Namespace


class BucketProvider(DAVProvider):
    """One mount."""

    def __init__(self, namespace: Namespace, drive: DriveSettings) -> None:
        super().__init__()
        self.namespace = namespace
        self.site = Site.of(drive.mount_path, drive.public_origins)
        self.publishes_quota = drive.publish_quota
        self._read_only = drive.read_only

    def is_readonly(self) -> bool:
        return self._read_only

    def get_resource_inst(self, path: str, environ: Environ) -> BucketMember | None:
        """The resource at a decoded ``path``; None where nothing is. Raises DAVError."""
        try:
            return self.resource_at(paths.parse(path), environ)
        except StoreError as error:
            raise refusal_of(error) from error

    def resource_at(self, path: paths.ResourcePath, environ: Environ) -> BucketMember | None:
        """The same, for a path that is parsed already. Raises StoreError."""
        node = self.namespace.find(path)
        return member_of(node, environ) if node else None
