"""Answers that name the members on which a method failed (RFC 4918 §13)."""

import logging
from collections.abc import Iterable, Iterator

from davbridge.dav import multistatus
from davbridge.dav.errors import RefusalError, refusal_of
from davbridge.dav.guard import locked
from davbridge.dav.locks import Lock
from davbridge.dav.response import Response
from davbridge.dav.target import Site
from davbridge.tree.resource import Failure

logger = logging.getLogger(__name__)

MemberRefusal = tuple[str, RefusalError]
"""An href, and what was refused there."""


def multi_status(refusals: Iterable[MemberRefusal]) -> Response:
    """207 with one response for each."""
    return multistatus.answer(multistatus.status_response(*each) for each in refusals)


def refused_members(locks: Iterable[Lock], site: Site) -> Iterator[MemberRefusal]:
    """The roots of locks inside a tree, each with 423."""
    for lock in locks:
        yield site.href(lock.root, is_collection=lock.is_collection), locked([lock], site)


def failed_members(failures: Iterable[Failure], site: Site) -> Iterator[MemberRefusal]:
    """What the namespace could not deal with. Whether a member is a collection isn't known then:
    its href is the one without a slash."""
    for failure in failures:
        logger.info("%s: %s", "/".join(failure.path), failure.error)
        yield site.href(failure.path, is_collection=False), refusal_of(failure.error)
