"""A member's properties as they are stored, and sorted tables of them. Pure.

An entry is one line of JSON: the member's name, and its properties or ``null``, which means that it
has none by now. A table is many entries in one piece of text, sorted by name. It isn't parsed when
it is read, but an entry when it is looked at: a folder of 45,000 files takes 8 MB, and not 40.

Invariant: what an entry gives is what `encode_properties` writes, whoever has written it. An entry
that is anything else counts as none: answers contain these elements unchanged.
"""

import json
import logging
import re
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from itertools import chain
from sys import getsizeof
from types import MappingProxyType
from typing import NamedTuple
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from davbridge.tree.properties.client_metadata import CLIENT_METADATA, NO_PROPERTIES, Properties

REMOVED = b"null"

SEPARATOR = b",\n"
"""Between entries. JSON has no newline inside of texts."""

_NAME = re.compile(rb'"(?:[^"\\\x00-\x1f]|\\.)*": (?=[{n])').match

_BEGINS_ELEMENT = re.compile(r"<[^?!]").match
"""A declaration may stand before a document's element, but not inside another element."""

_CACHED_BYTES = 4096
"""The largest encoded properties whose decoded form is cached."""

_log = logging.getLogger(__name__)


class Entry(NamedTuple):
    """A name and properties, both encoded."""

    name: bytes
    value: bytes

    @property
    def line(self) -> bytes:
        return b"%s: %s" % self


def encode_name(name: str) -> bytes:
    return json.dumps(name, ensure_ascii=False).encode()


def decode_name(name: bytes) -> str:
    return name[1:-1].decode() if b"\\" not in name else str(json.loads(name))


def encode_properties(properties: Properties) -> bytes:
    return json.dumps(dict(properties), ensure_ascii=False, sort_keys=True).encode()


def decode_properties(value: bytes | None) -> Properties:
    """The properties; none where there are none, or where they are damaged."""
    if value is None or value == REMOVED:
        return NO_PROPERTIES
    return _decode_cached(value) if len(value) <= _CACHED_BYTES else _decode(value)


def apply_changes(old: Properties, new: Properties, there: Properties) -> Properties:
    """``there``, with the changes between ``old`` and ``new``."""
    removed = old.keys() - new.keys()
    changes = {name: text for name, text in new.items() if old.get(name) != text}
    return {name: text for name, text in {**there, **changes}.items() if name not in removed}


def has_client_metadata(value: bytes) -> bool:
    """Whether encoded properties may hold client metadata."""
    return CLIENT_METADATA.encode() in value


class Table:
    """Entries, sorted by their encoded names."""

    __slots__ = ("_body", "_starts", "hashes", "is_damaged")

    def __init__(self, body: bytes, *, is_damaged: bool = False) -> None:
        """Raises ValueError where this isn't the body of a table."""
        self._body = body
        self.is_damaged = is_damaged
        """Whether it stands for one that can't be read."""
        found = sorted((hash(name), start) for start, name in _names(body))
        self.hashes = array("q", (each for each, _ in found))
        """Of the names, sorted. They may be kept for longer than the table."""
        self._starts = array("Q", (start for _, start in found))

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> "Table":
        """``entries``: sorted by name."""
        return cls(SEPARATOR.join(entry.line for entry in entries))

    @property
    def body(self) -> bytes:
        return self._body

    @property
    def nbytes(self) -> int:
        """Memory."""
        return 500 + len(self._body) + 16 * len(self)

    def __len__(self) -> int:
        return len(self.hashes)

    def find(self, name: bytes) -> bytes | None:
        """The value of an encoded name; None where it has no entry."""
        wanted, beginning = hash(name), name + b": "
        at = bisect_left(self.hashes, wanted)
        while at < len(self) and self.hashes[at] == wanted:
            start = self._starts[at]
            if self._body.startswith(beginning, start):
                return self._line(start)[len(beginning) :]
            at += 1
        return None

    def __iter__(self) -> Iterator[Entry]:
        for line in self._body.split(SEPARATOR) if self._body else ():
            end = line.find(b'": ') + 1
            if b"\\" in line[:end]:
                end = _end_of_name(line, 0)
            yield Entry(line[:end], line[end + 2 :])

    def _line(self, start: int) -> bytes:
        end = self._body.find(SEPARATOR, start)
        return self._body[start : end if end >= 0 else len(self._body)]


class Members(Mapping[str, Properties]):
    """The properties of all members of a collection that have any, by name."""

    def __init__(self, encoded: Mapping[str, bytes]) -> None:
        self.encoded = encoded

    @cached_property
    def nbytes(self) -> int:
        """Memory."""
        texts = chain(self.encoded, self.encoded.values())
        return 500 + 100 * len(self.encoded) + sum(map(getsizeof, texts))

    def __getitem__(self, name: str) -> Properties:
        return decode_properties(self.encoded[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.encoded)

    def __len__(self) -> int:
        return len(self.encoded)


NO_MEMBERS = Members({})


def has_hash(hashes: "array[int]", name: bytes) -> bool:
    """Whether a table with these hashes may have an entry of this encoded name."""
    wanted = hash(name)
    at = bisect_left(hashes, wanted)
    return at < len(hashes) and hashes[at] == wanted


def _names(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Where each entry begins, and its encoded name. Raises ValueError."""
    if body.endswith(SEPARATOR):
        raise ValueError("no entry at the end")
    start, last = 0, b""
    while start < len(body):
        name = body[start : _end_of_name(body, start)]
        if name <= last:
            raise ValueError("not sorted")
        yield start, name
        end = body.find(SEPARATOR, start)
        if body.find(b"\n", start, end if end >= 0 else len(body)) >= 0:
            raise ValueError("not one line an entry")
        start, last = (end + len(SEPARATOR) if end >= 0 else len(body)), name


def _end_of_name(body: bytes, start: int) -> int:
    found = _NAME(body, start)
    if found is None:
        raise ValueError("no entry")
    return found.end() - 2


@lru_cache(1000)
def _decode_cached(value: bytes) -> Properties:
    return _decode(value)


def _decode(value: bytes) -> Properties:
    try:
        properties = json.loads(value)
        if is_text(properties) and all(map(_is_property, properties.items())):
            return MappingProxyType(properties)
    except (ValueError, RecursionError):
        pass
    _warn(hash(value))
    return NO_PROPERTIES


@lru_cache(1000)
def _warn(_: int) -> None:
    """Once for each entry."""
    _log.warning("the properties of a member are damaged, and read as none")


def is_text(value: object) -> bool:
    """Whether a JSON value has the shape of properties."""
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _is_property(item: tuple[str, str]) -> bool:
    """Whether the value is an element of that name: answers contain it unchanged."""
    name, text = item
    if name == CLIENT_METADATA:
        return True
    if not _BEGINS_ELEMENT(text):
        return False
    try:
        return bool(fromstring(text).tag == name)
    except (ParseError, DefusedXmlException):
        return False


EMPTY = Table(b"")

UNREADABLE = Table(b"", is_damaged=True)
"""Stands for a table that is damaged or gone."""
