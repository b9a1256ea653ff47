"""Why a bucket can't be used, in one line that says what to do.

Invariant: an explanation is one line, names the endpoint, bucket or region, and has no secret.
"""

import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    HTTPClientError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)

from davbridge.clock import Clock
from davbridge.config import S3Settings
from davbridge.store.s3.messages.errors import REDIRECTS, code_of, header_of, one_line, status_of
from davbridge.store.s3.messages.headers import parse_date_header

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ResponseMetadataTypeDef

BIG_SKEW = 15 * 60.0
"""Seconds by which clocks may differ until S3 refuses signatures."""

_SIGNATURE = frozenset({"SignatureDoesNotMatch", "RequestTimeTooSkewed", "AccessDenied", "403"})
"""The codes with which stores refuse a request because of a wrong clock."""

_BY_CODE = {
    "NoSuchBucket": "bucket {bucket!r} doesn't exist: create it, or choose another",
    "InvalidAccessKeyId": "{endpoint} doesn't know the access key: check {access_key}",
    "SignatureDoesNotMatch": "{endpoint} refused the signature: check {secret_key}",
    "ExpiredToken": "the credentials have expired: renew them",
    "InvalidToken": "{endpoint} refused the session token: renew the credentials",
    "RequestTimeTooSkewed": "{endpoint} refused the time of the request: set this machine's clock",
    "InvalidBucketName": "{bucket!r} is not a valid bucket name: one has 3 to 63 lower-case "
    "letters, digits, '-' and '.', and begins and ends with a letter or digit",
    "AccessDenied": "access to bucket {bucket!r} was denied: grant these credentials "
    "s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject, or choose another bucket",
}

_BY_CODE_OF_CREATION = {
    "BucketAlreadyExists": "bucket {bucket!r} belongs to somebody else: choose another name",
    "AccessDenied": "bucket {bucket!r} doesn't exist, and these credentials may not create it: "
    "create it, or grant s3:CreateBucket",
    "TooManyBuckets": "bucket {bucket!r} doesn't exist, and the account may have no more: "
    "delete one, or choose one that exists",
}

_CONNECTION = re.compile(r"^\w+Connection\([^)]*\): ")
"""The prefix of urllib3's messages: the host, which the explanation has named already."""

_UNREACHABLE = (
    EndpointConnectionError,
    ConnectTimeoutError,
    ReadTimeoutError,
    ConnectionClosedError,
    ProxyConnectionError,
    HTTPClientError,
)


_KEYS_FROM = {
    "": ("access_key", "secret_key"),
    "env": ("AWS_ACCESS_KEY_ID in the environment", "AWS_SECRET_ACCESS_KEY in the environment"),
    "shared-credentials-file": (
        "aws_access_key_id in the AWS credentials file",
        "aws_secret_access_key in the AWS credentials file",
    ),
    "config-file": (
        "aws_access_key_id in the AWS configuration file",
        "aws_secret_access_key in the AWS configuration file",
    ),
}
"""Where botocore has found the credentials → what the user has to check."""


class Situation(NamedTuple):
    """The request that failed: its settings, endpoint, time and credentials."""

    settings: S3Settings
    endpoint_url: str
    clock: Clock
    credentials_from: str = ""
    """As in ClientOptions."""

    def format(self, sentence: str) -> str:
        source = self.credentials_from
        others = f"the access key (from {source})", f"the secret key (from {source})"
        access_key, secret_key = _KEYS_FROM.get(source, others)
        return sentence.format(
            endpoint=self.endpoint_url,
            bucket=self.settings.bucket,
            access_key=access_key,
            secret_key=secret_key,
        )

    @property
    def has_bucket_in_endpoint(self) -> bool:
        """Whether the endpoint's path ends in the bucket's name, as consoles show its URL."""
        path = urlsplit(self.endpoint_url).path.strip("/")
        return path.rpartition("/")[2] == self.settings.bucket


