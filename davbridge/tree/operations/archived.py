"""Finds out which objects can't be copied because they are archived, before anything is copied."""

from collections.abc import Iterable

from davbridge.errors import ArchivedError, NotFoundError, StoreError, TruncatedError
from davbridge.store.base import ObjectRow, ObjectStore
from davbridge.tree.plan import Copy, shown_path
from davbridge.tree.resource import Failure
from davbridge.tree.steps.parallel_requests import ParallelRequests


def archived_members(
    store: ObjectStore, mount: str, copies: Iterable[Copy], parallel_requests: ParallelRequests
) -> list[Failure]:
    """Reads a byte of each object whose storage class may be an archive's: the class doesn't say
    whether an object was restored. Ends soon after the first one that is archived. Raises
    StoreError."""

    def error_of(row: ObjectRow) -> StoreError | None:
        try:
            with store.get_object(row.key, end=1 if row.size else None) as reader:
                reader.read(1)
        except (NotFoundError, TruncatedError):
            return None  # It has changed since it was listed: the copy deals with that.
        except StoreError as error:
            return error
        return None

    suspects = [copy.source for copy in copies if copy.source.may_be_archived]
    ended = parallel_requests.each(error_of, suspects, is_fatal=lambda error: error is not None)
    failures = []
    for row, error in zip(suspects, ended, strict=False):
        if isinstance(error, ArchivedError):
            failures.append(Failure(shown_path(mount, row.key), error))
        elif error is not None:
            raise error
    return failures
