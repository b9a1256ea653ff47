"""Listings without ETags, or with other ones than HEAD and GET have: everything works as ever."""

from typing import TYPE_CHECKING

import pytest

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings
from davbridge.errors import PreconditionFailedError, UnavailableError
from davbridge.store.base import IF_ABSENT, Attributes, Condition
from davbridge.store.s3 import S3Store
from davbridge.store.s3.object_requests import listed_etags
from davbridge.tree.namespace import Namespace
from tests.support.contract import LONG, drain, rows, write
from tests.support.differing import LISTED_ETAGS, listing_etags, writing_etags
from tests.support.s3proxy import Answer, Fault, Request, S3Proxy, error

if TYPE_CHECKING:
    pass


@pytest.fixture(params=LISTED_ETAGS)
def form(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def differing(form: str, proxied: S3Store, proxy: S3Proxy) -> S3Store:
    proxy.rule = listing_etags(form)
    proxied.probe("")
    return proxied


def heads(proxy: S3Proxy) -> int:
    return proxy.count("HEAD")


def test_the_probe_finds_out_whether_listings_have_the_etags_of_reads(
    proxied: S3Store, proxy: S3Proxy, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    proxy.rule = listing_etags(form)
    proxied.probe("")
    can = proxied.capabilities
    assert can.listed_etags == (form in ("without quotes", "in upper case"))
    assert ("ETags in listings (" in caplog.text) == (not can.listed_etags)
    assert can.etag_case == (form != "in upper case")
    assert ("ETags of one case (" in caplog.text) == (not can.etag_case)
    assert can.written_etags


@pytest.mark.parametrize("body", [b"body", LONG], ids=["small", "in parts"])
def test_rows_of_listings_have_the_etags_of_reads(differing: S3Store, body: bytes) -> None:
    written = write(differing, "d/a", body)
    (listed,) = rows(differing, "d/")
    looked_up = differing.lookup("d/a").row
    assert looked_up
    assert {written.etag, listed.etag, looked_up.etag} == {differing.head_object("d/a").row.etag}
    assert drain(differing.get_object("d/a", if_match=listed.etag)) == body


def test_nothing_is_written_over_or_deleted_that_was_not_listed(differing: S3Store) -> None:
    write(differing, "d/a", b"old")
    (listed,) = rows(differing, "d/")
    write(differing, "d/a", b"new")
    with pytest.raises(PreconditionFailedError):
        write(differing, "d/a", b"mine", None, Condition(if_match=listed.etag))
    with pytest.raises(PreconditionFailedError):
        differing.delete_object("d/a", version=listed)
    with pytest.raises(PreconditionFailedError):
        differing.get_object("d/a", if_match=listed.etag)
    (listed,) = rows(differing, "d/")
    write(differing, "d/a", b"mine", None, Condition(if_match=listed.etag))
    (listed,) = rows(differing, "d/")
    differing.delete_object("d/a", version=listed)


def test_files_folders_and_their_properties_are_moved_and_copied(differing: S3Store) -> None:
    tree = Namespace(CachedStore(differing, CacheSettings()), uncached=differing)
    tree.make_collection(("d",))
    for name in ("a", "b"):
        writer = tree.open_writer(("d", name), Attributes(), length=4)
        writer.write(b"body")
        writer.commit()
        tree.update_properties(("d", name), {"{x}y": "<y xmlns='x'/>"})
    assert tree.copy(("d",), ("c",)) == []
    assert tree.move(("d",), ("e",)) == []
    assert tree.move(("e", "a"), ("e", "b")) == []
    for path in (("c", "a"), ("c", "b"), ("e", "b")):
        with tree.open_reader(tree.lookup(path)) as reader:
            assert reader.read(10) == b"body"
        assert tree.properties(path) == {"{x}y": "<y xmlns='x'/>"}
    assert [resource.name for resource in tree.members(("e",))] == ["b"]
    assert tree.delete(("e",)) == []
    assert tree.find(("e",)) is None
    tree.close()


@pytest.fixture
def without_etags(proxied: S3Store, proxy: S3Proxy, monkeypatch: pytest.MonkeyPatch) -> S3Store:
    """What was written counts as over at once."""
    monkeypatch.setattr(listed_etags, "TIME_RESOLUTION", -100.0)
    proxy.rule = listing_etags("none")
    proxied.probe("")
    return proxied


def test_a_version_costs_one_head_however_often_it_is_listed(
    without_etags: S3Store, proxy: S3Proxy
) -> None:
    for name in "abc":
        write(without_etags, f"d/{name}", b"body")
    proxy.requests.clear()
    first = rows(without_etags, "d/")
    assert heads(proxy) == 3
    assert rows(without_etags, "d/") == first
    assert heads(proxy) == 3
    write(without_etags, "d/b", b"longer")
    proxy.requests.clear()
    assert [row.size for row in rows(without_etags, "d/")] == [4, 6, 4]
    assert heads(proxy) == 1


def test_a_version_whose_second_is_not_over_is_asked_for_again(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    proxy.rule = listing_etags("none")
    proxied.probe("")
    etags = set()
    for body in (b"one", b"two"):
        write(proxied, "d/a", body)
        (row,) = rows(proxied, "d/")
        etags.add(row.etag)
    assert len(etags) == 2


def test_an_etag_that_the_store_refuses_is_asked_for_again(
    without_etags: S3Store, proxy: S3Proxy
) -> None:
    """Where a store shows one time for two versions, as of files that were synchronised."""
    write(without_etags, "d/a", b"one")
    (old,) = rows(without_etags, "d/")
    write(without_etags, "d/a", b"two")
    (stale,) = rows(without_etags, "d/")
    if stale.etag == old.etag:
        with pytest.raises(PreconditionFailedError):
            without_etags.get_object("d/a", if_match=stale.etag)
    (row,) = rows(without_etags, "d/")
    assert drain(without_etags.get_object("d/a", if_match=row.etag)) == b"two"


@pytest.mark.parametrize("status", [400, 403, 404, 405])
def test_an_object_whose_head_is_refused_is_listed_and_not_read(
    without_etags: S3Store, proxy: S3Proxy, status: int
) -> None:
    write(without_etags, "d/a", b"body")
    write(without_etags, "d/b", b"body")
    rule = proxy.rule

    def refuse(request: Request) -> Fault | None:
        if request.method == "HEAD" and "/d/a" in request.target:
            return Answer(status)
        return rule(request)

    proxy.rule = refuse
    assert [(row.key, bool(row.etag)) for row in rows(without_etags, "d/")] == [
        ("d/a", False),
        ("d/b", True),
    ]
    with pytest.raises(PreconditionFailedError):
        without_etags.get_object("d/a", if_match="")


def test_a_listing_whose_etags_cannot_be_had_now_is_unavailable(
    without_etags: S3Store, proxy: S3Proxy
) -> None:
    write(without_etags, "d/a", b"body")
    rule = proxy.rule
    proxy.rule = lambda request: (
        error("SlowDown", 503) if request.method == "HEAD" else rule(request)
    )
    with pytest.raises(UnavailableError):
        rows(without_etags, "d/")


def test_a_row_without_an_etag_gets_one_also_where_nothing_was_probed(
    proxied: S3Store, proxy: S3Proxy
) -> None:
    written = write(proxied, "d/a", b"body")
    proxy.rule = listing_etags("none")
    assert [row.etag for row in rows(proxied, "d/")] == [written.etag]


@pytest.mark.parametrize("of", ["other ones", "in upper case", "without the number of parts"])
def test_a_drive_that_writes_nothing_compares_objects_that_are_there(
    proxied: S3Store, proxy: S3Proxy, of: str, caplog: pytest.LogCaptureFixture
) -> None:
    body = LONG if of == "without the number of parts" else b"body"
    written = write(proxied, "d/a", body)
    proxy.rule = listing_etags(of)
    proxy.requests.clear()
    proxied.compare_etags("")
    assert [each.method for each in proxy.requests] == ["GET", "HEAD"]
    assert "the store lacks ETags " in caplog.text
    assert [row.etag for row in rows(proxied, "d/")] == [written.etag]


def test_an_ordinary_listing_costs_no_head(proxied: S3Store, proxy: S3Proxy) -> None:
    proxied.probe("")
    write(proxied, "d/a", b"body")
    proxy.requests.clear()
    rows(proxied, "d/")
    proxied.lookup("d/a", bypass_cache=True)
    assert heads(proxy) == 0


@pytest.mark.parametrize("change", [str.upper, lambda etag: etag + "-0"])
def test_writes_whose_answers_have_other_etags_are_known_by_those_of_reads(
    proxied: S3Store, proxy: S3Proxy, change: object
) -> None:
    assert callable(change)
    proxy.rule = writing_etags(change)
    proxied.probe("")
    assert not proxied.capabilities.written_etags
    assert proxied.capabilities.listed_etags
    row = write(proxied, "a", b"body", None, IF_ABSENT)
    copy = proxied.copy_object(row, "b")
    assert row.etag == copy.etag == proxied.head_object("a").row.etag
    write(proxied, "a", b"new", None, Condition(if_match=row.etag))
    proxied.delete_object("b", version=copy)
