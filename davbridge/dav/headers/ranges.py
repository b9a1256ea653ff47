"""The Range header (RFC 9110 §14).

Invariant: every range that is returned has at least one byte and lies inside the object.
"""

import re
from typing import NamedTuple

from davbridge.dav.errors import RefusalError

MAX_RANGES = 16
"""With more ranges, the whole is sent (§14.2 lets a server ignore the header). No known client asks
for so many at once."""

_SPEC = re.compile(r"(\d{0,18})\s*-\s*(\d{0,18})", re.ASCII)
"""Without the blanks around it: two adjacent runs of blanks would take quadratic time."""


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
    bytes, a malformed list and too many ranges are ignored, as RFC 9110 §14.2 has it.
    """
    if value is None:
        return []
    unit, _, specs = value.partition("=")
    if unit.strip().lower() != "bytes" or specs.count(",") >= MAX_RANGES:
        return []
    matches = [_SPEC.fullmatch(spec) for spec in map(str.strip, specs.split(",")) if spec]
    ranges: list[ByteRange] = []
    for match in matches:
        if match is None or not (match[1] or match[2]):
            return []
        if match[1] and match[2] and int(match[1]) > int(match[2]):
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
        return ByteRange(max(0, size - int(last)), size)
    return ByteRange(int(first), min(size, int(last) + 1) if last else size)
