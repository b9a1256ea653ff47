"""Reads, caches and updates sidecars: one object per collection, with its members' properties.

A sidecar is written as a whole. Updates that arrive while it is being written wait together, and
the next write makes them all: one by one, each would take a round trip.

Invariants:
- A missing sidecar costs no request: the collection's listing shows whether there is one, and its
  ETag.
- An update returns once the store has it, and raises only for its own failure.
- Updates are compare-and-swap, as is the deletion of an empty sidecar: bridges don't undo each
  other's. No two versions have the same ETag, even if the same properties are set again.
- A damaged sidecar is copied to another reserved name before it is replaced.
- Contents are cached by key and ETag, so never stale. The cache is bounded in bytes.
"""

import logging
import uuid
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from hashlib import sha256
from threading import Lock

from cachetools import LRUCache

from davbridge.errors import (
    InvalidNameError,
    NotFoundError,
    OutOfSpaceError,
    PreconditionFailedError,
    StoreError,
    UnavailableError,
)
from davbridge.paths import require_key_length
from davbridge.store.base import (
    IF_ABSENT,
    Attributes,
    Condition,
    ObjectRow,
    ObjectStore,
)
from davbridge.tree.properties.client_metadata import Properties
from davbridge.tree.properties.sidecar_format import (
    MAX_SIDECAR_BYTES,
    NO_SIDECAR,
    SIDECAR_NAME,
    MemberProperties,
    Sidecar,
    decode,
    encode,
    weight,
    with_change,
)
from davbridge.tree.reads import read_all
from davbridge.waiting import store_wait

MAX_CACHE_BYTES = 32 * 1024 * 1024

LARGE = 512 * 1024
"""Bytes. Parsing a larger sidecar takes several MiB: only one at a time is parsed."""

_ATTEMPTS = 10
_LOCKS = 64
_JSON = Attributes(content_type="application/json")

Change = Callable[[MemberProperties], MemberProperties]

_log = logging.getLogger(__name__)


class _Update:
    """A change that waits for its write."""

    def __init__(self, change: Change) -> None:
        self.is_done = False
        self._change = change
        self._refusal: StoreError | None = None
        self._error: StoreError | None = None

    def applied_to(self, members: MemberProperties) -> MemberProperties:
        """The members with the change; without it if the change is refused."""
        self._refusal = None
        try:
            return self._change(members)
        except StoreError as refusal:
            self._refusal = refusal
            return members

    def end(self, error: StoreError | None) -> None:
        self.is_done = True
        self._error = error or self._refusal

    def require_success(self) -> None:
        if not self.is_done:
            raise UnavailableError("the write that took the properties along broke off")
        if self._error is not None:
            raise self._error


