"""Properties of collections' members: read, updated, and copied with their collections.

Updates of one collection that arrive while another one is being written wait together, and the next
write makes them all: one by one, each would take a round trip.

Invariants:
- An update returns once the store has it, and raises only for its own failure.
- A damaged head is copied to another reserved name before it is replaced.
- What is read is of one version, whatever other bridges merge meanwhile.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Lock
from typing import TypeVar

from davbridge.errors import (
    InvalidNameError,
    NotFoundError,
    OutOfSpaceError,
    PreconditionFailedError,
    StoreError,
    UnavailableError,
)
from davbridge.paths import require_key_length
from davbridge.store.base import Condition, ObjectRow, ObjectStore
from davbridge.tree.properties.client_metadata import Properties
from davbridge.tree.properties.entries import Members, encode_name, encode_properties
from davbridge.tree.properties.merging import LIMITS, Limits
from davbridge.tree.properties.sidecar_copies import SidecarCopies
from davbridge.tree.properties.sidecar_files import SegmentGoneError, SidecarFiles
from davbridge.tree.properties.sidecar_format import (
    MAX_RESOURCE_BYTES,
    NO_HEAD,
    SIDECAR_NAME,
    Head,
)
from davbridge.tree.properties.sidecar_view import SidecarView
from davbridge.tree.properties.sidecar_writer import Changes, SidecarWriter
from davbridge.waiting import store_wait

_ATTEMPTS = 10
_LOCKS = 64

Find = Callable[[str], Properties]
"""The properties of a member, by its name."""

Change = Callable[[Find], Mapping[str, Properties]]
"""What members are to have, by name. Others stay as they are."""

T = TypeVar("T")

DEFAULT_LIMITS = LIMITS
"""Of each new `Sidecars`."""


class _Update:
    """A change that waits for its write."""

    def __init__(self, change: Change) -> None:
        self.is_done = False
        self._change = change
        self._refusal: StoreError | None = None
        self._error: StoreError | None = None

    def made(self, find: Find) -> Mapping[str, Properties]:
        """What the change makes of the members; nothing if it is refused."""
        self._refusal = None
        try:
            changed = {name: new for name, new in self._change(find).items() if new != find(name)}
            for properties in changed.values():
                _require_size(properties)
        except StoreError as refusal:
            self._refusal = refusal
            return {}
        return changed

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

    def __init__(self, store: ObjectStore, limits: Limits | None = None) -> None:
        self._store = store
        self._files = SidecarFiles(store)
        self._writer = SidecarWriter(self._files, limits or DEFAULT_LIMITS)
        self._copies = SidecarCopies(self._files)
        self._lock = Lock()
        """For the waiting updates."""
        self._waiting: dict[str, list[_Update]] = {}
        # For the threads of this bridge. Between bridges, conditional writes decide.
        self._writing = [Lock() for _ in range(_LOCKS)]

    def read(self, prefix: str) -> Members:
        """The properties of all members of the collection."""
        key = prefix + SIDECAR_NAME
        return self._look(key, self._files.current(key), SidecarView.members)

    def read_member(self, prefix: str, name: str) -> Properties:
        """The properties of one member of the collection."""
        key = prefix + SIDECAR_NAME
        return self._look(key, self._files.current(key), lambda view: view.get(name))

    def listed(self, row: ObjectRow) -> Members:
        """The properties of which a listing past the cache has just shown the head."""
        head = self._files.cached(row.key, row.etag) or self._files.fetch(row.key)
        return self._look(row.key, head, SidecarView.members)

    def version(self, key: str, etag: str) -> Members | None:
        """The properties in one version of a head; None if it is damaged, or gone and not
        cached."""
        head = self._version(key, etag)
        if head is None or head.is_damaged:
            return None
        try:
            return SidecarView(self._files, key, head).members()
        except SegmentGoneError:
            return None

    def is_unchanged_copy(self, row: ObjectRow) -> bool:
        """Whether this version of a head says that it is an unchanged copy of another one."""
        head = self._version(row.key, row.etag)
        return head is not None and bool(head.copy_of)

    def copy(self, source: ObjectRow, target: str, condition: Condition) -> list[ObjectRow]:
        """As `SidecarCopies.copy`."""
        return self._copies.copy(source, target, condition)

    def refresh(self, prefix: str) -> None:
        """Looks the head up past all caches, so that later reads are no older."""
        key = prefix + SIDECAR_NAME
        with suppress(InvalidNameError):  # Longer than keys can be: there is none.
            require_key_length(key)
            self._store.lookup(key, bypass_cache=True)

    def has_any(self, prefix: str) -> bool:
        """Whether any member of the collection is known to have properties."""
        return self._files.current(prefix + SIDECAR_NAME) is not NO_HEAD

    def update(self, prefix: str, name: str, change: Callable[[Properties], Properties]) -> None:
        """Replaces one member's properties by what ``change`` makes of them."""
        self.update_members(prefix, lambda find: {name: change(find(name))})

    def update_members(self, prefix: str, change: Change) -> None:
        """As `update`, for some members of a collection in one write."""
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

    def _look(self, key: str, head: Head, look: Callable[[SidecarView], T]) -> T:
        for _ in range(_ATTEMPTS):
            try:
                return look(SidecarView(self._files, key, head))
            except SegmentGoneError as gone:
                head = self._files.after(gone, head)
        raise UnavailableError("the properties are being changed by too many others; try again")

    def _version(self, key: str, etag: str) -> Head | None:
        head = self._files.cached(key, etag) or self._files.fetch(key)
        return head if head.row is not None and head.row.etag == etag else None

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
        head = self._files.current(key)
        for attempt in range(_ATTEMPTS):
            view = SidecarView(self._files, key, head)
            try:
                changes = _changes(view, group)
                if not changes or self._writer.write(view, key, changes, is_late=attempt > 1):
                    return
                head = self._files.fetch(key)
            except SegmentGoneError as gone:
                head = self._files.after(gone, head)
            except (PreconditionFailedError, NotFoundError):
                # Not found: the damaged head that was to be copied.
                head = self._files.fetch(key)
        raise UnavailableError("the properties are being changed by too many others; try again")


def _changes(view: SidecarView, group: Sequence[_Update]) -> Changes:
    """What the updates make of the members, one after the other."""
    changed: dict[str, Properties] = {}

    def find(name: str) -> Properties:
        return changed[name] if name in changed else view.get(name)

    for update in group:
        changed.update(update.made(find))
    return {
        encode_name(name): encode_properties(properties) if properties else None
        for name, properties in changed.items()
        if properties != view.get(name)
    }


def _require_size(properties: Properties) -> None:
    """Raises OutOfSpaceError."""
    if sum(len(key.encode()) + len(value.encode()) for key, value in properties.items()) > (
        MAX_RESOURCE_BYTES
    ):
        raise OutOfSpaceError(f"over {MAX_RESOURCE_BYTES} bytes of properties on one resource")
