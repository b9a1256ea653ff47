"""Which requests a copy costs, what it is told, and what it says where a right is missing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from davbridge.config import CopiedAttribute
from davbridge.dav.errors import refusal_of
from davbridge.errors import MissingRightError
from davbridge.store.base import Attributes, ObjectRow
from davbridge.store.s3 import S3Store
from davbridge.store.s3.bucket.capabilities import ALL as AWS
from davbridge.store.s3.bucket.capabilities import Capabilities
from davbridge.store.s3.bucket.features import MODERN, Features
from davbridge.store.s3.bucket.plain_objects import PLAIN_SECONDS
from davbridge.store.s3.messages.headers import TRANSACTION
from tests.support.contract import keys
from tests.support.operations import operation_of
from tests.support.s3proxy import Answer, Fault, Request, S3Proxy, error
from tests.support.skipping import Skipping
from tests.support.stores import SMALL_PART, fresh_bucket

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

HEAD, COPY, CREATE = "HeadObject", "CopyObject", "CreateMultipartUpload"

WITH_ACLS = Features(has_acls=True)

ALL: tuple[CopiedAttribute, ...] = (
    "storage_class",
    "encryption",
    "acl",
    "tags",
    "object_lock",
    "redirect",
)


class Place:
    """A bucket, what davbridge asks of its store, and another program's client."""

    def __init__(self, store: S3Store, proxy: S3Proxy, client: Any, name: str) -> None:
        self.store = store
        self.proxy = proxy
        self.client = client
        self.name = name

    def outside(self, key: str, size: int = 10, **attributes: Any) -> ObjectRow:
        self.client.put_object(Bucket=self.name, Key=key, Body=bytes(size), **attributes)
        found = self.store.lookup(key).row
        assert found
        self.proxy.requests.clear()
        return found

    @property
    def asked(self) -> list[str]:
        return list(map(operation_of, self.proxy.requests))

    def told(self, operation: str) -> dict[str, str]:
        """The headers of the last request of this kind."""
        (*_, last) = [each for each in self.proxy.requests if operation_of(each) == operation]
        return {name.lower(): value for name, value in last.headers.items()}


@pytest.fixture
def features() -> Features:
    return MODERN


@pytest.fixture
def capabilities() -> Capabilities:
    return AWS


@pytest.fixture
def copy_without() -> tuple[CopiedAttribute, ...]:
    return ()


@pytest.fixture
def place(
    proxy: S3Proxy,
    proxied_client: "S3Client",
    moto_client: "S3Client",
    bucket_name: str,
    skipping: Skipping,
    features: Features,
    copy_without: tuple[CopiedAttribute, ...],
    capabilities: Capabilities,
) -> Iterator[Place]:
    with (
        fresh_bucket(moto_client, bucket_name),
        S3Store(
            proxied_client,
            bucket_name,
            timing=skipping.timing,
            part_size=SMALL_PART,
            copy_limit=SMALL_PART,
            copy_part_size=SMALL_PART,
            features=features,
            capabilities=capabilities,
            copy_without=copy_without,
        ) as store,
    ):
        yield Place(store, proxy, moto_client, bucket_name)


without_part_copy = pytest.mark.parametrize(
    "capabilities", [AWS._replace(part_copy=False)], ids=["without UploadPartCopy"]
)

without = pytest.mark.parametrize("copy_without", [ALL], ids=["without all"])

with_acls = pytest.mark.parametrize("features", [WITH_ACLS], ids=["with ACLs"])


def test_a_copy_costs_a_look_at_what_another_program_has_written(place: Place) -> None:
    place.store.copy_object(place.outside("a"), "b")
    assert place.asked == [HEAD, COPY]


def test_a_copy_of_what_this_bridge_has_just_written_costs_no_look(
    place: Place, skipping: Skipping
) -> None:
    row = place.store.put_object("a", b"x", Attributes())
    place.proxy.requests.clear()
    copied = place.store.copy_object(row, "b")
    place.store.copy_object(copied, "c")
    assert place.asked == [COPY, COPY]
    skipping.timing.pause(PLAIN_SECONDS)
    place.store.copy_object(row, "d")
    assert place.asked == [COPY, COPY, HEAD, COPY]


def test_what_another_program_has_replaced_is_looked_at(place: Place) -> None:
    place.store.put_object("a", b"x", Attributes())
    row = place.outside("a", ServerSideEncryption="aws:kms")
    place.store.copy_object(row, "b")
    assert place.asked == [HEAD, COPY]
    assert place.told(COPY)["x-amz-server-side-encryption"] == "aws:kms"


@with_acls
def test_a_copy_costs_its_acl_where_the_bucket_has_acls(place: Place) -> None:
    place.store.copy_object(place.outside("a", ACL="public-read"), "b")
    assert place.asked == [HEAD, "GetObjectAcl", COPY]
    assert place.told(COPY)["x-amz-grant-read"].startswith('uri="http')


def test_a_copy_in_parts_costs_its_tags_as_well(place: Place) -> None:
    row = place.outside("a", SMALL_PART + 1, Tagging="k=v")
    place.store.copy_object(row, "b")
    assert place.asked[:3] == [HEAD, "GetObjectTagging", CREATE]
    assert place.told(CREATE)["x-amz-tagging"] == "k=v"


