"""A drive as a WsgiDAV DAVProvider: the only way from `dav` to the namespace.

Both request servers, WsgiDAV's and ours, work on the files and collections that it gives (package
`resources`). It works in any WsgiDAVApp, along with other providers, with WsgiDAV's own request
server and lock manager. Dead properties are in the bucket: a property manager is not used.

Three methods are the provider's own, because there may be no resource for them:

- `find_current`: conditions name any path, also one where nothing is.
- `without_writes`: LOCK works on URLs at which nothing is, and makes the file only once no other
  write can come between its look-up and the lock.
- `resume`: the source of a MOVE that is sent again may be gone.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import quote

from wsgidav.dav_error import DAVError
from wsgidav.dav_provider import DAVProvider

from davbridge import paths
from davbridge.config import DriveSettings
from davbridge.dav.errors import RefusalError, as_refusals
from davbridge.dav.headers.urls import Site
from davbridge.dav.locking.enforcement import Enforcement
from davbridge.dav.propfind.live_properties import PropertyContext
from davbridge.dav.resources.collection import CREATED_RESOURCE, Collection, instance
from davbridge.dav.resources.file import File
from davbridge.dav.resources.file_content import OutdatedVersionError
from davbridge.dav.resources.wsgidav_environment import Environ, has_ambiguous_destination, header
from davbridge.errors import InvalidNameError
from davbridge.paths import ResourcePath
from davbridge.tree.journal.entry import OperationRequest
from davbridge.tree.namespace import Namespace
from davbridge.tree.operations.preconditions import Preconditions
from davbridge.tree.resource import Outcome, Resource
from davbridge.tree.writes.creation import ExclusiveAccess

StartResponse = Callable[..., object]
Handler = Callable[[Environ, StartResponse], Iterable[bytes]]


class BucketProvider(DAVProvider):
    """The WsgiDAV provider of one drive."""

    def __init__(self, namespace: Namespace, drive: DriveSettings) -> None:
        super().__init__()
        self.namespace = namespace
        self.site = Site.of(drive.mount_path, drive.public_origins)
        """Where our own request server mounts it."""
        self.publishes_quota = drive.publish_quota
        self.infinity_limit = drive.infinity_limit
        self._read_only = drive.read_only

    def is_readonly(self) -> bool:
        return self._read_only

    @as_refusals()
    def get_resource_inst(self, path: str | None, environ: Environ) -> Collection | File | None:
        """What is at a decoded path below the share; None where nothing is, and for None, which
        is the root's parent. Raises DAVError 400 for what can't be a path."""
        if path is None:
            return None
        requested = self.path_of(path)
        found = self.find(requested)
        return instance(found, environ, requested_path=requested) if found else None

    @as_refusals()
    def exists(self, path: str, environ: Environ) -> bool:
        return self.find(self.path_of(path)) is not None

    def find(self, path: ResourcePath) -> Resource | None:
        """What is at a path, as a value; `get_resource_inst` adds what can be done with it."""
        return self.namespace.find(path)

    def find_current(
        self, path: ResourcePath, *, with_client_metadata: bool = False
    ) -> Resource | None:
        """What is at a path in the store now: a request, or two `with_client_metadata`."""
        return self.namespace.find_current(path, with_client_metadata=with_client_metadata)

    def listed(self, path: ResourcePath, environ: Environ, enforcement: Enforcement) -> Collection:
        """The collection at ``path`` with its listing, which also proves that it exists. Raises
        NotFoundError and NotACollectionError."""
        listing = self.namespace.listing(path)
        own = Resource(listing.path, None)
        collection = Collection(own, environ, requested_path=path, enforcement=enforcement)
        collection.listing = listing
        return collection

    def without_writes(
        self, path: ResourcePath, *, is_deep: bool
    ) -> AbstractContextManager[ExclusiveAccess]:
        """As `Namespace.without_writes`."""
        return self.namespace.without_writes(path, is_deep=is_deep)

    def resume(self, request: OperationRequest, recheck: Callable[[], object]) -> Outcome | None:
        """The outcome of a COPY or MOVE that was begun before; None if none was. ``recheck`` is
        called before anything is done."""
        return self.namespace.resume(request, recheck)

    def custom_request_handler(
        self, environ: Environ, start_response: StartResponse, default_handler: Handler
    ) -> Iterable[bytes]:
        """WsgiDAV calls it instead of the method's own handler."""
        match environ["REQUEST_METHOD"]:
            case "GET" | "HEAD":
                return _with_current_version(environ, start_response, default_handler)
            case "PROPFIND":
                _require_finite_depth(environ)
            case "LOCK":
                return self._lock(environ, start_response, default_handler)
        return default_handler(environ, start_response)

    def property_context(self, *, with_quota: bool = True) -> PropertyContext:
        """What live properties depend on besides their resources."""
        context = PropertyContext(is_read_only=self._read_only)
        if not (with_quota and self.publishes_quota):
            return context
        used, available = self.namespace.used_bytes(), self.namespace.available_bytes()
        return context._replace(used_bytes=used, available_bytes=available)

    def path_of(self, path: str) -> ResourcePath:
        """Of a decoded path below the share. Raises DAVError 400."""
        try:
            return paths.parse(path)
        except InvalidNameError as error:
            raise RefusalError(400, str(error)) from error

    def destination(self, path: str, environ: Environ) -> ResourcePath:
        """The destination of a COPY or MOVE; ``path`` is what WsgiDAV made of the Destination
        header.

        The header is parsed anew: of ``rep%3Ffinal.txt`` WsgiDAV makes ``rep``. Raises DAVError
        400 where a proxy has changed the paths of URLs, so that only WsgiDAV's guess is left.
        """
        site = Site(paths.parse(self.mount_path + self._share))
        found = site.parse_tag(header(environ, "DESTINATION") or "")
        if found is not None:
            return found
        if has_ambiguous_destination(environ):
            raise RefusalError(400, "the destination's URL isn't known behind this proxy")
        return self.path_of(path)

    def ref_url(self, path: ResourcePath) -> str:
        """The URL by which WsgiDAV's lock manager knows a resource."""
        return quote(self._share + "/" + "/".join(path))

    def href(self, path: ResourcePath) -> str:
        """The URL by which clients know a resource, without a collection's slash."""
        return self.href_of_ref_url(self.ref_url(path))

    def href_of_ref_url(self, ref_url: str) -> str:
        return quote(self.mount_path) + ref_url

    @property
    def _share(self) -> str:
        return self.share_path or ""

    def _lock(
        self, environ: Environ, start_response: StartResponse, handler: Handler
    ) -> Iterable[bytes]:
        """WsgiDAV makes the empty file of an unmapped URL before it knows whether the lock is
        granted. If it isn't, this deletes the file again."""
        try:
            return handler(environ, start_response)
        except DAVError:
            made = environ.get(CREATED_RESOURCE)
            if made is not None:
                with as_refusals():
                    self.namespace.delete(made.path, Preconditions(if_match=made.etag))
            raise


def _with_current_version(
    environ: Environ, start_response: StartResponse, handler: Handler
) -> Iterator[bytes]:
    """Handles the request once more if the file turns out to be another version than was listed:
    the failed attempt has invalidated the cache. Once headers were sent, it can only fail."""
    has_started = False

    def start(*response: Any) -> object:
        nonlocal has_started
        has_started = True
        return start_response(*response)

    try:
        yield from handler(environ, start)
    except OutdatedVersionError:
        if has_started:
            raise
        yield from handler(environ, start)


def _require_finite_depth(environ: dict[str, Any]) -> None:
    """As our own request server has it: a missing Depth counts as 1, and infinity is refused."""
    if environ.setdefault("HTTP_DEPTH", "1") == "infinity":
        raise RefusalError(403, "Depth: infinity is not offered", condition="propfind-finite-depth")
