"""Files: WsgiDAV's DAVNonCollection.

Invariant: a new file, or a new version, becomes visible when its whole body has arrived, in
`Upload.finish`.
"""

from collections.abc import Callable
from functools import partial

from wsgidav.dav_provider import DAVNonCollection

from davbridge.dav.errors import as_refusals
from davbridge.dav.headers.content_type import browser_policies, guess_type, shown_type
from davbridge.dav.headers.ranges import ByteRange
from davbridge.dav.headers.upload_headers import Checksum, UploadHeaders
from davbridge.dav.resources.base import BucketResource
from davbridge.dav.resources.file_content import FileContent, Upload, WsgidavUpload, of_this_version
from davbridge.dav.resources.wsgidav_environment import (
    Environ,
    announced_length,
    expected_range,
    header,
    write_condition,
)
from davbridge.errors import PreconditionFailedError
from davbridge.store.base import Condition, ObjectInfo, ObjectReader, ObjectRow

MAX_HASHED = 16 * 1024 * 1024
"""Bytes of a file that is read to find out its checksum."""

BLOCK = 256 * 1024


class File(BucketResource, DAVNonCollection):
    """A file, or one that is about to be written."""

    is_collection = False
    _content: FileContent | None = None
    _upload: Upload | None = None

    # --- For any request server. They raise StoreErrors, and DAVErrors for locks.

    def open_range(self, part: ByteRange) -> ObjectReader:
        """The bytes of the version that was listed. Raises NotFoundError and
        PreconditionFailedError if the store has another one; the cache is invalidated then."""
        namespace, resource = self.provider.namespace, self.resource
        is_whole = part.length == resource.size
        start, end = (0, None) if is_whole else (part.start, part.end)
        reader = namespace.open_reader(resource, start=start, end=end)
        if not self._is_same(reader.info.row):
            reader.close()
            raise PreconditionFailedError("the file has another length than was listed")
        return reader

    def head(self) -> ObjectInfo:
        """The metadata of the version that was listed. Raises as `open_range`."""
        namespace, resource = self.provider.namespace, self.resource
        info = namespace.info(resource)
        if not self._is_same(info.row):
            namespace.find_current(resource.path)  # Corrects the cache.
            raise PreconditionFailedError("the file is another version than was listed")
        return info

    def _is_same(self, row: ObjectRow) -> bool:
        """Whether the store has the version that was listed: the headers describe that."""
        return (row.etag, row.size) == (self.resource.etag, self.resource.size)

    def may_have_checksum(self, text: str) -> bool:
        """Whether a checksum, as ownCloud writes it, is that of the listed version. True as well
        where finding out would take long: of a large file whose checksum no client has sent. Raises
        as `open_range`."""
        checksum, resource = Checksum.announced(text), self.resource
        if checksum is None:
            return False
        metadata = resource.client_metadata
        known = metadata.checksums.split() if metadata else []
        algorithm = f"{str(checksum).partition(':')[0]}:"
        if found := [each for each in known if each.startswith(algorithm)]:
            return str(checksum) in found
        if resource.size > MAX_HASHED:
            return True
        with self.open_range(ByteRange(0, resource.size)) as reader:
            for block in iter(partial(reader.read, BLOCK), b""):
                checksum.update(block)
        return checksum.holds()

    def begin_upload(
        self,
        headers: UploadHeaders,
        condition: Condition,
        *,
        length: int | None,
        recheck: Callable[[], object] = lambda: None,
    ) -> Upload:
        """Begins an upload of a new version. The file stays as it is until `Upload.finish`.

        ``recheck`` is called right before, while nobody else writes there. Raises as
        `Namespace.open_writer`.
        """

        def recheck_with_locks(*, is_new: bool) -> None:
            recheck()
            self.require_writable(is_new=is_new)

        path, is_new = self.requested_path, self.resource.row is None
        writer = self.provider.namespace.open_writer(
            path,
            headers.attributes(path[-1]),
            condition,
            length=length,
            existing=None if is_new else self.resource,
            is_new=is_new,
            recheck=recheck_with_locks,
        )
        return Upload(writer, length, headers)

    def require_writable(self, *, is_new: bool) -> None:
        """That no lock forbids a new version, or, if ``is_new``, a new file."""
        self.enforcement.require_write(self.resource.path)
        if is_new:
            self.enforcement.require_membership(self.resource.path)

    # --- For WsgiDAV's request server.

    def get_content_length(self) -> int:
        return self.resource.size

    def get_etag(self) -> str | None:
        return self.resource.etag or None

    def support_etag(self) -> bool:
        return True

    def support_ranges(self) -> bool:
        return True

    def get_content_type(self) -> str:
        """The stored type for GET and HEAD. Otherwise a guess: a listing has no types.

        WsgiDAV calls this before it sends a header. So a GET opens the file here. Raises
        OutdatedVersionError.
        """
        method, name = self.environ["REQUEST_METHOD"], self.resource.name
        if method not in ("GET", "HEAD") or self._is_listed:
            return guess_type(name)
        with of_this_version():
            info = self._opened().info if method == "GET" else self.head()
        return shown_type(info.attributes.content_type, name)

    def get_content(self) -> FileContent:
        """The bytes, opened at the request's range."""
        with of_this_version():
            return self._opened()

    def finalize_headers(self, environ: Environ, response_headers: list[tuple[str, str]]) -> None:
        """Keeps browsers from running the file in this server's origin."""
        kind = next(value for name, value in response_headers if name == "Content-Type")
        response_headers += browser_policies(kind)

    @as_refusals()
    def begin_write(self, *, content_type: str | None = None) -> WsgidavUpload:
        """The file-like object that WsgiDAV writes the body to. The file stays as it is until
        `end_write`."""
        environ = self.environ
        mtime, checksum = header(environ, "X_OC_MTIME"), header(environ, "OC_CHECKSUM")
        self._upload = self.begin_upload(
            UploadHeaders(content_type or "", mtime, checksum),
            write_condition(environ, self.resource.etag),
            length=announced_length(environ),
        )
        return WsgidavUpload(self._upload)

    @as_refusals()
    def end_write(self, *, with_errors: bool) -> None:
        """Makes the body the file's content, if it is complete; else the file stays as it was."""
        upload, self._upload = self._upload, None
        if upload is None:
            return
        if with_errors:
            upload.abort()
            return
        self.resource = upload.finish()

    def _opened(self) -> FileContent:
        if self._content is None:
            size = self.resource.size
            self._content = FileContent(self.open_range, size, expected_range(self.environ, size))
        return self._content
