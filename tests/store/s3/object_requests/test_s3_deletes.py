"""Deletes whose outcome isn't known: what others have written meanwhile stays, equal bytes too."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from davbridge.errors import NotFoundError, PreconditionFailedError, UnavailableError
from davbridge.store.base import Attributes, ObjectRow
from davbridge.store.s3 import S3Store
from davbridge.store.s3.bucket.capabilities import ALL
from tests.support.contract import drain, keys
from tests.support.operations import operation_of
from tests.support.s3proxy import Answer, Drop, Fault, Lose, Request, S3Proxy, error, once

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Rule = Callable[[Request], Fault | None]
Written = Callable[..., dict[str, ObjectRow]]


@pytest.fixture
def others(moto_client: "S3Client", bucket_name: str) -> Callable[[str, bytes], None]:
    """Writes past the store."""

    def write(key: str, body: bytes) -> None:
        moto_client.put_object(Bucket=bucket_name, Key=key, Body=body)

    return write


def operations(proxy: S3Proxy) -> list[str]:
    return [operation_of(request) for request in proxy.requests]


@pytest.fixture
def written(proxied: S3Store, bucket_name: str) -> Written:
    """Writes objects that have been there for a while; their bytes are their names."""

    def write(*names: str) -> dict[str, ObjectRow]:
        for name in names:
            proxied.put_object(name, name.encode(), Attributes())
            # moto runs in this process.
            kept = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].get_object(bucket_name, name)
            assert kept is not None
            kept.last_modified -= timedelta(seconds=10)
        return {name: proxied.head_object(name).row for name in names}

    return write


def meanwhile(first: Fault, *acts: Callable[[], object]) -> Rule:
    """The first delete ends so, and then others act, before anyone looks."""
    begun: list[bool] = []
    rest = list(acts)

    def rule(request: Request) -> Fault | None:
        if request.method in ("DELETE", "POST") and not begun:
            begun.append(True)
            return first
        if begun:
            while rest:
                rest.pop()()
        return None

    return rule


def test_a_delete_whose_answer_is_lost_spares_equal_bytes_written_since(
    proxied: S3Store, proxy: S3Proxy, written: Written, others: Callable[[str, bytes], None]
) -> None:
    """A user moves the file back."""
    rows = written("a")
    proxy.requests.clear()
    proxy.rule = meanwhile(Lose(), lambda: others("a", b"a"))
    with pytest.raises(UnavailableError):
        proxied.delete_object("a", version=rows["a"])
    assert operations(proxy) == ["DeleteObject", "HeadObject"]
    assert proxied.head_object("a").row.etag == rows["a"].etag


def test_a_delete_whose_answer_is_lost_spares_other_bytes_written_since(
    proxied: S3Store, proxy: S3Proxy, written: Written, others: Callable[[str, bytes], None]
) -> None:
    rows = written("a")
    proxy.rule = meanwhile(Drop(), lambda: others("a", b"new"))
    with pytest.raises(PreconditionFailedError):
        proxied.delete_object("a", version=rows["a"])
    assert drain(proxied.get_object("a")) == b"new"


def test_a_delete_without_a_version_spares_a_newer_object(
    proxied: S3Store, proxy: S3Proxy, written: Written, others: Callable[[str, bytes], None]
) -> None:
    written("a")
    proxy.rule = meanwhile(Lose(), lambda: others("a", b"new"))
    with pytest.raises(UnavailableError):
        proxied.delete_object("a")
    assert drain(proxied.get_object("a")) == b"new"


@pytest.mark.parametrize("fault", [Drop(), Answer(502), Answer(504), error("InternalError", 500)])
def test_an_object_that_is_still_there_after_a_lost_answer_is_deleted(
    proxied: S3Store, proxy: S3Proxy, written: Written, fault: Fault
) -> None:
    rows: Mapping[str, ObjectRow | None] = {**written("a"), "b": None}
    written("b")
    for key, row in rows.items():
        proxy.requests.clear()
        proxy.rule = once("DELETE", f"/{key}", fault)
        proxied.delete_object(key, version=row)
        assert operations(proxy) == ["DeleteObject", "HeadObject", "DeleteObject"]
    again = proxy.requests[-1]
    assert again.headers["If-Match"]  # what was seen, and nothing newer
    assert keys(proxied) == []


def test_an_object_that_is_gone_after_a_lost_answer_counts_as_deleted(
    proxied: S3Store, proxy: S3Proxy, written: Written
) -> None:
    rows = written("a")
    proxy.requests.clear()
    proxy.rule = once("DELETE", "/a", Lose())
    proxied.delete_object("a", version=rows["a"])
    assert operations(proxy) == ["DeleteObject", "HeadObject"]


def test_an_object_written_in_the_second_of_the_first_try_is_left(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    """It may be what somebody has written since, of the same bytes."""
    row = proxied.put_object("a", b"a", Attributes())
    proxy.rule = once("DELETE", "/a", Drop())
    with pytest.raises(UnavailableError):
        proxied.delete_object("a", version=row)
    assert keys(proxied) == ["a"]


def test_a_delete_that_is_never_answered_is_unavailable(
    proxied: S3Store, proxy: S3Proxy, written: Written
) -> None:
    rows = written("a", "b")
    proxy.rule = lambda request: Drop() if request.method in ("DELETE", "POST") else None
    with pytest.raises(UnavailableError):
        proxied.delete_object("a", version=rows["a"])
    assert proxy.count("DELETE") == 4
    failures = proxied.delete_objects(["a", "b"], versions=rows)
    assert [failure.key for failure in failures] == ["a", "b"]
    assert all(isinstance(failure.error, UnavailableError) for failure in failures)
    assert keys(proxied) == ["a", "b"]


def test_a_store_that_is_too_busy_is_asked_again_without_a_look(
    proxied: S3Store, proxy: S3Proxy, written: Written
) -> None:
    rows = written("a", "b")
    proxy.requests.clear()
    proxy.rule = once("DELETE", "/a", error("SlowDown", 503))
    proxied.delete_object("a", version=rows["a"])
    proxy.rule = once("POST", "delete", error("SlowDown", 503))
    assert proxied.delete_objects(["b"], versions=rows) == []
    assert operations(proxy) == ["DeleteObject"] * 2 + ["DeleteObjects"] * 2


def test_each_key_of_a_lost_batch_is_judged_by_itself(
    proxied: S3Store, proxy: S3Proxy, written: Written, others: Callable[[str, bytes], None]
) -> None:
    """moto ignores ETags in a batch: the looks alone save what is newer."""
    names = ["gone", "equal", "other", "marker/"]
    rows = written(*names)
    del rows["marker/"]
    proxy.rule = meanwhile(Lose(), lambda: others("equal", b"equal"), lambda: others("other", b""))
    found = {one.key: type(one.error) for one in proxied.delete_objects(names, versions=rows)}
    assert found == {"equal": UnavailableError, "other": PreconditionFailedError}
    assert keys(proxied) == ["equal", "other"]


def test_a_batch_whose_answer_is_lost_is_sent_again_for_those_that_are_still_there(
    proxied: S3Store, proxy: S3Proxy, written: Written, others: Callable[[str, bytes], None]
) -> None:
    rows = written("new", "old", "marker/")
    del rows["marker/"]
    proxy.rule = meanwhile(Drop(), lambda: others("new", b"new"))
    (failure,) = proxied.delete_objects(["new", "old", "marker/"], versions=rows)
    assert failure.key == "new"
    batches = [each.body for each in proxy.requests if operation_of(each) == "DeleteObjects"]
    assert [b"<Key>new</Key>" in body for body in batches] == [True, False]
    assert keys(proxied) == ["new"]


def test_a_batch_is_given_up_at_once_where_nobody_can_look(
    proxied: S3Store, proxy: S3Proxy, written: Written
) -> None:
    rows = written("a", "b", "c")
    proxy.requests.clear()
    proxy.rule = lambda request: Drop() if request.method == "POST" else error("SlowDown", 503)
    failures = proxied.delete_objects(["a", "b", "c"], versions=rows)
    assert [failure.key for failure in failures] == ["a", "b", "c"]
    assert all(isinstance(failure.error, UnavailableError) for failure in failures)
    assert proxy.count("POST") == 1
    assert proxy.count("HEAD") <= 4
    proxy.reset()
    assert keys(proxied) == ["a", "b", "c"]


def test_a_look_in_the_place_of_a_condition_knows_objects_and_not_only_bytes(
    proxied: S3Store, proxied_client: "S3Client", bucket_name: str
) -> None:
    """Where a store holds no condition on DELETE."""
    row = proxied.put_object("a", b"a", Attributes())
    older = row._replace(modified=row.modified - timedelta(seconds=5))
    can = ALL._replace(conditional_delete=False)
    with S3Store(proxied_client, bucket_name, capabilities=can) as store:
        with pytest.raises(PreconditionFailedError):
            store.delete_object("a", version=older)
        store.delete_object("a", version=row)
        with pytest.raises(NotFoundError):
            store.delete_object("a", version=row)
