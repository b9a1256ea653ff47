"""The ObjectStore protocol: what davbridge needs of an S3 store, in the terms of S3.

Invariants that every implementation keeps, and the contract tests hold:
- ETags are strong and unquoted, and opaque. Times are aware and UTC.
- Nothing of a write is visible before it is committed. A writer does exactly one of commit and
  abort. After `put_object`, `commit`, `copy_object` or `delete_object` has returned, every later
  call sees the result.
- A reader gives the bytes of one version, all of them, or raises.
- The rows of one folder are listed in the order of their UTF-8 bytes. Callers rely on no more than
  that: AWS and MemoryStore sort whole keys so, SeaweedFS sorts each folder by itself. There, with a
  delimiter, ``x/`` comes where an object ``x`` would be; elsewhere it comes after ``x`` and ``x-``.
- Every failure is a StoreError. If a deadline is set (davbridge.deadline), no write begins after
  it, and none takes effect after it, as far as the store refuses requests that are late.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType, TracebackType
from typing import NamedTuple, Protocol, Self

from davbridge.errors import StoreError
from davbridge.store.derived import DerivedValues

DIRECTORY_TYPE = "application/x-directory"
"""The content type of directory markers, as CloudFusion, s3fs and Cyberduck write it."""

DIRECTORY_TYPES = frozenset((DIRECTORY_TYPE, "httpd/unix-directory", "inode/directory"))
"""The content types of directories: older s3fs, Cyberduck and GNOME have others."""

PAGE_SIZE = 1000
"""Rows (objects and common prefixes) that S3 gives in one listing page at the most."""


class ObjectRow(NamedTuple):
    """An object as a listing shows it. Sizes in bytes."""

    key: str
    size: int
    modified: datetime
    etag: str
    storage_class: str = ""
    """Empty: STANDARD, or the store doesn't say."""

    @property
    def may_be_archived(self) -> bool:
        """Whether its storage class is one that has to be restored before it can be read. It may be
        restored already; and some stores only keep the class's name."""
        return self.storage_class in ARCHIVES

    @property
    def has_time(self) -> bool:
        """Whether its time tells when it was written. Some stores have one time for all objects, or
        none: NO_TIME."""
        return self.modified >= _FIRST_TIME


NO_TIME = datetime(1970, 1, 1, tzinfo=UTC)

_FIRST_TIME = datetime(2006, 3, 14, tzinfo=UTC)
"""When S3 began."""

ARCHIVES = frozenset({"GLACIER", "DEEP_ARCHIVE"})
"""GLACIER_IR can be read at once. A listing doesn't say what INTELLIGENT_TIERING has archived."""


TIME_TOLERANCE = timedelta(seconds=1)
"""The time in the answer to a write may differ by so much from the time in a listing."""


def is_unchanged(now: ObjectRow | None, before: ObjectRow | None) -> bool:
    """Whether two looks at a key have shown the same, or both nothing. A lifecycle rule changes the
    storage class of an object, and doesn't write it."""
    if now is None or before is None:
        return now is before
    return now._replace(storage_class=before.storage_class) == before


def is_same_version(one: ObjectRow, other: ObjectRow) -> bool:
    """Whether two rows of one key describe the same object, and not only equal bytes.

    An ETag names bytes: if the same bytes are written again, the object is another one with the
    same ETag, and only its time differs. A row doesn't say whether its time comes from a write or
    from a listing, so TIME_TOLERANCE always applies: an object that is written again within that
    time is taken for the same one.
    """
    is_alike = (one.etag, one.size) == (other.etag, other.size)
    return is_alike and abs(one.modified - other.modified) <= TIME_TOLERANCE


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is stored with the bytes. Metadata keys are lower case, without ``x-amz-meta-``."""

    content_type: str = "application/octet-stream"
    metadata: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object as a HEAD shows it."""

    row: ObjectRow
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing. Costs one S3 request."""

    rows: tuple[ObjectRow, ...]
    prefixes: tuple[str, ...]
    """Common prefixes, each ending in the delimiter."""
    is_last: bool
    derived: DerivedValues = field(default_factory=DerivedValues, compare=False, repr=False)
    """What upper layers derive from the page. Its size is limited by the cache that has the page;
    see derived.py."""


class Lookup(NamedTuple):
    """What is at a slashless key: an object, keys below ``key + "/"``, both, or neither."""

    row: ObjectRow | None
    is_prefix: bool


@dataclass(frozen=True, slots=True)
class Condition:
    """The condition on the present object at a key under which a write happens (RFC 9110 §13).

    ``if_match``: its ETag is this one. ``if_absent``: there is none (If-None-Match: ``*``).
    """

    if_match: str | None = None
    if_absent: bool = False
    is_optimistic: bool = False
    """Optimistic concurrency: no client asked for this condition, and the caller looks again and
    retries if it is refused. So a refusal may be due to the caller's own write, whose answer was
    lost; and a store that ignores conditions isn't asked before the write."""


ALWAYS = Condition()
IF_ABSENT = Condition(if_absent=True)

NO_ETAGS: Mapping[str, str] = MappingProxyType({})

