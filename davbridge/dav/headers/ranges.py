"""The Range header (RFC 9110 §14).

Invariants: every range that is returned has at least one byte and lies inside the object. No byte
is in two of them. Whatever is asked for, the ranges with the heads of their parts have no more
bytes than the whole and one such head.
"""

import re
from operator import itemgetter
from typing import NamedTuple

from davbridge.dav.errors import RefusalError

MAX_RANGES = 200
"""With more ranges, the whole is sent (§14.2 lets a server ignore the header), as by Apache. zsync
asks for 20 at once, davix for over a hundred."""

MIN_GAP = 256
"""Bytes between two ranges that are sent apart. With fewer, what is between them is sent as well
(§15.3.7.2): the head of another part would take about as many."""

MAX_SKIPPED = 64 * 1024
"""Bytes between two ranges that are read from the store and thrown away: another request to the
store takes longer."""

_SPEC = re.compile(r"(\d*)\s*-\s*(\d*)", re.ASCII)
"""Without the blanks around it: two adjacent runs of blanks would take quadratic time."""

_HUGE = 10**18
"""Stands for all numbers of more than 18 digits: no object is as long."""


class ByteRange(NamedTuple):
    """Bytes ``start`` to ``end``, exclusive."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start

    def content_range(self, size: int) -> str:
        return f"bytes {self.start}-{self.end - 1}/{size}"


def parse_range(value: str | None, size: int) -> list[ByteRange]:
    """The ranges to send, in the order in which they are asked for; empty where the whole is to
    be sent. Ranges that overlap or lie close have become one.

    Raises RefusalError 416 where none of them lies inside ``size`` bytes. A unit other than
    bytes, a malformed list and too many ranges are ignored, as RFC 9110 §14.2 has it. The end of an
    empty object can be asked for (§14.1.2), but no Content-Range can say so: it is sent whole.
    """
    if value is None:
        return []
    unit, _, specs = value.partition("=")
    if unit.strip().lower() != "bytes" or specs.count(",") >= MAX_RANGES:
        return []
    matches = [_SPEC.fullmatch(spec) for spec in map(str.strip, specs.split(",")) if spec]
    ranges: list[ByteRange] = []
    for match in matches:
        if match is None or not (match[1] or match[2]) or _is_backwards(match[1], match[2]):
            return []
        if not size and not match[1] and _number(match[2]):
            return []
        resolved = _resolve(match[1], match[2], size)
        if resolved.length > 0:
            ranges.append(resolved)
    if matches and not ranges:
        headers = [("Content-Range", f"bytes */{size}")]
        raise RefusalError(416, f"the file has {size} bytes", headers=headers)
    groups = _grouped(ranges, MIN_GAP)
    joined = [ByteRange(group[0].start, max(each.end for each in group)) for group in groups]
    return [] if len(ranges) > 1 and joined == [ByteRange(0, size)] else joined


def read_together(ranges: list[ByteRange]) -> list[list[ByteRange]]:
    """The ranges in groups, each of which one request to the store reads.

    A group is in ascending order, whatever the order in which its ranges are asked for (§15.3.7.2
    says SHOULD): else, 200 ranges in the wrong order would be 200 requests to the store.
    """
    return _grouped(ranges, MAX_SKIPPED + 1)


def _grouped(ranges: list[ByteRange], min_gap: int) -> list[list[ByteRange]]:
    """The ranges in groups that are at least ``min_gap`` bytes apart. A group is in ascending
    order; the groups are in the order of what was asked for first in each."""
    groups: list[list[tuple[int, ByteRange]]] = []
    end = 0
    for number, each in sorted(enumerate(ranges), key=itemgetter(1)):
        if not groups or each.start - end >= min_gap:
            groups.append([])
        groups[-1].append((number, each))
        end = max(end, each.end)
    return [[each for _, each in group] for group in sorted(groups, key=min)]


def _resolve(first: str, last: str, size: int) -> ByteRange:
    if not first:
        return ByteRange(max(0, size - _number(last)), size)
    return ByteRange(_number(first), min(size, _number(last) + 1) if last else size)


def _number(digits: str) -> int:
    """Their number may be any (§14.1.2); Python would take quadratic time for many."""
    digits = digits.lstrip("0")
    return _HUGE if len(digits) > 18 else int(digits or "0")


def _is_backwards(first: str, last: str) -> bool:
    """Whether both positions are given, and the last one comes before the first one."""
    if not first or not last:
        return False
    first, last = first.lstrip("0"), last.lstrip("0")
    return (len(first), first) > (len(last), last)
