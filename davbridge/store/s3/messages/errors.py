"""botocore's errors → StoreError, at the S3 store's boundary and nowhere else.

Invariants: none of ERRORS leaves `translated`, but a StoreError with its cause chained; everything
else passes unchanged. A message is one line.
"""

import re
from collections.abc import Iterator, Mapping
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
    ArchivedError,
    InvalidNameError,
    MissingRightError,
    NotFoundError,
    OutOfSpaceError,
    PreconditionFailedError,
    RejectedError,
    StoreError,
    TooLargeError,
    TruncatedError,
    UnavailableError,
)
from davbridge.store.base import ALWAYS, Condition

ERRORS = (BotoCoreError, ClientError, ResponseParserError)
"""What a call of botocore that uses the network may raise."""

CONFLICT = "ConditionalRequestConflict"
"""Another conditional write to the key was in progress. Nothing was decided; a retry may
succeed."""

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
"""A store's answers to a request that was sent to, or signed for, another region."""

NO_SUCH_UPLOAD = "NoSuchUpload"

NO_SUCH_BUCKET = "NoSuchBucket"

_BY_CODE: dict[str, type[StoreError]] = {
    "NoSuchKey": NotFoundError,
    "NoSuchVersion": NotFoundError,
    "NoSuchTagSet": NotFoundError,
    "NoSuchObjectLockConfiguration": NotFoundError,
    "ObjectLockConfigurationNotFoundError": NotFoundError,
    "OwnershipControlsNotFoundError": NotFoundError,
    # While davbridge runs. It doesn't mean that an object is gone.
    NO_SUCH_BUCKET: UnavailableError,
    NO_SUCH_UPLOAD: UnavailableError,  # Somebody else has aborted the upload.
    CONFLICT: PreconditionFailedError,
    "PreconditionFailed": PreconditionFailedError,
    "InvalidRange": PreconditionFailedError,  # the object has become shorter than was asked for
    "AccessDenied": AccessDeniedError,
    "AllAccessDisabled": AccessDeniedError,
    "InvalidObjectState": ArchivedError,
    "ObjectNotInActiveTierError": ArchivedError,  # CopyObject's word for the same
    # The cause is davbridge's own credentials or clock, and not the client's request.
    "ExpiredToken": UnavailableError,
    "InvalidToken": UnavailableError,
    "InvalidAccessKeyId": UnavailableError,
    "SignatureDoesNotMatch": UnavailableError,
    "RequestTimeTooSkewed": UnavailableError,
    "RequestExpired": UnavailableError,
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
    # Stores that can't hold an object and a folder of one name: SeaweedFS, versitygw and MinIO.
    "ExistingObjectIsFile": AlreadyExistsError,
    "ExistingObjectIsDirectory": AlreadyExistsError,
    "ObjectParentIsFile": AlreadyExistsError,
    "XMinioParentIsObject": AlreadyExistsError,
    "XMinioObjectExistsAsDirectory": AlreadyExistsError,
    "InternalError": UnavailableError,
    "ServiceUnavailable": UnavailableError,
    "OperationAborted": UnavailableError,
    "RequestTimeout": UnavailableError,
    "SlowDown": UnavailableError,
}

_BY_STATUS: dict[int, type[StoreError]] = {
    401: AccessDeniedError,
    403: AccessDeniedError,
    # Without an S3 code it comes from a proxy or a web server, and says nothing about the object.
    404: UnavailableError,
    408: UnavailableError,
    412: PreconditionFailedError,
    413: TooLargeError,
    429: UnavailableError,
    507: OutOfSpaceError,
}

_READS = ("HeadObject", "GetObject", "CopyObject")

_RIGHT = re.compile(r"not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)")
"""As AWS names a right that is missing."""

_ARCHIVED = (
    "{key!r} is archived{where}: restore it first (aws s3api restore-object), which takes minutes "
    "to hours, and try again"
)


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
        return _refusal(error, key, condition)
    if isinstance(error, ParamValidationError):
        kind: type[StoreError] = InvalidNameError
    elif isinstance(error, FlexibleChecksumError):
        kind = TruncatedError
    else:
        kind = UnavailableError
    return kind(f"{key!r}: {one_line(error)}")


def _refusal(error: ClientError, key: str, condition: Condition) -> StoreError:
    kind = kind_of(code_of(error), status_of(error))
    if error.operation_name == "HeadObject" and status_of(error) == 404:
        kind = NotFoundError  # the answer to a HEAD has no body, and so no code
    if kind is StoreError and error.operation_name in _READS and status_of(error) >= 400:
        kind = RejectedError
    if kind is NotFoundError and condition.if_match is not None:
        # AWS says 404 for If-Match on an absent key, where RFC 9110 §13.1.1 has 412.
        kind = PreconditionFailedError
    if kind is ArchivedError:
        details: Mapping[str, object] = error.response.get("Error", {})
        where = f" ({details['StorageClass']})" if "StorageClass" in details else ""
        return ArchivedError(_ARCHIVED.format(key=key, where=where))
    if kind is AccessDeniedError and (right := _RIGHT.search(one_line(error))):
        return MissingRightError(f"the store's credentials lack the right {right[1]}")
    return kind(f"{key!r}: {one_line(error)}")


def kind_of(code: str, status: int) -> type[StoreError]:
    """The class of StoreError for an S3 error code, or else for an HTTP status."""
    if code in _BY_CODE:
        return _BY_CODE[code]
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return UnavailableError if status >= 500 else StoreError


def code_of(error: ClientError) -> str:
    """S3's error code, or the status as text if the response had no body (HEAD)."""
    return error.response.get("Error", {}).get("Code", "")


def status_of(error: ClientError) -> int:
    metadata = error.response.get("ResponseMetadata")
    return metadata.get("HTTPStatusCode", 0) if metadata else 0


def header_of(error: ClientError, name: str) -> str:
    """A header of the refusal; its name is in lower case."""
    metadata = error.response.get("ResponseMetadata")
    return metadata.get("HTTPHeaders", {}).get(name, "") if metadata else ""


def is_conflict(error: BaseException | None) -> bool:
    """Whether another conditional write was in progress, and nothing was decided."""
    return is_code(error, CONFLICT)


def is_code(error: BaseException | None, code: str) -> bool:
    """Whether ``error`` is a response with this error code."""
    return isinstance(error, ClientError) and code_of(error) == code


def was_retried(error: ClientError) -> bool:
    """Whether an earlier try of the same request may have reached the store."""
    metadata = error.response.get("ResponseMetadata")
    return metadata.get("RetryAttempts", 0) > 0 if metadata else False


def mark_retried(error: ClientError) -> None:
    """Makes `was_retried` count an attempt that this error doesn't know of."""
    error.response["ResponseMetadata"]["RetryAttempts"] += 1


def one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
