"""The quota, the limit for one file, and the bytes reserved for writes in progress.

Invariants:
- A write in progress counts once, until it is stored or has failed. Of several uploads to one name
  only one stays in the end: so the largest counts, less what it replaces.
- A write that adds no bytes is never refused.
- While the used bytes are unknown, only what this process has written and is writing counts.
"""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import NamedTuple

from davbridge.errors import OutOfSpaceError, TooLargeError
from davbridge.tree.writes.usage import Usage


class AccountInfo(NamedTuple):
    """The seed's ``account_info``. Bytes; None if unknown or unlimited."""

    used: int | None
    quota: int | None
    available: int | None


class _Name:
    """The writes in progress to one name."""

    def __init__(self) -> None:
        self.present = 0
        """Bytes that are there now."""
        self.reservations: dict[Reservation, int] = {}
        """Bytes that will be there, by each of the writes."""

    @property
    def growth(self) -> int:
        return max(0, max(self.reservations.values(), default=0) - self.present)


class Reservation:
    """The bytes that a write in progress needs, or that an operation adds."""

    def __init__(self, storage_quota: "StorageQuota", name: Hashable, present: int) -> None:
        self._storage_quota = storage_quota
        self._name = name
        storage_quota._set_present(self, name, present)

    def require(self, size: int) -> None:
        """Reserves ``size`` bytes in all, instead of what it had reserved. Raises OutOfSpaceError
        if there is no room; then the reservation stays as it was."""
        self._storage_quota._require(self, self._name, size)

    def set_replaced_size(self, present: int) -> None:
        """The write replaces ``present`` bytes. Raises OutOfSpaceError if there is no room."""
        self._storage_quota._set_present(self, self._name, present)
        self._storage_quota._require_still(self, self._name)

    def complete(self, added: int, size: int = 0) -> None:
        """Ends it: ``added`` more bytes are used, and ``size`` are at the name now."""
        self._storage_quota._complete(self, self._name, added, size)

    def release(self) -> None:
        """Ends it, unless it has ended already."""
        self._storage_quota._release(self, self._name)


class StorageQuota:
    """The quota of one drive."""

    def __init__(self, usage: Usage, quota: int | None, max_file_size: int) -> None:
        self.quota = quota
        self.max_file_size = max_file_size
        self._usage = usage
        self._lock = RLock()
        self._names: dict[Hashable, _Name] = {}

    def used(self) -> int | None:
        """Bytes, as last counted; None before the first count, which this call starts."""
        return self._usage.used_bytes()

    def available(self) -> int | None:
        """The bytes left of the quota; None without one, or while the used bytes are unknown."""
        if self.quota is None or (used := self.used()) is None:
            return None
        with self._lock:
            return max(0, self.quota - used - self._reserved())

    def account(self) -> AccountInfo:
        """All three. Never waits for the store."""
        return AccountInfo(self.used(), self.quota, self.available())

    def require_file_size(self, size: int) -> None:
        """Raises TooLargeError for a file over the limit."""
        if size > self.max_file_size:
            raise TooLargeError(f"over {self.max_file_size} bytes")

    def reserve(self, name: str, present: int) -> Reservation:
        """For an upload to ``name``, where ``present`` bytes are now."""
        return Reservation(self, name, present)

    @contextmanager
    def reserve_for_operation(self) -> Iterator[Reservation]:
        """For what an operation on a tree adds."""
        reservation = Reservation(self, object(), 0)
        try:
            yield reservation
        finally:
            reservation.release()

    def record_added(self, added: int) -> None:
        """Counts bytes that a write has added."""
        self._usage.add(added)

    def _set_present(self, reservation: Reservation, key: Hashable, present: int) -> None:
        with self._lock:
            name = self._names.setdefault(key, _Name())
            name.present = present
            name.reservations.setdefault(reservation, 0)

    def _require(self, reservation: Reservation, key: Hashable, size: int) -> None:
        with self._lock:
            name = self._names[key]
            before, growth = name.reservations[reservation], name.growth
            name.reservations[reservation] = size
            if name.growth > growth and not self._fits():
                name.reservations[reservation] = before
                raise self._full()

    def _require_still(self, reservation: Reservation, key: Hashable) -> None:
        with self._lock:
            name = self._names[key]
            if name.reservations[reservation] > name.present and not self._fits():
                raise self._full()

    def _complete(self, reservation: Reservation, key: Hashable, added: int, size: int) -> None:
        with self._lock:
            if key in self._names:
                self._names[key].present = size
            self._release(reservation, key)
            self._usage.add(added)

    def _release(self, reservation: Reservation, key: Hashable) -> None:
        with self._lock:
            name = self._names.get(key)
            if (
                name
                and name.reservations.pop(reservation, None) is not None
                and not name.reservations
            ):
                del self._names[key]

    def _reserved(self) -> int:
        return sum(name.growth for name in self._names.values())

    def _fits(self) -> bool:
        if self.quota is None:
            return True
        used = self.used()
        known = self._usage.written() if used is None else used
        return known + self._reserved() <= self.quota

    def _full(self) -> OutOfSpaceError:
        return OutOfSpaceError(f"the quota of {self.quota} bytes has no room for it")
