"""Error answers: RefusalError, and the one place where a StoreError becomes one.

Invariants: an error status is chosen here or by a RefusalError, nowhere else. The cause stays
chained. No client learns the store's address, or whose credentials davbridge has.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from wsgidav.dav_error import DAVError, DAVErrorCondition

from davbridge import errors

REASONS = {
    200: "OK",
    201: "Created",
    204: "No Content",
    206: "Partial Content",
    207: "Multi-Status",
    304: "Not Modified",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    409: "Conflict",
    412: "Precondition Failed",
    413: "Content Too Large",
    414: "URI Too Long",
    415: "Unsupported Media Type",
    416: "Range Not Satisfiable",
    423: "Locked",
    424: "Failed Dependency",
    500: "Internal Server Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    507: "Insufficient Storage",
}


def status_line(status: int) -> str:
    """As in ``HTTP/1.1 404 Not Found``, without the protocol."""
    return f"{status} {REASONS[status]}"


class RefusalError(DAVError):
    """A request is answered with an error status.

    ``condition`` is the local name of the RFC 4918 §16 pre- or postcondition that failed. The body
    is then a DAV:error with that, and with the ``hrefs`` that it concerns, as a Site makes them.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        condition: str | None = None,
        hrefs: Sequence[str] = (),
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(status, message, add_headers=list(headers))
        self.status = status
        self.message = message
        self.condition = condition
        self.hrefs = tuple(hrefs)
        self.headers = tuple(headers)
        if condition is not None:  # For WsgiDAV's request server, which writes its own answers.
            self.err_condition = DAVErrorCondition(f"{{DAV:}}{condition}")
            self.err_condition.hrefs = list(hrefs)

    def error_element(self) -> str:
        """The DAV:error element, declaring its namespace; empty without a condition."""
        if self.condition is None:
            return ""
        hrefs = "".join(f"<D:href>{href}</D:href>" for href in self.hrefs)
        element = f"<D:{self.condition}>{hrefs}</D:{self.condition}>"
        return f'<D:error xmlns:D="DAV:">{element}</D:error>'


RETRY_AFTER_HEADER = ("Retry-After", "5")
"""Seconds. davbridge itself has retried before that."""

_STATUS: tuple[tuple[type[errors.StoreError], int], ...] = (
    (errors.NotFoundError, 404),
    (errors.PreconditionFailedError, 412),
    (errors.AccessDeniedError, 403),
    # RFC 9110 §15.5.10: a state of the resource that the user may be able to resolve.
    (errors.ArchivedError, 409),
    (errors.RejectedError, 409),
    (errors.InvalidNameError, 403),
    (errors.OverlappingPathsError, 403),
    (errors.TooLargeError, 413),
    (errors.OutOfSpaceError, 507),
    (errors.UnavailableError, 503),
    (errors.TruncatedError, 503),
    (errors.NotACollectionError, 409),
    (errors.IsACollectionError, 405),
    (errors.ParentMissingError, 409),
    (errors.AlreadyExistsError, 405),
)


logger = logging.getLogger(__name__)


def answer_status(error: errors.StoreError) -> int:
    """The status of the answer; 500 for errors that have none of their own."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


_IN_OUR_WORDS: dict[type[errors.StoreError], str] = {
    errors.StoreError: "the store failed; see the log",
    errors.NotFoundError: "there is nothing here",
    errors.PreconditionFailedError: "it has changed meanwhile",
    errors.AccessDeniedError: "the store doesn't allow it; see the log",
    errors.RejectedError: "the store refuses to give it; see the log",
    errors.UnavailableError: "the store can't do it now: try again",
    errors.TruncatedError: "the store broke off: try again",
}
"""For errors whose own message comes from the store: it may name its address, the bucket, the
prefix or the owner of the credentials. The log has it."""


def refusal_of(error: errors.StoreError) -> RefusalError:
    """The answer to ``error``; raise it ``from`` the error."""
    status = answer_status(error)
    headers = [RETRY_AFTER_HEADER] if status == 503 else []
    message = _IN_OUR_WORDS.get(type(error)) or str(error) or REASONS[status]
    return RefusalError(status, message, headers=headers)


@contextmanager
def as_refusals() -> Iterator[None]:
    """Logs a StoreError from inside, and raises the RefusalError that a client may see. Works as a
    context manager and as a decorator."""
    try:
        yield
    except errors.StoreError as error:
        refusal = refusal_of(error)
        logger.log(logging.WARNING if refusal.status >= 500 else logging.INFO, "%s", error)
        raise refusal from error
