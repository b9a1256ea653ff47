"""When entries move from the head into segments, and which segments are merged. Pure.

A log-structured merge tree: the head's entries become a segment when they are too many. Four
segments of about one size become one, that is four times as large. So each entry is written a few
times more, whatever the size of the folder. A segment of `Limits.final_bytes` isn't merged again,
until most of all entries are hidden by later ones or gone: then everything is.

What that costs is in tests/bench/README.md.
"""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, takewhile
from math import ceil, log
from operator import itemgetter
from typing import NamedTuple

from davbridge.tree.properties.entries import REMOVED, SEPARATOR, Entry, Table


class Limits(NamedTuple):
    """Where entries go."""

    head_entries: int = 32
    """The most in a head that has, or could have, segments."""
    head_bytes: int = 16 * 1024
    """Of these entries."""
    fan_in: int = 4
    """Segments of one size that are merged."""
    final_bytes: int = 768 * 1024
    piece_bytes: int = 4 * 1024 * 1024
    """Of each segment, where everything is merged."""

    def fits_head(self, entries: int, size: int) -> bool:
        return entries <= self.head_entries and size <= self.head_bytes


LIMITS = Limits()


def segments_to_merge(sizes: Sequence[int], limits: Limits) -> int:
    """How many of the first segments are merged. ``sizes``: bytes of all, the last one first; 0 for
    one that can't be read."""
    levels = list(takewhile(lambda level: level >= 0, (_level(size, limits) for size in sizes)))
    number = 0
    for level in sorted(set(levels)):
        found = list(takewhile(level.__ge__, levels))
        if found.count(level) >= limits.fan_in:
            number = len(found)
    return number


def is_mostly_garbage(entries: int, count: int, limits: Limits) -> bool:
    """Whether most entries of a head and its segments are hidden by later ones, or gone. ``count``:
    the members that have properties."""
    return entries > 2 * count + limits.fan_in * limits.head_entries or not count


def merged(tables: Sequence[Table], *, keeps_removed: bool) -> Iterator[Entry]:
    """The entries of tables, the last one first. ``keeps_removed``: there are older tables."""
    aged = ([(entry.name, age, entry) for entry in table] for age, table in enumerate(tables))
    for _, same in groupby(heapq.merge(*aged), key=itemgetter(0)):
        _, _, entry = next(same)
        if keeps_removed or entry.value != REMOVED:
            yield entry


def in_pieces(entries: Iterable[Entry], limits: Limits) -> Iterator[Table]:
    """Tables of about as many bytes as a piece has, of sorted entries."""
    piece: list[Entry] = []
    size = 0
    for entry in entries:
        piece.append(entry)
        size += entry_size(entry)
        if size >= limits.piece_bytes:
            yield Table.of(piece)
            piece, size = [], 0
    if piece:
        yield Table.of(piece)


def entry_size(entry: Entry) -> int:
    return len(entry.name) + len(entry.value) + len(SEPARATOR) + 2


def _level(size: int, limits: Limits) -> int:
    """-1: not merged."""
    if not size or size >= limits.final_bytes:
        return -1
    return max(0, ceil(log(size / limits.head_bytes, limits.fan_in)))
