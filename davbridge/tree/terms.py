"""What a client made its COPY, MOVE or DELETE depend on, and what becomes of the rest.

Owns the two questions that no look beforehand settles: whether the source is still the version that
the client means, and whether something may be at the target. Must not know the headers that they
come from (RFC 9110 §13.1.1, RFC 4918 §10.6).

A file that others have written since it was listed, or write at this moment, is dealt with in its
new version, unless the client means the old one. What has come to be at the target since it was
looked up is nobody's to replace, but for the copy of an earlier attempt: the client can't have
meant it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from davbridge.errors import PreconditionFailedError, StoreError, UnavailableError
from davbridge.store.base import NO_ETAGS, ObjectRow
from davbridge.tree.resource import Resource

ATTEMPTS = 4
"""At a file that is being written by others."""

T = TypeVar("T")


class Terms(NamedTuple):
    """The terms of one operation."""

    if_match: str | None = None
    """The ETag that the source must have; None: any version will do."""
    overwrite: bool = True
    """Whether what is at the target may be replaced."""
    made: Mapping[str, str] = NO_ETAGS
    """ETags by key, of what an earlier attempt has made: that may be replaced."""
    spares: bool = False
    """Whether the target's members stay that the source hasn't."""
    admit: Callable[[], object] = lambda: None
    """Asked when its turn has come; raises where locks that came meanwhile forbid it."""
    target_if_match: str | None = None
    """The ETag that what is replaced at the target must have; None: any version will do."""

    def require_version(self, source: Resource) -> None:
        """Raises PreconditionFailedError where it is another."""
        if self.if_match not in (None, source.etag):
            raise PreconditionFailedError(f"{source.name!r} is another version")

    def require_free(self, there: Sequence[ObjectRow], *, is_new: bool) -> None:
        """``there``: what is at the target, unless that is new. Raises PreconditionFailedError
        where it must not be replaced."""
        is_made = bool(self.made) and all(self.made.get(row.key) == row.etag for row in there)
        if not (self.overwrite or is_new or is_made):
            raise PreconditionFailedError("something is at the target")


ANY = Terms()


class OutdatedError(Exception):
    """A file, or what is at its target, is no longer what was looked up; that is forgotten now."""

    def __init__(self, message: str, *, was_free: bool, made: Mapping[str, str]) -> None:
        super().__init__(message)
        self.was_free = was_free
        """Whether nothing was at the target."""
        self.made = made
        """ETags by key, of what was made there, and stays."""


def is_outdated(error: StoreError) -> bool:
    return isinstance(error, PreconditionFailedError)


def insisting(terms: Terms, attempt: Callable[[Terms], T]) -> T:
    """What an attempt gives that isn't outdated. Raises PreconditionFailedError where the terms
    don't hold, and UnavailableError after several attempts."""
    for _ in range(ATTEMPTS):
        try:
            return attempt(terms)
        except OutdatedError as error:
            outdated = error
            if terms.if_match is not None:
                raise PreconditionFailedError(str(error)) from error
            terms = terms._replace(
                overwrite=terms.overwrite and not error.was_free,
                made={**terms.made, **error.made},
            )
    raise UnavailableError("it is being written by others; try again") from outdated
