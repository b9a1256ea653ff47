"""The Range header (RFC 9110 §14).

Invariant: every range that is returned has at least one byte and lies inside the object.
"""

import re
from typing import NamedTuple

from davbridge.dav.errors import RefusalError

MAX_RANGES = 16
"""With more ranges, the whole is sent (§14.2 lets a server ignore the header). No known client asks
for so many at once."""

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
    """The ranges to send; empty where the whole is to be sent.

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
    if sum(each.length for each in ranges) > size:
        return []  # They overlap, and the whole is less (§14.2).
    if matches and not ranges:
        headers = [("Content-Range", f"bytes */{size}")]
        raise RefusalError(416, f"the file has {size} bytes", headers=headers)
    return ranges


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