def explain(error: Exception, situation: Situation) -> str:
    """Why the bucket could not be listed."""
    if situation.has_bucket_in_endpoint:
        return situation.format(
            "the endpoint URL {endpoint} ends in the bucket's name: leave out /{bucket}"
        )
    if isinstance(error, ClientError):
        return _explain_answer(error, situation)
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return (
            "no S3 credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "or access_key and secret_key under [s3], or name a profile"
        )
    if isinstance(error, CredentialRetrievalError):
        return f"the S3 credentials can't be had: {one_line(error)}"
    if isinstance(error, ParamValidationError):
        return situation.format(_BY_CODE["InvalidBucketName"])
    return _explain_silence(error, situation)


def explain_creation(error: Exception, situation: Situation) -> str:
    """Why the bucket, which doesn't exist, could not be created."""
    code = code_of(error) if isinstance(error, ClientError) else ""
    if isinstance(error, ClientError) and status_of(error) == 403:
        code = "AccessDenied"
    if code in _BY_CODE_OF_CREATION:
        return situation.format(_BY_CODE_OF_CREATION[code])
    return explain(error, situation)


def wrong_region(situation: Situation, right: str) -> str:
    """The explanation for a bucket in another region; ``right`` is empty if the store doesn't name
    it."""
    given = situation.settings.region or "none"
    remedy = f"set the region to {right}" if right else "set the bucket's own region"
    bucket = situation.settings.bucket
    return f"bucket {bucket!r} can't be had in the region that is set ({given}): {remedy}"


def not_s3(situation: Situation, detail: str) -> str:
    return situation.format(
        "{endpoint} doesn't answer as an S3 store does: check the endpoint URL"
    ) + (f" ({detail})" if detail else "")


def clock_skew(metadata: "ResponseMetadataTypeDef | Any", clock: Clock) -> float | None:
    """Seconds that this machine's clock is ahead of the store's, to the second."""
    headers = metadata.get("HTTPHeaders", {}) if metadata else {}
    date = parse_date_header(headers.get("date"))
    return (clock() - date).total_seconds() if date else None


def _explain_answer(error: ClientError, situation: Situation) -> str:
    code = code_of(error)
    metadata = error.response.get("ResponseMetadata")
    skew = clock_skew(metadata, situation.clock)
    if code in _SIGNATURE and skew is not None and abs(skew) > BIG_SKEW:
        return (
            f"this machine's clock is {_span(skew)} the S3 store's, which refuses requests "
            "at over 15 minutes: set the clock"
        )
    if code in REDIRECTS:
        return wrong_region(situation, _region_in(error))
    if code == "403":
        code = "AccessDenied"
    if code in _BY_CODE:
        return situation.format(_BY_CODE[code])
    if code.isdecimal() or not code:
        # botocore turns a 200 whose body is no XML into a 500.
        status = status_of(error)
        return not_s3(situation, f"HTTP {status}" if status != 500 else "")
    return situation.format("{endpoint} refused bucket {bucket!r}: ") + one_line(error)


def _explain_silence(error: Exception, situation: Situation) -> str:
    if isinstance(error, SSLError):
        return situation.format("no TLS with {endpoint}: ") + (
            f"check its certificate, or name the authority's in AWS_CA_BUNDLE ({_reason(error)})"
        )
    if isinstance(error, _UNREACHABLE):
        return situation.format("{endpoint} can't be reached: ") + (
            f"check the endpoint URL and the network ({_reason(error)})"
        )
    return not_s3(situation, "")


def _region_in(error: ClientError) -> str:
    details: Any = error.response.get("Error", {})
    return header_of(error, "x-amz-bucket-region") or str(details.get("Region") or "")


def _reason(error: Exception) -> str:
    """The network's error; botocore's message would repeat the whole URL."""
    cause = getattr(error, "kwargs", {}).get("error")
    reason = getattr(cause, "reason", None) or cause
    if not isinstance(reason, Exception):
        return type(error).__name__
    return _CONNECTION.sub("", one_line(reason))


def _span(skew: float) -> str:
    minutes = round(abs(skew) / 60)
    return f"{minutes} minutes {'ahead of' if skew > 0 else 'behind'}"
