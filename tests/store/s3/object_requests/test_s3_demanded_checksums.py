"""A store that refuses writes without a checksum: one is found out at the start, and sent."""

from typing import TYPE_CHECKING

import pytest

from davbridge.errors import StoreError
from davbridge.store.base import IF_ABSENT, Attributes
from davbridge.store.s3 import S3Store
from davbridge.tree.namespace import Namespace
from tests.support.contract import LONG, drain, write
from tests.support.operations import operation_of
from tests.support.s3proxy import Answer, Request, S3Proxy, error
from tests.support.stores import s3_store

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MD5, CRC32 = "Content-MD5", "x-amz-checksum-crc32"

WITH_BODIES = ("PutObject", "UploadPart", "DeleteObjects")


@pytest.fixture(params=[[MD5], [CRC32], [MD5, CRC32]], ids=lambda accepted: " or ".join(accepted))
def demanding(request: pytest.FixtureRequest, proxied: S3Store, proxy: S3Proxy) -> S3Store:
    """A bucket with default retention, off AWS. Its store knows one header or both."""
    accepted: list[str] = request.param

    def rule(asked: Request) -> Answer | None:
        has_one = any(name in asked.headers for name in accepted)
        if operation_of(asked) not in WITH_BODIES or has_one:
            return None
        return error("InvalidRequest", 400)

    proxy.rule = rule
    return proxied


@pytest.mark.parametrize("body", [b"", b"body", LONG], ids=["empty", "small", "in parts"])
def test_a_store_that_demands_a_checksum_gets_one_with_each_body(
    demanding: S3Store, body: bytes
) -> None:
    demanding.probe("")
    row = write(demanding, "a", body, None, IF_ABSENT)
    assert drain(demanding.get_object("a")) == body
    # moto fails to give the ACL of an object that was uploaded in parts.
    copy = write(demanding, "b", body) if body is LONG else demanding.copy_object(row, "b")
    demanding.put_object("d/", b"", Attributes("application/x-directory"))
    assert demanding.delete_objects(["a", "b", "d/"], versions={"b": copy}) == []


def test_folders_properties_and_journals_are_written_with_the_checksum_that_is_demanded(
    demanding: S3Store, proxy: S3Proxy
) -> None:
    demanding.probe("")
    proxy.requests.clear()
    tree = Namespace(demanding)
    tree.make_collection(("d",))
    for name in ("a", "b"):
        writer = tree.open_writer(("d", name), Attributes(), length=4)
        writer.write(b"body")
        writer.commit()
    tree.update_properties(("d", "a"), {"{x}y": "<y xmlns='x'/>"})
    assert tree.move(("d",), ("e",)) == []
    assert [resource.name for resource in tree.members(("e",))] == ["a", "b"]
    tree.close()
    written = {each.target for each in proxy.requests if operation_of(each) == "PutObject"}
    assert len(written) >= 5


def test_what_a_store_demands_is_logged(
    demanding: S3Store, caplog: pytest.LogCaptureFixture
) -> None:
    demanding.probe("")
    assert not demanding.capabilities.plain_writes
    assert "lacks " in caplog.text
    assert "uploads without checksums (" in caplog.text
    assert "nothing can be tried" not in caplog.text


def test_a_store_that_demands_nothing_gets_no_checksum(proxied: S3Store, proxy: S3Proxy) -> None:
    proxied.probe("")
    assert proxied.capabilities.plain_writes
    write(proxied, "a", LONG)
    for each in proxy.requests:
        assert CRC32 not in each.headers
        assert operation_of(each) == "DeleteObjects" or MD5 not in each.headers


def test_a_bucket_of_moto_with_default_retention_is_written_to(
    moto_client: "S3Client", bucket_name: str
) -> None:
    """It demands a checksum of copies as well, as AWS does not. The bucket stays: its objects can't
    be deleted."""
    moto_client.create_bucket(Bucket=bucket_name, ObjectLockEnabledForBucket=True)
    moto_client.put_object_lock_configuration(
        Bucket=bucket_name,
        ObjectLockConfiguration={
            "ObjectLockEnabled": "Enabled",
            "Rule": {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 1}},
        },
    )
    with s3_store(moto_client, bucket_name) as store:
        with pytest.raises(StoreError, match="Content-MD5"):
            write(store, "a", b"body")
        store.probe("")
        write(store, "a", b"body")
        write(store, "b", LONG)
        assert [drain(store.get_object(key)) for key in ("a", "b")] == [b"body", LONG]
