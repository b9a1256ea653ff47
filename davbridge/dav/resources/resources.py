"""Files and collections as WsgiDAV's DAVNonCollection and DAVCollection.

Owns what WsgiDAV's own request server asks of a resource. What is done is the namespace's.

Invariants: a resource object lives for one request, in one thread, and raises only DAVErrors. The
members of a collection come from one listing. A new file is written by `File.end_write` alone:
nothing is there before.
"""

from collections.abc import Iterator

from wsgidav.dav_provider import DAVCollection, DAVNonCollection

from davbridge.dav.errors import RefusalError, as_refusals
from davbridge.dav.headers.content_type import browser_policies, guess_type, shown_type
from davbridge.dav.headers.ranges import ByteRange
from davbridge.dav.headers.upload_headers import Checksum, upload_attributes, upload_facts
from davbridge.dav.resources.content import Content, Upload, of_this_version
from davbridge.dav.resources.operations import TreeMethods
from davbridge.dav.resources.properties import ResourceProperties
from davbridge.dav.resources.wsgidav_environment import (
    Environ,
    Locks,
    announced_length,
    expected_range,
    header,
    write_condition,
)
from davbridge.errors import PreconditionFailedError
from davbridge.store.base import IF_ABSENT, ObjectInfo, ObjectReader, ObjectRow
from davbridge.tree.properties.client_metadata import Facts, Properties, without_facts
from davbridge.tree.resource import Resource, with_told

CREATED_RESOURCE = "davbridge.created_resource"
"""In a LOCK's environment: the empty file that it has made."""


class _BucketResource(ResourceProperties, TreeMethods):
    """What files and collections have in common."""

    def __init__(
        self, resource: Resource, environ: Environ, dead: Properties | None = None
    ) -> None:
        """``dead``: the dead properties, where a listing has told them."""
        super().__init__("/" + "/".join(resource.path), environ)
        self.resource = resource
        self._is_listed = dead is not None
        self._dead = dead
        self._locks = Locks(self.provider.lock_manager, environ)


class Collection(_BucketResource, DAVCollection):
    """A collection."""

    def get_used_bytes(self) -> int | None:
        """Those of the whole mount."""
        return self._property_context.used_bytes

    def get_available_bytes(self) -> int | None:
        return self._property_context.available_bytes

    def get_member_names(self) -> list[str]:
        return [member.resource.name for member in self.get_member_list()]

    def get_member_list(self) -> list["Collection | File"]:
        """The members, all from one listing."""
        with as_refusals():
            return list(self._members())

    def _members(self) -> Iterator["Collection | File"]:
        members = self.provider.namespace.listed(self.resource.path)
        for page in members.pages:
            for member in page.members:
                told = members.told.get(page.name_of(member), {})
                resource = with_told(page.resource(member), told)
                yield instance(resource, self.environ, without_facts(told))

    @as_refusals()
    def create_empty_resource(self, name: str) -> "File":
        """A file that isn't there before `File.end_write`; for a LOCK it is made here."""
        path = (*self.resource.path, name)
        if self.environ["REQUEST_METHOD"] != "LOCK":
            if header(self.environ, "IF_MATCH") is not None:
                raise RefusalError(412, "If-Match does not hold")
            return File(Resource(path, None), self.environ)
        # WsgiDAV looks at the locks only afterwards, and leaves the file where they forbid it.
        self._locks.require(self.get_ref_url())
        attributes = upload_attributes(name, "", None)
        writer = self.provider.namespace.open_writer(path, attributes, IF_ABSENT, length=0)
        made = writer.commit()
        self.environ[CREATED_RESOURCE] = made
        return File(made, self.environ)

    @as_refusals()
    def create_collection(self, name: str) -> None:
        self.provider.namespace.make_collection(
            (*self.resource.path, name), lambda _: self._locks.require(self.get_ref_url())
        )


