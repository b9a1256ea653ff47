"""botocore's errors → StoreError, at the S3 store's boundary and nowhere else.

Owns the table of S3's error codes. Must not know what the caller was doing beyond the key and the
condition that it named.

Invariants: whatever leaves `translated` is a StoreError with its cause chained; a message is one
line.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    FlexibleChecksumError,
    ParamValidationError,
)
from botocore.parsers import ResponseParserError

from davbridge.errors import (
    AccessDeniedError,
    AlreadyExistsError,
    InvalidNameError,
    NotFoundError,
    OutOfSpaceError,
    PreconditionFailedError,
    StoreError,
    TooLargeError,
    TruncatedError,
    UnavailableError,
)
from davbridge.store.base import ALWAYS, Condition

ERRORS = (BotoCoreError, ClientError, ResponseParserError)
"""What a call of botocore may raise over the network."""

CONFLICT = "ConditionalRequestConflict"
"""Another conditional write to the key was under way; nothing was decided, trying again may."""

REDIRECTS = frozenset(
    {
        "301",
        "307",
        "PermanentRedirect",
        "TemporaryRedirect",
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
        "InvalidLocationConstraint",
        "InvalidRegion",
    }
)
"""What a store says to a request that was sent to, or signed for, another region."""

NO_SUCH_UPLOAD = "NoSuchUpload"

_BY_CODE: dict[str, type[StoreError]] = {
    "NoSuchKey": NotFoundError,
    "NoSuchBucket": UnavailableError,  # while davbridge runs: nothing in it is known to be gone
    NO_SUCH_UPLOAD: UnavailableError,  # the upload under way was aborted by somebody else
    CONFLICT: PreconditionFailedError,
    "InvalidRange": PreconditionFailedError,  # the object has become shorter than was asked for
    "ExpiredToken": AccessDeniedError,
    "InvalidToken": AccessDeniedError,
    "KeyTooLongError": InvalidNameError,
    "KeyTooLong": InvalidNameError,
    "InvalidURI": InvalidNameError,
    "InvalidObjectName": InvalidNameError,
    "XMinioInvalidObjectName": InvalidNameError,
    "EntityTooLarge": TooLargeError,
    "MaxMessageLengthExceeded": TooLargeError,
    "MetadataTooLarge": TooLargeError,
    "QuotaExceeded": OutOfSpaceError,
    "QuotaExceededException": OutOfSpaceError,
    "InsufficientCapacity": OutOfSpaceError,
    "XMinioStorageFull": OutOfSpaceError,
    "XMinioAdminBucketQuotaExceeded": OutOfSpaceError,
    "ExistingObjectIsFile": AlreadyExistsError,  # SeaweedFS: a file where a folder is needed
    "ExistingObjectIsDirectory": AlreadyExistsError,
    "RequestTimeout": UnavailableError,
    "SlowDown": UnavailableError,
    "OperationAborted": UnavailableError,
}

_BY_STATUS: dict[int, type[StoreError]] = {
    401: AccessDeniedError,
    403: AccessDeniedError,
    404: NotFoundError,
    408: UnavailableError,
    412: PreconditionFailedError,
    413: TooLargeError,
    429: UnavailableError,
    507: OutOfSpaceError,
}


@contextmanager
def translated(key: str, condition: Condition = ALWAYS) -> Iterator[None]:
    """Turns what botocore raises into a StoreError about ``key``."""
    try:
        yield
    except ERRORS as error:
        raise store_error(error, key, condition) from error


def store_error(error: Exception, key: str, condition: Condition = ALWAYS) -> StoreError:
    """The StoreError that botocore's ``error`` means, in an operation on ``key``."""
    if isinstance(error, ClientError):
        kind = kind_of(code_of(error), status_of(error))
        if kind is NotFoundError and condition.if_match is not None:
            # AWS says 404 for If-Match on an absent key, where RFC 9110 §13.1.1 has 412.
            kind = PreconditionFailedError
    elif isinstance(error, ParamValidationError):
        kind = InvalidNameError
    elif isinstance(error, FlexibleChecksumError):
        kind = TruncatedError
    else:
        kind = UnavailableError
    return kind(f"{key!r}: {one_line(error)}")


def kind_of(code: str, status: int) -> type[StoreError]:
    """The class of StoreError for an S3 error code, or else for an HTTP status."""
    if code in _BY_CODE:
        return _BY_CODE[code]
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return UnavailableError if status >= 500 else StoreError


def code_of(error: ClientError) -> str:
    """S3's error code, or the status as text where an answer had no body (HEAD)."""
    return error.response.get("Error", {}).get("Code", "")


def status_of(error: ClientError) -> int:
    metadata = error.response.get("ResponseMetadata")
    return metadata.get("HTTPStatusCode", 0) if metadata else 0


def header_of(error: ClientError, name: str) -> str:
    """A header of the refusal; its name is in lower case."""
    metadata = error.response.get("ResponseMetadata")
    return metadata.get("HTTPHeaders", {}).get(name, "") if metadata else ""


def was_retried(error: ClientError) -> bool:
    """Whether an earlier try of the same request may have reached the store."""
    metadata = error.response.get("ResponseMetadata")
    return metadata.get("RetryAttempts", 0) > 0 if metadata else False


def one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
