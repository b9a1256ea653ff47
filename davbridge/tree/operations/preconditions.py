"""The versions on which a client's COPY, MOVE or DELETE depends (RFC 9110 §13.1.1, RFC 4918 §10.6).

Without a precondition, an operation applies to the present version of a file, even if others have
written it since it was listed. If the client allows that the target is replaced, the operation
replaces the present version, whatever an older listing showed.
"""

from collections.abc import Sequence
from typing import NamedTuple

from davbridge.errors import PreconditionFailedError
from davbridge.store.base import ObjectRow
from davbridge.tree.resource import Resource
from davbridge.tree.writes.commits import Recheck, no_recheck


class Preconditions(NamedTuple):
    """Of one operation."""

    if_match: str | None = None
    """The ETag that the source must have; None: any version."""
    overwrite: bool = True
    """Whether what is at the target may be replaced."""
    recheck: Recheck = no_recheck
    """Called under the operation's locks, right before its first write. ``is_new``: nothing is at
    the target."""
    target_if_match: str | None = None
    """The ETag that what is replaced at the target must have; None: any version."""

    def require_version(self, source: Resource) -> None:
        """Raises PreconditionFailedError where the source is another version."""
        if self.if_match not in (None, source.etag):
            raise PreconditionFailedError(f"{source.name!r} is another version")

    def require_replaceable(self, existing: Sequence[ObjectRow], *, is_new: bool) -> None:
        """``existing``: what is at the target; ``is_new``: nothing is. Raises
        PreconditionFailedError where it must not be replaced, or is another version."""
        if self.target_if_match not in (None, *(row.etag for row in existing)):
            raise PreconditionFailedError("another version is at the target")
        if not (self.overwrite or is_new):
            raise PreconditionFailedError("something is at the target")


NO_PRECONDITIONS = Preconditions()
