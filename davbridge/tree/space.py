"""How much a drive holds, and how much more it may.

Owns the quota, and the sizes that are refused. Must not know how the used bytes are counted.
"""

from typing import NamedTuple

from davbridge.errors import OutOfSpaceError, TooLargeError
from davbridge.tree.usage import Usage


class AccountInfo(NamedTuple):
    """The seed's ``account_info``, as facts: for who uses davbridge as a library. Bytes; None where
    unknown, or unlimited."""

    used: int | None
    quota: int | None
    available: int | None


class Space:
    """The room on one drive. While the used bytes are unknown, nothing is refused for them."""

    def __init__(self, usage: Usage, quota: int | None, max_file_size: int) -> None:
        self.quota = quota
        self.max_file_size = max_file_size
        self._usage = usage

    def used(self) -> int | None:
        """Bytes, as last counted; None before the first count, which this begins."""
        return self._usage.used_bytes()

    def available(self) -> int | None:
        """What the quota has left; None without one, or while the used bytes are unknown."""
        if self.quota is None or (used := self.used()) is None:
            return None
        return max(0, self.quota - used)

    def account(self) -> AccountInfo:
        """All of it. Nothing here waits for the store."""
        return AccountInfo(self.used(), self.quota, self.available())

    def require_file_size(self, size: int) -> None:
        """Raises TooLargeError for a file that no drive of this kind may hold."""
        if size > self.max_file_size:
            raise TooLargeError(f"over {self.max_file_size} bytes")

    def require(self, added: int) -> int | None:
        """The bytes that the quota has left, None without limit. Raises OutOfSpaceError."""
        available = self.available()
        if available is not None and added > available:
            raise OutOfSpaceError(f"the quota of {self.quota} bytes has no room for it")
        return available

    def take(self, added: int) -> None:
        """Follows a write."""
        self._usage.add(added)
