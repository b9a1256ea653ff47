"""207 answers that name the members on which a method failed (RFC 4918 §13).

The log has the store's own message for each member; the client gets the one of `errors`.
"""

import logging
from collections.abc import Iterable, Iterator

from davbridge.dav import multistatus
from davbridge.dav.errors import RefusalError, refusal_of
from davbridge.dav.headers.urls import Site
from davbridge.dav.response import Response
from davbridge.tree.resource import Failure

logger = logging.getLogger(__name__)

MemberRefusal = tuple[str, RefusalError]
"""An href, and the error there."""


def multi_status(refusals: Iterable[MemberRefusal]) -> Response:
    """207 with one response for each."""
    return multistatus.answer(multistatus.status_response(*each) for each in refusals)


def failed_members(failures: Iterable[Failure], site: Site) -> Iterator[MemberRefusal]:
    """The members on which the namespace failed. Whether one is a collection isn't known: no href
    ends in a slash."""
    for failure in failures:
        logger.info("%s: %s", "/".join(failure.path), failure.error)
        yield site.href(failure.path, is_collection=False), refusal_of(failure.error)
