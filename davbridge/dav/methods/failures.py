"""207 answers that name the members on which a method failed (RFC 4918 §13).

The log has the store's own message for each member; the client gets the one of `errors`.
"""

import logging
from collections.abc import Iterable, Iterator

from davbridge.dav import multistatus
from davbridge.dav.errors import RefusalError, refusal_of
from davbridge.dav.headers.urls import Site
from davbridge.dav.locking.enforcement import LockEnforcement, locked_refusal
from davbridge.dav.locking.locks import Lock
from davbridge.dav.response import Response
from davbridge.paths import ResourcePath
from davbridge.tree.resource import Failure

logger = logging.getLogger(__name__)

MemberRefusal = tuple[str, RefusalError]
"""An href, and the error there."""


def multi_status(refusals: Iterable[MemberRefusal]) -> Response:
    """207 with one response for each."""
    return multistatus.answer(multistatus.status_response(*each) for each in refusals)


def refused_removal(
    enforcement: LockEnforcement, path: ResourcePath, site: Site
) -> Response | None:
    """207 with the roots of the locks inside ``path`` that forbid its removal; None where it is
    allowed. Raises RefusalError 423 where a lock on ``path`` itself or its parent forbids it."""
    enforcement.require_removal(path)
    locks = enforcement.blocking_below(path)
    return multi_status(_refused_members(locks, site)) if locks else None


def _refused_members(locks: Iterable[Lock], site: Site) -> Iterator[MemberRefusal]:
    for lock in locks:
        yield site.href(lock.root, is_collection=lock.is_collection), locked_refusal([lock], site)


def failed_members(failures: Iterable[Failure], site: Site) -> Iterator[MemberRefusal]:
    """The members on which the namespace failed. Whether one is a collection isn't known: no href
    ends in a slash."""
    for failure in failures:
        logger.info("%s: %s", "/".join(failure.path), failure.error)
        yield site.href(failure.path, is_collection=False), refusal_of(failure.error)
