"""A bucket as a store of files, without WebDAV: the methods of the seed's AmazonStore.

Paths are texts such as ``/photos/a.jpg``, sizes are in bytes, times in seconds since 1970 in UTC.
Errors are StoreErrors.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, TypedDict

from davbridge.dav.headers.content_type import guess_type
from davbridge.errors import StoreError
from davbridge.paths import parse
from davbridge.store.base import Attributes, ObjectReader
from davbridge.tree.namespace import Namespace
from davbridge.tree.resource import Failure, Resource
from davbridge.tree.writes.quota import AccountInfo

_BLOCK = 1024 * 1024


class FileMetadata(TypedDict):
    """The metadata of a file or a directory."""

    modified: float
    """A directory's is the same for all: S3 has none."""
    bytes: int
    """0 for a directory."""
    is_dir: bool


class IncompleteError(StoreError):
    """The operation failed for some members of a directory."""

    def __init__(self, failures: Sequence[Failure]) -> None:
        super().__init__("; ".join(f"{_text(each.path)}: {each.error}" for each in failures))
        self.failures = tuple(failures)


class FileStore:
    """A bucket, or a prefix of it. Safe under threads."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace

    def get_metadata(self, path: str) -> FileMetadata:
        """Raises NotFoundError."""
        return _metadata(self._namespace.lookup(parse(path)))

    def get_bulk_metadata(self, directory: str) -> dict[str, FileMetadata]:
        """The metadata of everything in a directory, by paths, from one listing.

        Raises NotFoundError and NotACollectionError.
        """
        members = self._namespace.members(parse(directory))
        return {_text(member.path): _metadata(member) for member in members}

    def get_directory_listing(self, directory: str) -> list[str]:
        """The paths of everything in a directory. Raises as `get_bulk_metadata`."""
        return [_text(member.path) for member in self._namespace.members(parse(directory))]

    def get_file(self, path: str) -> bytes:
        """The whole file. Raises NotFoundError and IsACollectionError."""
        with self.open_file(path) as reader:
            return b"".join(iter(lambda: reader.read(_BLOCK), b""))

    def open_file(self, path: str, *, start: int = 0, end: int | None = None) -> ObjectReader:
        """A stream of one version of the file, or of its bytes from ``start`` to before ``end``.

        Raises as `get_file`, and PreconditionFailedError where the file is being replaced.
        """
        return self._namespace.open_reader(
            self._namespace.lookup(parse(path)), start=start, end=end
        )

    def store_fileobject(self, fileobject: BinaryIO, path: str) -> float:
        """Writes a file, or a new version of it; returns the store's time of the write.

        The file at ``path`` stays as it is until the last byte was read. Raises ParentMissingError,
        IsACollectionError, TooLargeError and OutOfSpaceError.
        """
        attributes = Attributes(guess_type(path.rpartition("/")[2]))
        writer = self._namespace.open_writer(parse(path), attributes)
        try:
            for block in _blocks(fileobject):
                writer.write(block)
            return writer.commit().modified.timestamp()
        except BaseException:
            writer.abort()
            raise

    def store_file(self, path_to_file: str, dest_dir: str = "/", name: str | None = None) -> float:
        """Writes a local file into a directory, under its own name or another one. As
        `store_fileobject`."""
        local = Path(path_to_file)
        with local.open("rb") as fileobject:
            return self.store_fileobject(fileobject, f"{dest_dir}/{name or local.name}")

    def create_directory(self, directory: str) -> None:
        """Raises AlreadyExistsError and ParentMissingError."""
        self._namespace.make_collection(parse(directory))

    def delete(self, path: str) -> None:
        """Deletes a file, or a directory with everything inside.

        Raises NotFoundError, and IncompleteError where some of it could not be deleted.
        """
        _require_complete(self._namespace.delete(parse(path)))

    def duplicate(self, source: str, target: str) -> None:
        """Copies a file, or a directory with everything inside, over whatever is at ``target``.

        Raises NotFoundError, ParentMissingError, and IncompleteError where some of it could not be
        copied.
        """
        _require_complete(self._namespace.copy(parse(source), parse(target)))

    def move(self, source: str, target: str) -> None:
        """As `duplicate`, and the source is gone afterwards: nothing is deleted before all of it
        was copied."""
        _require_complete(self._namespace.move(parse(source), parse(target)))

    def account_info(self) -> AccountInfo:
        """Used, quota and available bytes."""
        return self._namespace.account_info()

    def get_overall_space(self) -> int | None:
        """The quota; None without one."""
        return self._namespace.quota

    def get_used_space(self) -> int | None:
        """As last counted, in the background; None before the first count."""
        return self._namespace.used_bytes()

    def get_max_filesize(self) -> int:
        return self._namespace.max_file_size


def _metadata(resource: Resource) -> FileMetadata:
    return {
        "modified": resource.modified.timestamp(),
        "bytes": resource.size,
        "is_dir": resource.is_collection,
    }


def _blocks(fileobject: BinaryIO) -> Iterator[bytes]:
    return iter(lambda: fileobject.read(_BLOCK), b"")


def _text(path: Sequence[str]) -> str:
    return "/" + "/".join(path)


def _require_complete(failures: Sequence[Failure]) -> None:
    if failures:
        raise IncompleteError(failures)