NO_VERSIONS: Mapping[str, ObjectRow] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class DeleteFailure:
    """A key of a batch that could not be deleted, and the reason."""

    key: str
    error: StoreError


class ObjectReader(Protocol):
    """The bytes of one version of an object, or of a range of it."""

    @property
    def info(self) -> ObjectInfo:
        """The whole object's size, ETag and attributes, whatever the range."""
        ...

    def read(self, size: int) -> bytes:
        """The next bytes, at most ``size``; ``b""`` only once all that was asked for is read.

        Raises TruncatedError where the store can't give the rest of this very version.
        """
        ...

    def close(self) -> None:
        """Returns the connection to the pool. May be called twice."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class ObjectWriter(Protocol):
    """The upload of an object. Nothing is visible until `commit` returns."""

    def write(self, data: bytes) -> None:
        """Adds the next bytes, of any number. Raises TooLargeError past the store's limit."""
        ...

    def commit(self, condition: Condition | None = None) -> ObjectRow:
        """Makes the object visible, all of it, if ``condition`` holds; None: the one given to
        `open_writer`.

        After a PreconditionFailedError the writer is as it was before, and may be committed again
        or aborted. Whatever else this raises, the writer has been aborted.
        """
        ...

    def abort(self) -> None:
        """Leaves the store as it was. Does nothing after `commit`; never raises a StoreError."""
        ...


class ObjectStore(Protocol):
    """A bucket of objects. Safe to use from many threads at once."""

    @property
    def max_object_size(self) -> int:
        """The largest object that the store takes, in bytes."""
        ...

    def list_objects(
        self, prefix: str, *, delimiter: str = "", page_size: int = PAGE_SIZE
    ) -> Iterator[Page]:
        """Pages of the keys that begin with ``prefix``, each fetched when it is asked for.

        With a delimiter, keys that hold it after the prefix are rolled up into common prefixes.
        There is at least one page; only the last has ``is_last``.
        """
        ...

    def lookup(self, key: str, *, bypass_cache: bool = False) -> Lookup:
        """What is at ``key``, which doesn't end in ``/``. Never raises NotFoundError.

        ``bypass_cache``: as the bucket has it after this call began. A cache sends a request, and
        corrects its entries by the answer.
        """
        ...

    def head_object(self, key: str) -> ObjectInfo:
        """Raises NotFoundError."""
        ...

    def get_object(
        self,
        key: str,
        *,
        start: int = 0,
        end: int | None = None,
        if_match: str | None = None,
    ) -> ObjectReader:
        """Opens bytes ``start`` to ``end`` (exclusive; None for the last) of the object.

        Raises NotFoundError, and PreconditionFailedError where its ETag is not ``if_match``. The
        caller keeps ``start < size`` unless both are 0, and ``start < end``.
        """
        ...

    def put_object(
        self, key: str, body: bytes, attributes: Attributes, condition: Condition = ALWAYS
    ) -> ObjectRow:
        """Writes a whole small object in one request. Raises PreconditionFailedError.

        The row's time is the store's at the write, to the second; a listing may differ by one.
        """
        ...

    def open_writer(
        self,
        key: str,
        attributes: Attributes,
        condition: Condition = ALWAYS,
        *,
        length: int | None = None,
    ) -> ObjectWriter:
        """A writer for a body of ``length`` bytes, or of unknown length.

        Sends nothing to the store until more than one part has been written, or until `commit`. A
        body that fits one part costs one request. Raises TooLargeError where ``length`` is over the
        store's limit.
        """
        ...

    def copy_object(
        self,
        source: ObjectRow,
        target: str,
        *,
        attributes: Attributes | None = None,
        condition: Condition = ALWAYS,
    ) -> ObjectRow:
        """Copies inside the store, whatever the size; ``attributes`` replace the source's.

        Raises NotFoundError where the source is gone, and PreconditionFailedError where it is no
        longer the version that ``source`` names (stores that can check it do), or where
        ``condition`` doesn't hold of the target (likewise).
        """
        ...

    def delete_object(self, key: str, *, version: ObjectRow | None = None) -> None:
        """Deletes the object; an absent one is deleted already.

        ``version``: the row that was seen, a moment ago. Raises PreconditionFailedError if the
        object is another one, and NotFoundError if it is gone: of several callers that delete one
        version, one has deleted it. The store compares ETags, which name bytes and not an object;
        checks before the request compare as `is_same_version` does.

        Raises UnavailableError if it isn't known whether the object was deleted. It will not be
        deleted later.
        """
        ...

    def delete_objects(
        self, keys: Sequence[str], *, versions: Mapping[str, ObjectRow] = NO_VERSIONS
    ) -> list[DeleteFailure]:
        """Deletes any number of objects, a thousand a request. Returns those that it could not
        delete.

        ``versions``: rows by key, as in `delete_object`. An object that is another one fails with
        PreconditionFailedError (stores that can check it in a batch do).
        """
        ...

    def require_deletable(self, keys: Iterable[str]) -> None:
        """For operations that delete these only after they have written something. Raises
        MissingRightError if the store is known to refuse that: it isn't asked, unless it has
        refused a delete there before."""
        ...
