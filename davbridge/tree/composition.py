"""The parts of a namespace, and which of them needs which others: only this module constructs
them."""

import time
from collections.abc import Callable
from typing import NamedTuple

from davbridge.clock import Clock, monotonic, utc_now
from davbridge.store.base import ObjectStore
from davbridge.tree.journal.journals import Journals
from davbridge.tree.journal.scanner import JournalScanner
from davbridge.tree.listing.classification import NameFilter
from davbridge.tree.listing.markers import DirectoryChecks
from davbridge.tree.listing.view import View
from davbridge.tree.operations.operations import Operations
from davbridge.tree.own_versions import OwnVersions
from davbridge.tree.path_locks import PathLocks
from davbridge.tree.properties.property_store import PropertyStore
from davbridge.tree.steps.parallel_requests import MAX_PARALLEL_REQUESTS, ParallelRequests
from davbridge.tree.writes.commits import Commits
from davbridge.tree.writes.creation import Creation
from davbridge.tree.writes.parents import Parents
from davbridge.tree.writes.quota import StorageQuota
from davbridge.tree.writes.usage import Usage
from davbridge.waiting import reported


class DriveLimits(NamedTuple):
    """How much a drive may hold, and how many requests its operations may send at a time."""

    max_file_size: int | None = None
    """Bytes; None: as many as the store takes."""
    quota: int | None = None
    """Bytes below the prefix; None: as many as the store takes."""
    parallel_requests: int = MAX_PARALLEL_REQUESTS
    """Of all operations together."""


NO_LIMITS = DriveLimits()
"""No limits but the store's."""


class Clocks(NamedTuple):
    """The clocks, and the sleep between attempts."""

    timer: Callable[[], float] = monotonic
    now: Clock = utc_now
    pause: Callable[[float], None] = time.sleep


SYSTEM_CLOCKS = Clocks()


class Components(NamedTuple):
    """The parts of a namespace."""

    view: View
    property_store: PropertyStore
    storage_quota: StorageQuota
    creation: Creation
    operations: Operations
    path_locks: PathLocks
    journal_scanner: JournalScanner
    closers: tuple[Callable[[], object], ...]
    """Called in this order, they stop the background work."""


def compose(
    store: ObjectStore,
    uncached: ObjectStore,
    prefix: str,
    limits: DriveLimits,
    clocks: Clocks,
    is_unlisted: NameFilter,
) -> Components:
    """Connects the parts. Journals are read and written past the cache."""
    directory_checks = DirectoryChecks(store, clocks.now)
    view = View(store, prefix, directory_checks, is_unlisted)
    parents = Parents(store, view)
    property_store = PropertyStore(store, prefix)

    usage = Usage(store, prefix, clocks.timer)
    max_file_size = min(store.max_object_size, limits.max_file_size or store.max_object_size)
    storage_quota = StorageQuota(usage, limits.quota, max_file_size)

    parallel_requests = ParallelRequests(limits.parallel_requests)
    journals = Journals(uncached, prefix, clocks.timer, reported(clocks.pause))
    own_versions = OwnVersions(clocks.timer)
    operations = Operations(
        store,
        view,
        directory_checks,
        parents,
        property_store,
        parallel_requests,
        journals,
        own_versions,
    )
    path_locks = operations.path_locks
    commits = Commits(view, parents, property_store, path_locks, own_versions)
    journal_scanner = JournalScanner(journals, operations.resume, clocks.now)
    return Components(
        view,
        property_store,
        storage_quota,
        Creation(store, view, parents, commits, storage_quota, path_locks),
        operations,
        path_locks,
        journal_scanner,
        (journal_scanner.stop, usage.close, directory_checks.close, parallel_requests.close),
    )
