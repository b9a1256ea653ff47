"""The cached answers about single keys, and their sizes.

Invariant: an entry is immutable; it is replaced under the lock of the state.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

from davbridge.cache.sizes import LISTING_BYTES, bytes_of_answer, bytes_of_attributes
from davbridge.store.base import Lookup, ObjectInfo

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """The inner store's answer about one key."""

    value: T
    expires: float
    nbytes: int
    count: int = 1


def lookup_answer(key: str, found: Lookup, expires: float) -> Answer[Lookup]:
    """What is at a slashless key."""
    return Answer(found, expires, bytes_of_answer(key, found.row))


def info_answer(key: str, info: ObjectInfo | None, expires: float) -> Answer[ObjectInfo | None]:
    """A key's HEAD, or that there is no object."""
    nbytes = bytes_of_answer(key, info.row if info else None)
    return Answer(info, expires, nbytes + (bytes_of_attributes(info) if info else 0))


@dataclass(frozen=True, slots=True)
class LargeCollection:
    """A collection of more than one page: fetching a page to look up one name isn't worth it."""

    expires: float
    nbytes: int = LISTING_BYTES
    count: int = 1
