"""How much a drive holds, and how much more it may.

Owns the quota, the sizes that are refused, and the claims of writes under way. Must not know how
the used bytes are counted.

Invariants: what is under way counts, once, until it is stored or given up; of several bodies for
one name only one will be there in the end, so that the longest counts, less what it replaces; a
write that makes nothing grow is never refused. While the used bytes are unknown, what this process
has written and is writing counts alone.
"""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import NamedTuple

from davbridge.errors import OutOfSpaceError, TooLargeError
from davbridge.tree.writes.usage import Usage


class AccountInfo(NamedTuple):
    """The seed's ``account_info``, as facts: for who uses davbridge as a library. Bytes; None where
    unknown, or unlimited."""

    used: int | None
    quota: int | None
    available: int | None


class _Name:
    """What is written to one name at a time."""

    def __init__(self) -> None:
        self.present = 0
        """Bytes that are there now."""
        self.claims: dict[Claim, int] = {}
        """Bytes that shall be there, by each of the writes."""

    @property
    def growth(self) -> int:
        return max(0, max(self.claims.values(), default=0) - self.present)


class Claim:
    """The bytes that a write under way will take, or an operation will add."""

    def __init__(self, storage_quota: "StorageQuota", name: Hashable, present: int) -> None:
        self._storage_quota = storage_quota
        self._name = name
        storage_quota._set_present(self, name, present)

    def require(self, size: int) -> None:
        """Claims ``size`` bytes in all, no longer what was claimed before. Raises OutOfSpaceError
        where there is no room, and claims what it did."""
        self._storage_quota._require(self, self._name, size)

    def replaces(self, present: int) -> None:
        """Now so many bytes are at the name. Raises OutOfSpaceError where there is no room."""
        self._storage_quota._set_present(self, self._name, present)
        self._storage_quota._require_still(self, self._name)

    def settle(self, added: int, size: int = 0) -> None:
        """It is done: ``added`` bytes more are used, and ``size`` are at the name now."""
        self._storage_quota._settle(self, self._name, added, size)

    def release(self) -> None:
        """The write is given up, or done. May be called twice."""
        self._storage_quota._release(self, self._name)


class StorageQuota:
    """The room on one drive."""

    def __init__(self, usage: Usage, quota: int | None, max_file_size: int) -> None:
        self.quota = quota
        self.max_file_size = max_file_size
        self._usage = usage
        self._lock = RLock()
        self._names: dict[Hashable, _Name] = {}

    def used(self) -> int | None:
        """Bytes, as last counted; None before the first count, which this begins."""
        return self._usage.used_bytes()

    def available(self) -> int | None:
        """What the quota has left; None without one, or while the used bytes are unknown."""
        if self.quota is None or (used := self.used()) is None:
            return None
        with self._lock:
            return max(0, self.quota - used - self._claimed())

    def account(self) -> AccountInfo:
        """All of it. Nothing here waits for the store."""
        return AccountInfo(self.used(), self.quota, self.available())

    def require_file_size(self, size: int) -> None:
        """Raises TooLargeError for a file that no drive of this kind may hold."""
        if size > self.max_file_size:
            raise TooLargeError(f"over {self.max_file_size} bytes")

    def claim(self, name: str, present: int) -> Claim:
        """For a body on its way to ``name``, where ``present`` bytes are now."""
        return Claim(self, name, present)

    @contextmanager
    def operation(self) -> Iterator[Claim]:
        """A claim for what an operation on a tree will add."""
        claim = Claim(self, object(), 0)
        try:
            yield claim
        finally:
            claim.release()

    def take(self, added: int) -> None:
        """Follows a write."""
        self._usage.add(added)

    def _set_present(self, claim: Claim, key: Hashable, present: int) -> None:
        with self._lock:
            name = self._names.setdefault(key, _Name())
            name.present = present
            name.claims.setdefault(claim, 0)

    def _require(self, claim: Claim, key: Hashable, size: int) -> None:
        with self._lock:
            name = self._names[key]
            before, growth = name.claims[claim], name.growth
            name.claims[claim] = size
            if name.growth > growth and not self._fits():
                name.claims[claim] = before
                raise self._full()

    def _require_still(self, claim: Claim, key: Hashable) -> None:
        with self._lock:
            name = self._names[key]
            if name.claims[claim] > name.present and not self._fits():
                raise self._full()

    def _settle(self, claim: Claim, key: Hashable, added: int, size: int) -> None:
        with self._lock:
            if key in self._names:
                self._names[key].present = size
            self._release(claim, key)
            self._usage.add(added)

    def _release(self, claim: Claim, key: Hashable) -> None:
        with self._lock:
            name = self._names.get(key)
            if name and name.claims.pop(claim, None) is not None and not name.claims:
                del self._names[key]

    def _claimed(self) -> int:
        return sum(name.growth for name in self._names.values())

    def _fits(self) -> bool:
        if self.quota is None:
            return True
        used = self.used()
        known = self._usage.written() if used is None else used
        return known + self._claimed() <= self.quota

    def _full(self) -> OutOfSpaceError:
        return OutOfSpaceError(f"the quota of {self.quota} bytes has no room for it")
