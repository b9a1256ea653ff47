"""HolderLimits of something limited, so that no holder leaves nothing for others.

A holder has a share: a tenth of all where all are free. It shrinks with the square of what is free:
what is held is never taken away, so half of what is free would leave nothing of 20,000 after
fourteen holders. After N holders that took all they could, 10 / (10 + N) of all are free, and who
comes next can add some.

Owns how large a share is, and the counts. Must not know what is shared. Not safe under threads.
"""

from collections import Counter
from collections.abc import Hashable

FIRST_HOLDER_DIVISOR = 10
"""A holder may have one of so many where all are free. Of 20,000 it gets 1,678 if it takes all it
can. After 14 others have done so, the next one gets 343; after 100 others, 17."""


class HolderLimits:
    """How many of ``limit`` each holder has."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._total = 0
        self.held: Counter[Hashable] = Counter()
        """By holder, but for those that have none."""

    @property
    def free(self) -> int:
        """How many nobody has."""
        return self._limit - self._total

    def may_add(self, holder: Hashable) -> bool:
        """Whether ``holder`` has less than its share, which is one at least while any are free."""
        share = max(1, self.free**2 // (FIRST_HOLDER_DIVISOR * self._limit))
        return self.free > 0 and self.held[holder] < share

    def add(self, holder: Hashable) -> None:
        self._total += 1
        self.held[holder] += 1

    def remove(self, holder: Hashable) -> None:
        self._total -= 1
        self.held[holder] -= 1
        if not self.held[holder]:
            del self.held[holder]
