"""Whether the bucket is there and can be used, found out at the start.

The first request is a listing of one row, which needs the same rights as davbridge later and,
unlike a HEAD, has an error message. A bucket that doesn't exist is created.

Invariants: whatever is wrong raises a StoreSetupError within seconds, with a sentence that says
what to do; a BucketState means that the bucket was listed or created.
"""

import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from davbridge.clock import Clock, utc_now
from davbridge.config import S3Settings
from davbridge.errors import StoreSetupError
from davbridge.store.s3.messages.errors import ERRORS, NO_SUCH_BUCKET, code_of
from davbridge.store.s3.setup.client import DEFAULT_REGION, build_client, is_aws
from davbridge.store.s3.setup.diagnosis import (
    Situation,
    clock_skew,
    explain,
    explain_creation,
    not_s3,
    wrong_region,
)
from davbridge.store.s3.transport.address import options_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import (
        ListObjectsV2OutputTypeDef,
        ResponseMetadataTypeDef,
    )

START_TIMEOUT = 5.0
"""Seconds for one attempt at the start, while a person waits."""

START_ATTEMPTS = 2

SMALL_SKEW = 60.0
"""Seconds by which clocks may differ without a warning."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BucketState:
    """The state of the bucket at the start."""

    created: bool
    """The bucket did not exist, and was created."""
    clock_skew: float | None
    """Seconds that this machine's clock is ahead of the store's; None if its answer had no date."""


def ensure_bucket(
    settings: S3Settings, *, may_create: bool = True, clock: Clock = utc_now
) -> BucketState:
    """Creates the bucket if needed, and lists it. Raises StoreSetupError."""
    impatient = replace(
        settings,
        attempts=min(settings.attempts, START_ATTEMPTS),
        connect_timeout=min(settings.connect_timeout, START_TIMEOUT),
        read_timeout=min(settings.read_timeout, START_TIMEOUT),
    )
    client = build_client(impatient, pool_size=1)
    try:
        credentials_from = options_of(client).credentials_from
        situation = Situation(settings, client.meta.endpoint_url, clock, credentials_from)
        state = _ensure(client, situation, may_create=may_create)
    finally:
        client.close()
    if state.clock_skew is not None and abs(state.clock_skew) > SMALL_SKEW:
        _log.warning("this machine's clock and the S3 store's differ by %d s", state.clock_skew)
    return state


def _ensure(client: "S3Client", situation: Situation, *, may_create: bool) -> BucketState:
    try:
        answer = client.list_objects_v2(
            Bucket=situation.settings.bucket, Prefix=situation.settings.prefix, MaxKeys=1
        )
    except ERRORS as error:
        is_absent = isinstance(error, ClientError) and code_of(error) == NO_SUCH_BUCKET
        # There, the request that makes a bucket would write an object.
        if is_absent and may_create and not situation.has_bucket_in_endpoint:
            return _create(client, situation)
        raise StoreSetupError(explain(error, situation)) from error
    except RecursionError as error:
        # botocore asks a server that redirects where the bucket is, and when that is redirected
        # as well, asks again, without end (1.44.5, S3RegionRedirectorv2.get_bucket_region).
        raise StoreSetupError(not_s3(situation, "it only redirects")) from error
    _require_s3(answer, situation)
    return _state(answer["ResponseMetadata"], situation, created=False)


def _create(client: "S3Client", situation: Situation) -> BucketState:
    request: dict[str, Any] = {"Bucket": situation.settings.bucket}
    region = client.meta.region_name
    if region not in (DEFAULT_REGION, "aws-global"):
        # us-east-1 is what no constraint means, and AWS refuses it as one.
        request["CreateBucketConfiguration"] = {"LocationConstraint": region}
    try:
        answer = client.create_bucket(**request)
    except client.exceptions.BucketAlreadyOwnedByYou:
        return BucketState(created=False, clock_skew=None)  # another bridge was faster
    except ERRORS as error:
        raise StoreSetupError(explain_creation(error, situation)) from error
    return _state(answer["ResponseMetadata"], situation, created=True)


def _require_s3(answer: "ListObjectsV2OutputTypeDef", situation: Situation) -> None:
    """Requires that the response is a listing, and on AWS that it came from the configured region:
    botocore would follow the bucket to another region at the cost of a failing request at each
    start."""
    if "Name" not in answer:
        raise StoreSetupError(not_s3(situation, ""))
    settings = situation.settings
    home = answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
    if settings.region and home and home != settings.region and is_aws(situation.endpoint_url):
        raise StoreSetupError(wrong_region(situation, home))


def _state(
    metadata: "ResponseMetadataTypeDef", situation: Situation, *, created: bool
) -> BucketState:
    return BucketState(created, clock_skew(metadata, situation.clock))
