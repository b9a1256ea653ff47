"""Deletes of many keys: in batches, some of them in parallel, markers last.

Invariant: what can't be deleted is returned as a DeleteFailure. A key that is absent counts as
deleted.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from itertools import chain

from davbridge.errors import NotFoundError, StoreError
from davbridge.paths import DELIMITER
from davbridge.store.base import DeleteFailure, ObjectRow, ObjectStore
from davbridge.tree.plan import is_marker, parent_keys
from davbridge.tree.reserved_names import is_own
from davbridge.tree.steps.parallel_requests import ParallelRequests
from davbridge.tree.steps.progress import RunningOperation

BATCH = 250
"""Keys. SeaweedFS deletes a batch key by key. Four batches in parallel take less than half the time
of one that is as large (0.4 and 0.9 s for 1,000 keys); more batches don't take less."""

BATCHES_AT_ONCE = 4
"""Together a thousand keys, as many as AWS takes in one request. AWS limits deletes per second."""

Deadline = Callable[[], AbstractContextManager[None]]
"""Makes a context for the requests of a batch: none of them has an effect after the deadline."""


class Batches:
    """Of the keys of one store."""

    def __init__(self, store: ObjectStore, parallel_requests: ParallelRequests) -> None:
        self._store = store
        self._parallel_requests = parallel_requests

    def delete(
        self,
        keys: Sequence[str],
        running: RunningOperation,
        versions: Mapping[str, ObjectRow],
        deadline: Deadline = nullcontext,
    ) -> list[DeleteFailure]:
        """Deletes the keys in their order. Many keys are deleted in parallel, and the markers after
        all others."""
        delete_batch = partial(self._delete_batch, running, versions, deadline)
        if len(keys) <= BATCH:
            return delete_batch(keys)
        members = [key for key in keys if not is_marker(key)]
        batches = [members[at : at + BATCH] for at in range(0, len(members), BATCH)]
        failed = self._parallel_requests.each(delete_batch, batches, at_once=BATCHES_AT_ONCE)
        markers = [key for key in keys if is_marker(key)]
        return [*chain.from_iterable(failed), *delete_batch(markers)]

    def _delete_batch(
        self,
        running: RunningOperation,
        versions: Mapping[str, ObjectRow],
        deadline: Deadline,
        keys: Sequence[str],
    ) -> list[DeleteFailure]:
        if not keys:
            return []
        failed: list[DeleteFailure] = []
        try:
            with running.under_lease(), deadline():
                if len(keys) == 1:
                    with suppress(NotFoundError):
                        self._store.delete_object(keys[0], version=versions.get(keys[0]))
                else:
                    failed = self._store.delete_objects(keys, versions=versions)
        except StoreError as error:
            return [DeleteFailure(key, error) for key in keys]
        running.advance(len(keys) - len(failed))
        return failed


def versions_of(rows: Iterable[ObjectRow]) -> dict[str, ObjectRow]:
    """The rows by key. Markers have no version: they are alike, and a store that keeps folders may
    return another ETag of one each time."""
    return {row.key: row for row in rows if not is_marker(row.key)}


def goes_last(key: str) -> bool:
    """Whether a key is deleted after the members of its collection: a marker, or a sidecar. The
    segments of a sidecar are deleted after its head."""
    return is_marker(key) or is_own(key)


def of_emptied(keys: Iterable[str], remaining: Iterable[str]) -> list[str]:
    """Those of these markers and sidecars whose collections contain none of the ``remaining``
    keys."""
    occupied = parent_keys(remaining)
    return [key for key in keys if collection_of(key) not in occupied]


def collection_of(key: str) -> str:
    """The key, without a slash, of the collection that ``key`` marks, or is directly in."""
    return key.rpartition(DELIMITER)[0]
