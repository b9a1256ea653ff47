"""What objects in a bucket can have is found out at the start, by its settings and on a canary."""

import logging
from typing import TYPE_CHECKING

import pytest

from davbridge.clock import utc_now
from davbridge.store.base import Attributes
from davbridge.store.s3 import S3Store
from davbridge.store.s3.bucket.bucket import Bucket
from davbridge.store.s3.bucket.features import MODERN, Features
from davbridge.store.s3.setup.bucket_features import find_features
from davbridge.store.s3.transport.transport import Transport
from tests.support.operations import operation_of
from tests.support.s3proxy import Answer, Fault, Request, S3Proxy, error

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ENFORCED = Answer(
    200,
    b"<OwnershipControls><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>"
    b"</OwnershipControls>",
)

WRITER = Answer(200, ENFORCED.body.replace(b"BucketOwnerEnforced", b"ObjectWriter"))

LOCKING = Answer(
    200,
    b"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>"
    b"</ObjectLockConfiguration>",
)

ACL = Answer(200, b"<AccessControlPolicy><Owner><ID>me</ID></Owner></AccessControlPolicy>")

NONE = error("NoSuchObjectLockConfiguration", 404)

DENIED = error("AccessDenied", 403)

UNKNOWN = error("NotImplemented", 501)

OWNERSHIP, LOCK, TAGS, OBJECT_ACL = (
    "GetBucketOwnershipControls",
    "GetObjectLockConfiguration",
    "GetObjectTagging",
    "GetObjectAcl",
)


@pytest.fixture
def bucket(proxied: S3Store, proxied_client: "S3Client", bucket_name: str) -> Bucket:
    """A bucket of moto's, with a canary."""
    proxied.put_object("canary", b"x", Attributes())
    return Bucket(Transport(proxied_client, bucket_name), bucket_name, utc_now)


def found(bucket: Bucket, proxy: S3Proxy, answers: dict[str, Answer]) -> Features:
    def rule(request: Request) -> Fault | None:
        for name in ("retention", "legal-hold"):
            if f"?{name}" in request.target:
                return answers[name]
        return answers.get(operation_of(request))

    proxy.rule = rule
    return find_features(bucket, "canary", 10.0)


def test_a_bucket_as_aws_makes_them_today_has_tags_and_no_acls_and_locks(
    bucket: Bucket, proxy: S3Proxy
) -> None:
    assert found(bucket, proxy, {OWNERSHIP: ENFORCED}) == MODERN


@pytest.mark.parametrize(
    "controls", [WRITER, UNKNOWN, error("OwnershipControlsNotFoundError", 404)]
)
def test_a_bucket_whose_owner_does_not_enforce_ownership_has_acls(
    bucket: Bucket, proxy: S3Proxy, controls: Answer
) -> None:
    features = found(bucket, proxy, {OWNERSHIP: controls, OBJECT_ACL: ACL})
    assert features == Features(has_acls=True, owner="me")


def test_a_store_that_shows_no_acl_has_none(bucket: Bucket, proxy: S3Proxy) -> None:
    assert found(bucket, proxy, {OWNERSHIP: UNKNOWN, OBJECT_ACL: UNKNOWN}) == MODERN


def test_a_log_line_names_the_right_without_which_acls_are_not_kept(
    bucket: Bucket, proxy: S3Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="davbridge"):
        assert found(bucket, proxy, {OWNERSHIP: DENIED}) == MODERN
    assert "s3:GetBucketOwnershipControls" in caplog.text


def test_the_rights_to_read_that_are_missing_are_known(bucket: Bucket, proxy: S3Proxy) -> None:
    answers = {OWNERSHIP: WRITER, OBJECT_ACL: DENIED, TAGS: DENIED, LOCK: LOCKING}
    features = found(bucket, proxy, {**answers, "retention": NONE, "legal-hold": DENIED})
    rights = frozenset(["s3:GetObjectAcl", "s3:GetObjectTagging", "s3:GetObjectLegalHold"])
    assert features == Features(has_acls=True, has_locks=True, missing_rights=rights)


@pytest.mark.parametrize("answer", [UNKNOWN, Answer(200, b"the canary itself"), Answer(404)])
def test_a_store_that_does_not_know_tags_is_not_asked_for_any(
    bucket: Bucket, proxy: S3Proxy, answer: Answer
) -> None:
    features = found(bucket, proxy, {OWNERSHIP: ENFORCED, TAGS: answer})
    assert features == Features(has_tags=False)