class File(_BucketResource, DAVNonCollection):
    """A file, or one that is about to be written."""

    _content: Content | None = None
    _upload: Upload | None = None
    _facts: Facts | None = None

    def get_content_length(self) -> int:
        return self.resource.size

    def get_etag(self) -> str | None:
        return self.resource.etag or None

    def support_etag(self) -> bool:
        return True

    def support_ranges(self) -> bool:
        return True

    def get_content_type(self) -> str:
        """The stored one where the file itself is asked for: a listing tells none.

        WsgiDAV asks for it before it sends a header, so that a GET opens the file here. Raises
        OutdatedVersionError.
        """
        method, name = self.environ["REQUEST_METHOD"], self.resource.name
        if method not in ("GET", "HEAD") or self._is_listed:
            return guess_type(name)
        with of_this_version():
            info = self._opened().info if method == "GET" else self.head()
        return shown_type(info.attributes.content_type, name)

    def get_content(self) -> Content:
        """The bytes, which begin where the request's range does."""
        with of_this_version():
            return self._opened()

    def finalize_headers(self, environ: Environ, response_headers: list[tuple[str, str]]) -> None:
        """Keeps browsers from running the file in this server's origin."""
        kind = next(value for name, value in response_headers if name == "Content-Type")
        response_headers += browser_policies(kind)

    @as_refusals()
    def begin_write(self, *, content_type: str | None = None) -> Upload:
        """Where the body goes to. The file stays as it is until `end_write`."""
        environ, path = self.environ, self.resource.path
        length = announced_length(environ)
        writer = self.provider.namespace.open_writer(
            path,
            upload_attributes(path[-1], content_type or "", header(environ, "X_OC_MTIME")),
            write_condition(environ, self.resource.etag),
            length=length,
            admit=self._require_writable,
        )
        checksum = Checksum.announced(header(environ, "OC_CHECKSUM"))
        self._facts = upload_facts(header(environ, "X_OC_MTIME"), checksum)
        self._upload = Upload(writer, length, checksum)
        return self._upload

    def end_write(self, *, with_errors: bool) -> None:
        """Makes the body the file's content, if it came whole; else leaves what was there."""
        upload, self._upload = self._upload, None
        if upload is None:
            return
        if with_errors:
            upload.abort()
            return
        self.resource = upload.finish(self._facts)

    def _require_writable(self, found: Resource | None) -> None:
        """Right before the body becomes the file's content."""
        self._locks.require(self.get_ref_url())
        if found is None:
            self._locks.require(self.provider.ref_url(self.resource.path[:-1]))

    def open_range(self, part: ByteRange) -> ObjectReader:
        """The bytes of this very version, for any request server. Raises NotFoundError and
        PreconditionFailedError where it is another one, and the cache knows that by then."""
        namespace, resource = self.provider.namespace, self.resource
        is_whole = part.length == resource.size
        start, end = (0, None) if is_whole else (part.start, part.end)
        reader = namespace.open_reader(resource, start=start, end=end)
        if not self._is_same(reader.info.row):
            reader.close()
            raise PreconditionFailedError("the file has another length than was listed")
        return reader

    def head(self) -> ObjectInfo:
        """What the store tells of this very version. Raises as `open_range`."""
        namespace, resource = self.provider.namespace, self.resource
        info = namespace.info(resource)
        if not self._is_same(info.row):
            namespace.find_current(resource.path)  # so that the cache knows
            raise PreconditionFailedError("the file is another version than was listed")
        return info

    def _is_same(self, row: ObjectRow) -> bool:
        """Whether the store has what was listed: the headers tell of that."""
        return (row.etag, row.size) == (self.resource.etag, self.resource.size)

    def _opened(self) -> Content:
        if self._content is None:
            size = self.resource.size
            self._content = Content(self.open_range, size, expected_range(self.environ, size))
        return self._content


def instance(
    resource: Resource, environ: Environ, dead: Properties | None = None
) -> Collection | File:
    """The resource as WsgiDAV wants it."""
    kind = Collection if resource.is_collection else File
    return kind(resource, environ, dead)
