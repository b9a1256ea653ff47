"""What a failure says about whether the store has carried out the request, or still may."""

from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from davbridge.store.s3.messages.errors import code_of, header_of, status_of
from davbridge.store.s3.messages.headers import parse_date_header
from davbridge.store.s3.transport.signed_request import EXPIRY_SECONDS, SignedRequest

_GATEWAY = frozenset({502, 504})
"""The statuses of a proxy that got no response from the store. It may also answer 503, but a store
that answers 503 has done nothing, and adds an S3 code."""

_SKEWED = frozenset({"RequestTimeTooSkewed", "RequestExpired"})

_DENIED = frozenset({"AccessDenied", "403"})

_PHRASES = ("request has expired", "not valid yet", "not yet valid")

MOST_SKEW = 14 * 60.0
"""Seconds. Stores allow clocks to differ by 15 minutes."""

OUT_OF_TIME = "RequestExpired"
"""davbridge's own code for such a refusal, which AWS and others call AccessDenied."""


def may_still_act(error: BaseException | None) -> bool:
    """Whether the request may still arrive, or be carried out at present: it was sent, at least in
    part, and its outcome isn't known."""
    if isinstance(error, ClientError):
        return status_of(error) in _GATEWAY or code_of(error) == "503"
    return isinstance(error, ConnectionClosedError | ReadTimeoutError)


def may_have_acted(error: BaseException | None) -> bool:
    """Whether the store may have carried out the request."""
    if isinstance(error, ClientError) and status_of(error) == 500:
        return True
    return may_still_act(error)


def is_out_of_time(error: Exception, sent: SignedRequest) -> bool:
    """Whether the store refused the request because of its signature's time. Some stores say so,
    others only deny access: then the time of the response decides."""
    if not isinstance(error, ClientError):
        return False
    if code_of(error) in _SKEWED:
        return True
    if code_of(error) not in _DENIED or status_of(error) != 403:
        return False
    message = error.response.get("Error", {}).get("Message", "").lower()
    if any(phrase in message for phrase in _PHRASES):
        return True
    date = parse_date_header(header_of(error, "date"))
    if date is None:
        return False
    age = date.timestamp() - sent.signed.store
    return abs(age) > MOST_SKEW or (age > EXPIRY_SECONDS and "authorization" not in sent.headers)


def mark_out_of_time(error: Exception) -> None:
    """Marks the error, so that it isn't taken for a refusal of the credentials."""
    if isinstance(error, ClientError):
        error.response["Error"]["Code"] = OUT_OF_TIME