@without_part_copy
@with_acls
def test_a_copy_by_way_of_davbridge_keeps_what_one_in_the_store_does(place: Place) -> None:
    given = {
        "CacheControl": "no-cache",
        "Metadata": {"colour": "blue"},
        "StorageClass": "STANDARD_IA",
        "ServerSideEncryption": "aws:kms",
        "SSEKMSKeyId": "alias/own",
        "WebsiteRedirectLocation": "/elsewhere",
    }
    row = place.outside("a", SMALL_PART + 1, Tagging="k=v", ACL="public-read", **given)
    place.store.copy_object(row, "b")
    assert "UploadPart" in place.asked
    head = place.client.head_object(Bucket=place.name, Key="b")
    head["Metadata"].pop(TRANSACTION, None)
    assert {name: head[name] for name in given} == given
    (tag,) = place.client.get_object_tagging(Bucket=place.name, Key="b")["TagSet"]
    assert tag == {"Key": "k", "Value": "v"}
    acl = place.client.get_object_acl(Bucket=place.name, Key="b")
    assert "READ" in [grant["Permission"] for grant in acl["Grants"]]


@without
@with_acls
def test_a_copy_that_need_keep_nothing_costs_no_look(place: Place) -> None:
    place.store.copy_object(place.outside("a", StorageClass="STANDARD_IA", Tagging="k=v"), "b")
    assert place.asked == [COPY]
    assert "x-amz-storage-class" not in place.told(COPY)
    assert place.told(COPY)["x-amz-tagging-directive"] == "REPLACE"
    assert place.client.get_object_tagging(Bucket=place.name, Key="b")["TagSet"] == []


def test_a_class_that_the_store_lists_but_does_not_take_is_left_to_it(place: Place) -> None:
    """MinIO lists the names of tiers."""
    row = place.outside("a")._replace(storage_class="COLD-TIER")

    def refuse(request: Request) -> Fault | None:
        is_in = "COLD-TIER" in (request.headers["x-amz-storage-class"] or "")
        return error("InvalidStorageClass", 400) if is_in else None

    place.proxy.rule = refuse
    assert place.store.copy_object(row, "b").size == row.size
    assert place.asked == [HEAD, COPY, COPY]


@pytest.mark.parametrize("code", ["ExpiredToken", "AccessDenied"])
def test_a_look_that_is_refused_is_repeated_as_a_get_which_has_a_reason(
    place: Place, code: str
) -> None:
    row = place.outside("a", ServerSideEncryption="aws:kms")
    place.proxy.rule = lambda request: error(code, 400) if request.method == "HEAD" else None
    place.store.copy_object(row, "b")
    assert place.asked[-2:] == ["GetObject", COPY]
    assert place.told(COPY)["x-amz-server-side-encryption"] == "aws:kms"


@contextmanager
def refused(place: Place, operation: str, answer: Answer) -> Iterator[list[str]]:
    """What the client is told. The target stays as it was."""
    place.store.put_object("b", b"old", Attributes())
    place.proxy.rule = lambda request: answer if operation_of(request) == operation else None
    told: list[str] = []
    with pytest.raises(MissingRightError) as caught:
        yield told
    refusal = refusal_of(caught.value)
    assert refusal.status == 403
    told.append(refusal.message)
    assert place.client.get_object(Bucket=place.name, Key="b")["Body"].read() == b"old"
    assert not [key for key in keys(place.store) if key not in ("a", "b")]


DENIED = error("AccessDenied", 403)

NAMED = Answer(
    403,
    b"<Error><Code>AccessDenied</Code><Message>User: arn:aws:iam::1:user/me is not authorized to "
    b"perform: s3:PutObjectTagging on resource: &quot;arn:aws:s3:::b/b&quot;</Message></Error>",
)


def test_tags_that_may_not_be_read_refuse_a_copy_in_parts_by_the_name_of_the_right(
    place: Place,
) -> None:
    row = place.outside("a", SMALL_PART + 1, Tagging="k=v")
    with refused(place, "GetObjectTagging", DENIED) as told:
        place.store.copy_object(row, "b")
    assert "s3:GetObjectTagging" in told[0]
    assert 's3.copy_without = ["tags"]' in told[0]


@with_acls
def test_an_acl_that_may_not_be_read_refuses_a_copy_by_the_name_of_the_right(place: Place) -> None:
    row = place.outside("a")
    with refused(place, "GetObjectAcl", DENIED) as told:
        place.store.copy_object(row, "b")
    assert "s3:GetObjectAcl" in told[0]


@pytest.mark.parametrize(
    "features",
    [Features(has_locks=True, missing_rights=frozenset(["s3:GetObjectRetention"]))],
    ids=["with locks"],
)
def test_locks_that_may_not_be_read_refuse_a_copy_by_the_name_of_the_right(place: Place) -> None:
    """A HEAD doesn't show them then."""
    row = place.outside("a")
    with refused(place, "none", DENIED) as told:
        place.store.copy_object(row, "b")
    assert "s3:GetObjectRetention" in told[0]


@pytest.mark.parametrize(
    ("attributes", "right"),
    [
        ({}, "s3:GetObjectTagging and s3:PutObjectTagging"),
        ({"ServerSideEncryption": "aws:kms"}, "kms:GenerateDataKey"),
    ],
    ids=["tags", "KMS"],
)
@pytest.mark.parametrize("operation", [COPY, CREATE])
def test_a_copy_that_the_store_refuses_names_the_rights_that_it_needs(
    place: Place, operation: str, attributes: dict[str, str], right: str
) -> None:
    row = place.outside("a", 10 if operation == COPY else SMALL_PART + 1, **attributes)
    with refused(place, operation, DENIED) as told:
        place.store.copy_object(row, "b")
    assert right in told[0]


def test_a_right_that_the_store_names_is_passed_on_and_nothing_else(place: Place) -> None:
    row = place.outside("a")
    with refused(place, COPY, NAMED) as told:
        place.store.copy_object(row, "b")
    assert told == ["the store's credentials lack the right s3:PutObjectTagging"]
