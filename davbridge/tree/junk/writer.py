"""An upload of junk: it stays in memory as long as it is small."""

from collections.abc import Callable

from davbridge.tree.junk.files import MAX_FILE_BYTES, JunkFiles
from davbridge.tree.properties.client_metadata import ClientMetadata
from davbridge.tree.resource import Resource
from davbridge.tree.writes.bounded_writer import FileWriter

Keep = Callable[[bytes, ClientMetadata | None], Resource]
"""Makes a body the file's content, in memory."""


class JunkWriter:
    """A small file is kept in memory; a larger one, or one for which there is no memory, is stored
    after all: no content is refused or lost because of its name."""

    def __init__(
        self, stored: FileWriter, files: JunkFiles, keep: Keep, forget: Callable[[], object]
    ) -> None:
        """``stored``: a writer that nothing was written to. ``forget`` is called once it is
        committed: what memory has of the file is outdated then."""
        self._stored = stored
        self._files = files
        self._keep = keep
        self._forget = forget
        self._body = bytearray()
        self._is_stored = False

    def write(self, data: bytes) -> None:
        if not self._is_stored and not self._has_room(len(data)):
            self._is_stored = True
            self._stored.write(self._take_body())
        if self._is_stored:
            self._stored.write(data)
        else:
            self._body += data

    def commit(self, client_metadata: ClientMetadata | None = None) -> Resource:
        if self._is_stored:
            resource = self._stored.commit(client_metadata)
            self._forget()
            return resource
        self._stored.abort()
        return self._keep(self._take_body(), client_metadata)

    def abort(self) -> None:
        self._stored.abort()
        self._take_body()

    def _has_room(self, size: int) -> bool:
        return len(self._body) + size <= MAX_FILE_BYTES and self._files.take_memory(size)

    def _take_body(self) -> bytes:
        body, self._body = bytes(self._body), bytearray()
        self._files.return_memory(len(body))
        return body