class Sidecars:
    """The properties of collections' members. Collections are named by their prefixes."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._cache: LRUCache[tuple[str, str], Sidecar] = LRUCache(MAX_CACHE_BYTES, weight)
        self._lock = Lock()
        """For the cache and the waiting updates."""
        self._waiting: dict[str, list[_Update]] = {}
        self._reading_large = Lock()
        # For the threads of this bridge. Between bridges, conditional writes decide.
        self._writing = [Lock() for _ in range(_LOCKS)]

    def read(self, prefix: str) -> MemberProperties:
        """The properties of all members of the collection."""
        return self._current(prefix + SIDECAR_NAME).members

    def version(self, key: str, etag: str) -> MemberProperties | None:
        """The properties in one version of a sidecar; None if it is damaged, or gone and not
        cached."""
        with self._lock:
            sidecar = self._cache.get((key, etag))
        sidecar = sidecar or self._fetch(key)
        is_known = sidecar.row is not None and sidecar.row.etag == etag
        return sidecar.members if is_known and not sidecar.is_damaged else None

    def listed(self, row: ObjectRow) -> MemberProperties:
        """The properties in a sidecar that a listing past the cache has just shown."""
        return (self._cached(row) or self._fetch(row.key)).members

    def refresh(self, prefix: str) -> None:
        """Looks the sidecar up past all caches, so that later reads are no older."""
        key = prefix + SIDECAR_NAME
        with suppress(InvalidNameError):  # Longer than keys can be: there is none.
            require_key_length(key)
            self._store.lookup(key, bypass_cache=True)

    def has_any(self, prefix: str) -> bool:
        """Whether any member of the collection is known to have properties."""
        return self._current(prefix + SIDECAR_NAME) is not NO_SIDECAR

    def update(self, prefix: str, name: str, change: Callable[[Properties], Properties]) -> None:
        """Replaces one member's properties by what ``change`` makes of them."""
        self.update_members(prefix, lambda members: with_change(members, name, change))

    def update_members(self, prefix: str, change: Change) -> None:
        """As `update`, for all members of a collection in one write."""
        key = prefix + SIDECAR_NAME
        update = _Update(change)
        with store_wait():  # Refused here, if at all: before anyone writes it.
            with self._lock:
                self._waiting.setdefault(key, []).append(update)
            with self._writing[hash(key) % _LOCKS]:
                if not update.is_done:
                    with self._lock:
                        group = self._waiting.pop(key, [])
                    self._write_all(key, group)
        update.require_success()

    def _write_all(self, key: str, group: Sequence[_Update]) -> None:
        error: StoreError | None = None
        try:
            self._write(key, group)
        except OutOfSpaceError as full:
            if len(group) > 1:  # One of them is too large: the others don't fail with it.
                for update in group:
                    self._write_all(key, [update])
                return
            error = full
        except StoreError as failure:
            error = failure
        for update in group:
            update.end(error)

    def _write(self, key: str, group: Sequence[_Update]) -> None:
        sidecar = self._current(key)
        for _ in range(_ATTEMPTS):
            members = sidecar.members
            for update in group:
                members = update.applied_to(members)
            if members == sidecar.members:
                return
            try:
                self._replace(key, sidecar, members)
                return
            except (PreconditionFailedError, NotFoundError):
                # Not found: the damaged sidecar that was to be copied.
                sidecar = self._fetch(key)
        raise UnavailableError("the properties are being changed by too many others; try again")

    def _replace(self, key: str, old: Sidecar, members: MemberProperties) -> None:
        body = encode(members, uuid.uuid4().hex)
        if old.is_damaged and old.row is not None:
            self._set_aside(old.row)
        if not members:
            if old.row is not None:
                with suppress(NotFoundError):
                    self._store.delete_object(key, version=old.row)
            return
        require_key_length(key)
        condition = Condition(if_match=old.row.etag) if old.row else IF_ABSENT
        row = self._store.put_object(key, body, _JSON, condition)
        self._add_to_cache(Sidecar(row, members))

    def _set_aside(self, row: ObjectRow) -> None:
        """Copies a damaged sidecar to a name that depends on its ETag: each version once."""
        aside = f"{row.key}.damaged-{sha256(row.etag.encode()).hexdigest()[:16]}"
        self._store.copy_object(row, aside)
        _log.warning("kept the damaged properties %r as %r", row.key, aside)

    def _current(self, key: str) -> Sidecar:
        """The version that the listing shows; from the cache if that has it."""
        try:
            require_key_length(key)
        except InvalidNameError:
            return NO_SIDECAR
        row = self._store.lookup(key).row
        if row is None:
            return NO_SIDECAR
        return self._cached(row) or self._fetch(key)

    def _fetch(self, key: str) -> Sidecar:
        """The store's present version, whatever the cached listing shows."""
        try:
            with self._store.get_object(key) as reader:
                row = reader.info.row
                with store_wait(), self._reading_large if row.size > LARGE else nullcontext():
                    sidecar = self._cached(row) or decode(row, read_all(reader, MAX_SIDECAR_BYTES))
                    self._add_to_cache(sidecar)
        except NotFoundError:
            return NO_SIDECAR
        return sidecar

    def _cached(self, row: ObjectRow) -> Sidecar | None:
        with self._lock:
            return self._cache.get((row.key, row.etag))

    def _add_to_cache(self, sidecar: Sidecar) -> None:
        if sidecar.row is not None and weight(sidecar) <= MAX_CACHE_BYTES:
            with self._lock:
                self._cache[sidecar.row.key, sidecar.row.etag] = sidecar
