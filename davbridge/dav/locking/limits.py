"""Limits per holder, so that no holder can use up something that all share.

Where everything is free, one holder may have a tenth of it. The limit shrinks with the square of
what is free: nothing is ever taken away from a holder, and with half of what is free as the limit,
fourteen holders would leave nothing of 20,000. After N holders that have taken all they could,
10 / (10 + N) is free, and the next holder can still have some.
"""

from collections import Counter
from collections.abc import Hashable

FIRST_HOLDER_DIVISOR = 10
"""A holder may have one of so many where all are free. Of 20,000 it gets 1,678 if it takes all it
can. After 14 others have done so, the next one gets 343; after 100 others, 17."""


class HolderLimits:
    """How many of ``limit`` each holder has. Not safe under threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._total = 0
        self.held: Counter[Hashable] = Counter()
        """By holder. Holders that have none are left out."""

    @property
    def free(self) -> int:
        """How many nobody has."""
        return self._limit - self._total

    def may_add(self, holder: Hashable) -> bool:
        """Whether ``holder`` is below its limit, which is at least one while any are free."""
        most = max(1, self.free**2 // (FIRST_HOLDER_DIVISOR * self._limit))
        return self.free > 0 and self.held[holder] < most

    def add(self, holder: Hashable) -> None:
        self._total += 1
        self.held[holder] += 1

    def remove(self, holder: Hashable) -> None:
        self._total -= 1
        self.held[holder] -= 1
        if not self.held[holder]:
            del self.held[holder]
