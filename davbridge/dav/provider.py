"""One mount, as the DAVProvider that WsgiDAV demands.

Owns what the drive is: its namespace, its site, what it lets clients do and see. Must not know
requests. Invariant: it never changes.
"""

from typing import Any, NoReturn

from wsgidav.dav_provider import DAVProvider

from davbridge.config import DriveSettings
from davbridge.dav.target import Site
from davbridge.tree.namespace import Namespace


class BucketProvider(DAVProvider):
    """The drive that is mounted."""

    def __init__(self, namespace: Namespace, drive: DriveSettings) -> None:
        super().__init__()
        self.namespace = namespace
        self.site = Site.of(drive.mount_path, drive.public_origins)
        self.publishes_quota = drive.publish_quota
        self._read_only = drive.read_only

    def is_readonly(self) -> bool:
        return self._read_only

    def get_resource_inst(self, path: str, environ: dict[str, Any]) -> NoReturn:
        """Declared abstract by WsgiDAV, for a request server of its own; ours asks the namespace,
        whose resources hold less and are made faster."""
        raise NotImplementedError("resources are the namespace's")
