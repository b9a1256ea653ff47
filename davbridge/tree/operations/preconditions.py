"""What a client made its COPY, MOVE or DELETE depend on, and what becomes of the rest.

Owns the two questions that no look beforehand settles: whether the source is still the version that
the client means, and whether something may be at the target. Must not know the headers that they
come from (RFC 9110 §13.1.1, RFC 4918 §10.6).

A file that others have written since it was listed, or write at this moment, is dealt with in its
new version, unless the client means the old one. So is what is at the target: where the client lets
it be replaced, that is what is there now, whatever an older listing showed.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from davbridge.errors import PreconditionFailedError, StoreError, UnavailableError
from davbridge.store.base import NO_VERSIONS, ObjectRow, is_same_version
from davbridge.tree.resource import Resource

ATTEMPTS = 4
"""At a file that is being written by others."""

T = TypeVar("T")


class Preconditions(NamedTuple):
    """The terms of one operation."""

    if_match: str | None = None
    """The ETag that the source must have; None: any version will do."""
    overwrite: bool = True
    """Whether what is at the target may be replaced."""
    made: Mapping[str, ObjectRow] = NO_VERSIONS
    """By key, what an earlier attempt has made: that may be replaced."""
    spares: bool = False
    """Whether the target's members stay that the source hasn't."""
    is_again: bool = False
    """Whether an earlier attempt has found that a kept listing was out of date."""
    recheck: Callable[[], object] = lambda: None
    """Called under the operation's locks, right before its first write. Raises if conditions or
    locks forbid the operation by now."""
    target_if_match: str | None = None
    """The ETag that what is replaced at the target must have; None: any version will do."""

    def require_version(self, source: Resource) -> None:
        """Raises PreconditionFailedError where it is another."""
        if self.if_match not in (None, source.etag):
            raise PreconditionFailedError(f"{source.name!r} is another version")

    def require_replaceable(self, there: Sequence[ObjectRow], *, is_new: bool) -> None:
        """``there``: what is at the target, unless that is new. Raises PreconditionFailedError
        where it must not be replaced, or isn't the version that may be."""
        if self._is_made(there):
            return
        if self.target_if_match not in (None, *(row.etag for row in there)):
            raise PreconditionFailedError("another version is at the target")
        if not (self.overwrite or is_new):
            raise PreconditionFailedError("something is at the target")

    def _is_made(self, there: Sequence[ObjectRow]) -> bool:
        return bool(self.made) and all(
            row.key in self.made and is_same_version(row, self.made[row.key]) for row in there
        )


NO_PRECONDITIONS = Preconditions()


class OutdatedError(Exception):
    """A file, or what is at its target, is no longer what was looked up; that is forgotten now."""

    def __init__(self, message: str, *, made: Mapping[str, ObjectRow]) -> None:
        super().__init__(message)
        self.made = made
        """By key, what was made there, and stays."""


def is_outdated(error: StoreError) -> bool:
    return isinstance(error, PreconditionFailedError)


def insisting(preconditions: Preconditions, attempt: Callable[[Preconditions], T]) -> T:
    """What an attempt gives that isn't outdated. Raises PreconditionFailedError where the terms
    don't hold, and UnavailableError after several attempts."""
    for _ in range(ATTEMPTS):
        try:
            return attempt(preconditions)
        except OutdatedError as error:
            outdated = error
            if preconditions.if_match is not None:
                raise PreconditionFailedError(str(error)) from error
            preconditions = preconditions._replace(
                made={**preconditions.made, **error.made}, is_again=True
            )
    raise UnavailableError("it is being written by others; try again") from outdated
