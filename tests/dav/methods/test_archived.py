"""Archived objects (GLACIER, DEEP_ARCHIVE): COPY and MOVE are refused, before anything changes.

moto refuses to read and to copy them, as AWS does; SeaweedFS only keeps the class's name.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from davbridge.store.s3 import S3Store
from tests.support.bridge import DAV, Client, running_bridge
from tests.support.endpoints import Endpoint, s3_client
from tests.support.stores import store_client


class Drive:
    """A bridge's client, and the bucket behind it."""

    def __init__(self, client: Client, s3: Any, bucket: str) -> None:
        self.client = client
        self._s3 = s3
        self._bucket = bucket

    def put(self, *keys: str, storage_class: str = "STANDARD") -> None:
        for key in keys:
            self._s3.put_object(
                Bucket=self._bucket, Key=key, Body=key.encode(), StorageClass=storage_class
            )

    def restore(self, key: str) -> None:
        self._s3.restore_object(Bucket=self._bucket, Key=key, RestoreRequest={"Days": 1})
        while 'true"' in self._s3.head_object(Bucket=self._bucket, Key=key).get("Restore", ""):
            pass

    def classes(self) -> dict[str, str]:
        rows = self._s3.list_objects_v2(Bucket=self._bucket)["Contents"]
        return {row["Key"]: row["StorageClass"] for row in rows}


@pytest.fixture(params=["moto_server"])
def drive(request: pytest.FixtureRequest, bucket_name: str) -> Iterator[Drive]:
    endpoint: Endpoint = request.getfixturevalue(request.param)
    s3 = s3_client(endpoint)
    s3.create_bucket(Bucket=bucket_name)
    with (
        store_client(endpoint) as own,
        S3Store(own, bucket_name) as store,
        running_bridge(store) as bridge,
        bridge.client() as client,
    ):
        yield Drive(client, s3, bucket_name)


on_seaweedfs = pytest.mark.parametrize("drive", ["seaweedfs"], indirect=True)

verbs = pytest.mark.parametrize("verb", ["COPY", "MOVE"])


@verbs
@pytest.mark.parametrize("storage_class", ["GLACIER", "DEEP_ARCHIVE"])
def test_a_copy_or_move_of_an_archived_file_says_to_restore_it(
    drive: Drive, verb: str, storage_class: str
) -> None:
    drive.put("f", storage_class=storage_class)
    drive.put("g")
    before = drive.classes()
    for target in ("/g", "/new"):
        answer = drive.client(verb, "/f", destination=target)
        assert answer.status == 409
        assert b"restore it first" in answer.body
    assert drive.classes() == before


@verbs
def test_a_folder_with_some_archived_members_stays_as_it_is(drive: Drive, verb: str) -> None:
    drive.put("d/a", "d/b", "t/a", "t/old")
    drive.put("d/in/cold", storage_class="GLACIER")
    before = drive.classes()
    answer = drive.client(verb, "/d/", destination="/t/")
    (response,) = answer.multistatus().items()
    assert response[0] == "/d/in/cold"
    assert "409" in (response[1].findtext(f"{DAV}status") or "")
    assert drive.classes() == before


@verbs
def test_a_restored_file_is_copied_and_stays_in_its_class(drive: Drive, verb: str) -> None:
    drive.put("f", storage_class="GLACIER")
    drive.restore("f")
    assert drive.client(verb, "/f", destination="/new").status == 201
    assert drive.classes()["new"] == "GLACIER"


@verbs
def test_a_file_that_was_archived_after_it_was_listed_stays(drive: Drive, verb: str) -> None:
    drive.put("d/f", "d/g")
    assert drive.client("PROPFIND", "/d/", depth="1").status == 207
    drive.put("d/f", storage_class="GLACIER")
    answer = drive.client(verb, "/d/f", destination="/d/g")
    assert answer.status == 409
    assert b"restore it first" in answer.body
    assert drive.classes() == {"d/f": "GLACIER", "d/g": "STANDARD"}


def test_an_archived_file_is_deleted(drive: Drive) -> None:
    drive.put("f", storage_class="GLACIER")
    drive.put("g")
    assert drive.client("DELETE", "/f").status == 204
    assert drive.classes() == {"g": "STANDARD"}


@on_seaweedfs
@verbs
def test_where_the_class_is_only_a_name_a_file_is_copied(drive: Drive, verb: str) -> None:
    drive.put("f", storage_class="GLACIER")
    assert drive.client(verb, "/f", destination="/new").status == 201
    assert drive.classes()["new"] == "GLACIER"
