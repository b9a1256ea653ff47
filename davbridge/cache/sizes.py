"""How many bytes an entry of the cache takes in memory: estimates, within a factor of two.

All were measured with tracemalloc. Pure.
"""

import sys
from collections.abc import Iterable
from itertools import chain
from operator import attrgetter

from davbridge.store.base import ObjectInfo, ObjectRow

LISTING_BYTES = 900
"""An empty listing: objects, lists, and its places in the state."""

PAGE_BYTES = 500
"""An empty page: its tuples' heads, and the place of its derived values."""

PREFIX_BYTES = 10
"""A common prefix in a listing, without its text: its place in a page."""

ROW_BYTES = 200
"""An object in a listing, without its texts: the row, its size and time, and its place."""

ANSWER_BYTES = 500
"""An answer about a key, without its content: the objects around it and its places in the state."""

INFO_BYTES = 250
"""The attributes of an object, without the texts of its metadata."""

_texts_of = attrgetter("key", "etag")


def bytes_of_rows(rows: Iterable[ObjectRow]) -> int:
    """Rows in a page."""
    texts = list(chain.from_iterable(map(_texts_of, rows)))
    return ROW_BYTES * (len(texts) // 2) + sum(map(sys.getsizeof, texts))


def bytes_of_prefixes(prefixes: tuple[str, ...]) -> int:
    """Common prefixes in a page."""
    return PREFIX_BYTES * len(prefixes) + sum(map(sys.getsizeof, prefixes))


def bytes_of_answer(key: str, row: ObjectRow | None) -> int:
    """An answer about a key."""
    return ANSWER_BYTES + sys.getsizeof(key) + (bytes_of_rows((row,)) if row else 0)


def bytes_of_attributes(info: ObjectInfo) -> int:
    """What a HEAD has in addition to a row."""
    texts = chain.from_iterable(info.attributes.metadata.items())
    return INFO_BYTES + sum(map(sys.getsizeof, texts))
