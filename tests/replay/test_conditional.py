"""Conditional requests, ranges and properties: more of the same kind as the clients' cases."""

from datetime import timedelta

import pytest

from tests.replay.agents import (
    CADAVER,
    CURL,
    CYBERDUCK,
    FINDER,
    GVFS,
    RCLONE,
    XML_TEXT,
    explorer_patch,
    http_date,
)
from tests.replay.drives import NOW, Drive
from tests.replay.reading import entries, look
from tests.support.bodies import lock_info
from tests.support.bridge import DAV, Client

stock_fails = pytest.mark.stock_fails
bridge_only = pytest.mark.bridge_only

Q, R = "{urn:q}q", "{urn:q}r"


# Conditions


WRITES = {
    "strong": ("{etag}", 204),
    "in a list": ('"other", {etag}', 204),
    "in a list with weak tags": ('W/"other",W/{etag} , {etag}', 204),
    "any": ("*", 204),
    "another": ('"other"', 412),
    "weak": ("W/{etag}", 412),
    "no tag": ("other", 412),
}


@stock_fails("a weak tag matches", "weak")
@pytest.mark.parametrize(("header", "status"), WRITES.values(), ids=WRITES)
def test_if_match_compares_strongly(drive: Drive, header: str, status: int) -> None:
    """RFC 9110 §13.1.1: a weak tag never matches."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(GVFS)
    etag = client("HEAD", "/f.txt").header("ETag")
    assert client("PUT", "/f.txt", b"y", if_match=header.format(etag=etag)).status == status
    assert drive.stored() == {"f.txt": b"y" if status == 204 else b"x"}


@pytest.mark.parametrize("method", ["DELETE", "MOVE", "COPY", "PROPPATCH", "LOCK"])
def test_if_match_counts_for_every_write(drive: Drive, method: str) -> None:
    """RFC 9110 §13.1.1: before the method is performed."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(GVFS)
    headers = {"If-Match": '"stale"', "Destination": "/g.txt"}
    bodies = {
        "PROPPATCH": patch(set_q="1"),
        "LOCK": lock_info(),
    }
    assert client(method, "/f.txt", bodies.get(method), headers).status == 412
    assert drive.stored() == {"f.txt": b"x"}


READS = {
    "strong": ("{etag}", 304),
    "weak": ("W/{etag}", 304),
    "in a list": ('"other", W/{etag}', 304),
    "any": ("*", 304),
    "another": ('"other"', 200),
}


@stock_fails("a 304 has no ETag", "strong-*", "weak-*", "in a list-*", "any-*")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(("header", "status"), READS.values(), ids=READS)
def test_if_none_match_compares_weakly(drive: Drive, method: str, header: str, status: int) -> None:
    """RFC 9110 §13.1.2; §15.4.5: a 304 has the ETag."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(CYBERDUCK)
    etag = client("HEAD", "/f.txt").header("ETag")
    answer = client(method, "/f.txt", if_none_match=header.format(etag=etag))
    assert answer.status == status
    assert answer.header("ETag") == etag


def test_if_none_match_of_another_version_outweighs_the_date(drive: Drive) -> None:
    """RFC 9110 §13.1.3: a recipient must ignore If-Modified-Since beside it."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(CYBERDUCK)
    date = client("HEAD", "/f.txt").header("Last-Modified")
    headers = {"If-None-Match": '"other"', "If-Modified-Since": date}
    assert client("GET", "/f.txt", headers=headers).status == 200


@stock_fails("such a date counts as now", "Fri, 99 *-If-Modified-Since")
@pytest.mark.parametrize("header", ["If-Modified-Since", "If-Unmodified-Since"])
@pytest.mark.parametrize("date", ["yesterday", "", "0", "Fri, 99 Mar 2024 12:00:00 GMT"])
def test_dates_that_are_none_are_ignored(drive: Drive, header: str, date: str) -> None:
    """RFC 9110 §13.1.3, §13.1.4."""
    drive.fill({"f.txt": b"x"})
    assert drive.client(CURL)("GET", "/f.txt", headers={header: date}).status == 200


DATES = {
    "RFC 1123": "Fri, 01 Mar 2024 12:00:00 GMT",
    "RFC 850": "Friday, 01-Mar-24 12:00:00 GMT",
    "asctime": "Fri Mar  1 12:00:00 2024",
}


@stock_fails("If-Modified-Since equal to Last-Modified answers 200")
@pytest.mark.parametrize("date", DATES.values(), ids=DATES)
def test_dates_come_in_three_formats(drive: Drive, date: str) -> None:
    """RFC 9110 §5.6.7: a recipient accepts all."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(CURL)
    assert client("HEAD", "/f.txt").header("Last-Modified") == DATES["RFC 1123"]
    assert client("GET", "/f.txt", if_unmodified_since=date).status == 200
    assert client("GET", "/f.txt", if_modified_since=date).status == 304


@stock_fails("a later date answers 304")
def test_a_date_later_than_the_file_s_may_be_another_version_s(drive: Drive) -> None:
    """As with nginx' `if_modified_since exact`: a file's time may go back. RFC 9110 §13.1.3 would
    have a 304; 200 is never wrong."""
    drive.fill({"f.txt": b"x"})
    later = http_date(NOW + timedelta(hours=1))
    assert drive.client(CURL)("GET", "/f.txt", if_modified_since=later).status == 200


NEWER, OLDER = "1700000000", "1600000000"
"""X-OC-Mtime."""


@bridge_only("it keeps no times")
@pytest.mark.parametrize("way", ["PUT", "MOVE", "COPY", "PROPPATCH"])
@pytest.mark.parametrize("newer", [NEWER, "4000000000", None], ids=["past", "future", "untold"])
def test_a_version_whose_time_went_back_is_another_one(
    drive: Drive, way: str, newer: str | None
) -> None:
    """RFC 9110 §13.1.3, §13.1.4: neither is it held back, nor is it overwritten unseen."""
    client = drive.client(CURL)
    assert client("PUT", "/f", b"1", {"X-OC-Mtime": newer} if newer else {}).status == 201
    seen = client("HEAD", "/f").header("Last-Modified")
    if way == "PROPPATCH":
        assert client("PUT", "/f", b"2").status == 204
        date = "Thu, 01 Oct 2020 10:00:00 GMT"
        older = explorer_patch(Win32LastModifiedTime=date)
        assert client("PROPPATCH", "/f", older, XML_TEXT).status == 207
    else:
        target = "/f" if way == "PUT" else "/older"
        assert client("PUT", target, b"2", {"X-OC-Mtime": OLDER}).status in (201, 204)
        if way != "PUT":
            assert client(way, "/older", destination="/f").status == 204
    got = client("GET", "/f", if_modified_since=seen)
    assert (got.status, got.body) == (200, b"2")
    for method in ("PUT", "DELETE", "GET"):
        assert client(method, "/f", if_unmodified_since=seen).status == 412, method
    moved = client("MOVE", "/f", destination="/g", if_unmodified_since=seen)
    assert moved.status == 412
    now = got.header("Last-Modified")
    assert client("GET", "/f", if_modified_since=now).status == 304
    assert client("PUT", "/f", b"3", if_unmodified_since=now).status == 204


@bridge_only("it keeps no times")
def test_a_version_without_a_time_of_its_own_is_not_one_with_a_time_in_the_future(
    drive: Drive,
) -> None:
    client = drive.client(CURL)
    assert client("PUT", "/f", b"1", {"X-OC-Mtime": "4000000000"}).status == 201
    seen = client("HEAD", "/f").header("Last-Modified")
    assert client("PUT", "/f", b"2").status == 204
    assert client("GET", "/f", if_modified_since=seen).body == b"2"
    assert client("PUT", "/f", b"3", if_unmodified_since=seen).status == 412


# Ranges


RANGES = {
    "first": ("bytes=0-0", 206, b"0"),
    "open": ("bytes=7-", 206, b"789"),
    "suffix": ("bytes=-3", 206, b"789"),
    "suffix over the length": ("bytes=-99", 206, b"0123456789"),
    "end over the length": ("bytes=7-99", 206, b"789"),
    "upper case": ("BYTES=0-1", 206, b"01"),
    "another unit": ("items=0-1", 200, b"0123456789"),
    "backwards": ("bytes=5-2", 200, b"0123456789"),
    "nonsense": ("bytes=a-b", 200, b"0123456789"),
    "no dash": ("bytes=5", 200, b"0123456789"),
}


@stock_fails(
    "what is no range is honoured or refused", "another unit", "backwards", "nonsense", "no dash"
)
@pytest.mark.parametrize(("header", "status", "body"), RANGES.values(), ids=RANGES)
def test_ranges_are_sent_and_malformed_ones_ignored(
    drive: Drive, header: str, status: int, body: bytes
) -> None:
    """RFC 9110 §14.1.2, §14.2: what isn't valid is ignored."""
    drive.fill({"f.bin": b"0123456789"})
    answer = drive.client(RCLONE)("GET", "/f.bin", range=header)
    assert (answer.status, answer.body) == (status, body)
    assert (answer.headers["Content-Range"] is not None) == (status == 206)


@stock_fails("206 with the range 5-4", "bytes=-0")
@pytest.mark.parametrize("header", ["bytes=10-", "bytes=10-20", "bytes=-0"])
def test_ranges_outside_of_the_file_are_416(drive: Drive, header: str) -> None:
    """RFC 9110 §15.5.17: with the length, so that a client can resume."""
    drive.fill({"f.bin": b"0123456789"})
    answer = drive.client(RCLONE)("GET", "/f.bin", range=header)
    assert answer.status == 416
    assert answer.header("Content-Range") == "bytes */10"


@stock_fails("only the last range is sent")
def test_several_ranges_are_all_sent(drive: Drive) -> None:
    """RFC 9110 §14.6: multipart/byteranges, or the whole."""
    drive.fill({"f.bin": b"0123456789" * 100})
    answer = drive.client(RCLONE)("GET", "/f.bin", range="bytes=0-1,505-506")
    if answer.status == 206:
        assert answer.header("Content-Type").startswith("multipart/byteranges; boundary=")
        assert b"bytes 0-1/1000" in answer.body
        assert b"bytes 505-506/1000" in answer.body
    else:
        assert (answer.status, answer.body) == (200, b"0123456789" * 100)


def test_ranges_under_an_etag_are_compared_strongly(drive: Drive) -> None:
    """RFC 9110 §13.1.5: strong comparison."""
    drive.fill({"f.bin": b"0123456789"})
    client = drive.client(FINDER)
    etag = client("HEAD", "/f.bin").header("ETag")
    for if_range, status in ((etag, 206), ('"other"', 200), (f"W/{etag}", 200)):
        assert client("GET", "/f.bin", range="bytes=0-1", if_range=if_range).status == status


@stock_fails("HEAD answers 206")
def test_ranges_are_for_get(drive: Drive) -> None:
    """RFC 9110 §14.2: HEAD tells of the whole."""
    drive.fill({"f.bin": b"0123456789"})
    head = drive.client(CYBERDUCK)("HEAD", "/f.bin", range="bytes=0-1")
    assert (head.status, head.header("Content-Length")) == (200, "10")
    assert head.header("Accept-Ranges") == "bytes"


# Properties


def patch(set_q: str = "", *, also: str = "") -> str:
    value = f'<q xmlns="urn:q">{set_q}</q>' if set_q else ""
    return (
        '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop>'
        f"{value}{also}</D:prop></D:set></D:propertyupdate>"
    )


def test_proppatch_is_all_or_nothing(drive: Drive) -> None:
    """RFC 4918 §9.2: 424 beside the one that failed, and nothing is set or removed."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(CADAVER)
    assert client("PROPPATCH", "/f.txt", patch(set_q="old")).status == 207
    body = (
        '<D:propertyupdate xmlns:D="DAV:" xmlns:q="urn:q"><D:set><D:prop><q:r>new</q:r></D:prop>'
        "</D:set><D:remove><D:prop><q:q/></D:prop></D:remove>"
        '<D:set><D:prop><D:getetag>"mine"</D:getetag></D:prop></D:set></D:propertyupdate>'
    )
    (entry,) = entries(client("PROPPATCH", "/f.txt", body)).values()
    statuses = {name: status for name, (status, _) in entry.properties.items()}
    assert statuses == {Q: 424, R: 424, f"{DAV}getetag": 403}
    now = look(client, "/f.txt", Q, R)
    assert now.text(Q) == "old"
    assert now.status_of(R) == 404


def test_proppatch_goes_in_the_order_of_the_document(drive: Drive) -> None:
    """RFC 4918 §9.2."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(CADAVER)
    set_q = '<D:set><D:prop><q xmlns="urn:q">{}</q></D:prop></D:set>'
    remove_q = '<D:remove><D:prop><q xmlns="urn:q"/></D:prop></D:remove>'
    cases = (
        (set_q.format(1) + remove_q, None),
        (remove_q + set_q.format(2), "2"),
        (set_q.format(3) + set_q.format(4), "4"),
    )
    for inside, value in cases:
        body = f'<D:propertyupdate xmlns:D="DAV:">{inside}</D:propertyupdate>'
        assert client("PROPPATCH", "/f.txt", body).status == 207
        found = look(client, "/f.txt", Q)
        assert (found.text(Q) if found.status_of(Q) == 200 else None) == value


def test_proppatch_removes_what_is_not_there(drive: Drive) -> None:
    """RFC 4918 §14.23: not an error."""
    drive.fill({"f.txt": b"x"})
    body = (
        '<D:propertyupdate xmlns:D="DAV:"><D:remove><D:prop><q xmlns="urn:q"/></D:prop></D:remove>'
        "</D:propertyupdate>"
    )
    (entry,) = entries(drive.client(CADAVER)("PROPPATCH", "/f.txt", body)).values()
    assert entry.status_of(Q) == 200


def test_dead_properties_keep_their_xml(drive: Drive) -> None:
    """RFC 4918 §4.3: elements, attributes, namespaces, mixed text and xml:lang."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(CADAVER)
    body = patch(
        also='<p:q xmlns:p="urn:q" xml:lang="de" a="1">a '
        '<b xmlns="urn:b" p:c="2">ü &lt;</b> z</p:q>'
    )
    assert client("PROPPATCH", "/f.txt", body).status == 207
    element = look(client, "/f.txt", Q).element(Q)
    assert element.text == "a "
    assert element.attrib == {"a": "1", "{http://www.w3.org/XML/1998/namespace}lang": "de"}
    (inner,) = element
    assert (inner.tag, inner.text, inner.tail) == ("{urn:b}b", "ü <", " z")
    assert inner.attrib == {"{urn:q}c": "2"}


@pytest.mark.bridge_only("it keeps them in memory unless told otherwise")
def test_dead_properties_survive_a_restart(drive: Drive) -> None:
    """RFC 4918 §4.2."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(CADAVER)
    client("PROPPATCH", "/f.txt", patch(set_q="kept"))
    drive.restart()
    assert look(drive.client(CADAVER), "/f.txt", Q).text(Q) == "kept"


def test_dead_properties_do_not_outlive_their_file(drive: Drive) -> None:
    """A new file of that name is another one."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(CADAVER)
    client("PROPPATCH", "/f.txt", patch(set_q="old"))
    assert client("DELETE", "/f.txt").status == 204
    assert client("PUT", "/f.txt", b"y").status == 201
    assert look(client, "/f.txt", Q).status_of(Q) == 404


@stock_fails("propname is not supported")
def test_propfind_returns_the_names(drive: Drive) -> None:
    """RFC 4918 §9.1.4: names without values, the dead ones too."""
    drive.fill({"f.txt": b"x"})
    client = drive.client(CADAVER)
    client("PROPPATCH", "/f.txt", patch(set_q="value"))
    body = '<propfind xmlns="DAV:"><propname/></propfind>'
    (entry,) = entries(client("PROPFIND", "/f.txt", body, depth="0")).values()
    assert {Q, f"{DAV}getetag", f"{DAV}getcontentlength"} <= set(entry.properties)
    for _, element in entry.properties.values():
        assert element.text is None
        assert not len(element)


def test_propfind_includes_what_allprop_leaves_out(drive: Drive) -> None:
    """RFC 4918 §9.1: allprop with include."""
    drive.fill({"f.txt": b"x"})
    body = (
        '<D:propfind xmlns:D="DAV:"><D:allprop/><D:include><D:supportedlock/>'
        '<q xmlns="urn:q"/></D:include></D:propfind>'
    )
    (entry,) = entries(drive.client(CADAVER)("PROPFIND", "/f.txt", body, depth="0")).values()
    assert entry.status_of(f"{DAV}supportedlock") == 200
    assert entry.status_of(f"{DAV}getetag") == 200
    assert entry.properties.get(Q, (404,))[0] == 404


@pytest.mark.parametrize(
    "body",
    [
        "<propfind",
        pytest.param('<propfind xmlns="DAV:"/>', marks=stock_fails("207 without a property")),
        "<propfind><prop><getetag/></prop></propfind>",
        pytest.param(
            '<!DOCTYPE a [<!ENTITY b "c">]>'
            '<propfind xmlns="DAV:"><prop><x>&b;</x></prop></propfind>',
            marks=stock_fails("where lxml is installed, entities are taken"),
        ),
    ],
)
def test_propfind_that_is_malformed_is_400(drive: Drive, body: str) -> None:
    """RFC 4918 §8.2; §20.6: entities are not for strangers."""
    assert drive.client(CURL)("PROPFIND", "/", body, depth="0").status == 400


@stock_fails("members are copied along")
def test_copy_with_depth_0_copies_the_folder_alone(drive: Drive) -> None:
    """RFC 4918 §9.8.3."""
    drive.fill({"d/f.txt": b"f"})
    client: Client = drive.client(CADAVER)
    assert client("COPY", "/d/", destination="/e/", depth="0").status == 201
    assert set(entries(client("PROPFIND", "/e/", depth="1"))) == {"/e"}
    assert drive.stored() == {"d/f.txt": b"f"}


@stock_fails("500, or 207 after half of the work")
@pytest.mark.parametrize("verb", ["COPY", "MOVE"])
def test_copy_and_move_into_or_onto_themselves_are_403(drive: Drive, verb: str) -> None:
    """RFC 4918 §9.8.5, §9.9.4; and an ancestor is never emptied by its own member."""
    drive.fill({"d/e/f.txt": b"f"})
    client = drive.client(CADAVER)
    for source, target in (("/d/", "/d/"), ("/d/e/f.txt", "/d/e/f.txt"), ("/d/", "/d/e/d/")):
        assert client(verb, source, destination=target).status in (403, 409)
    assert client(verb, "/d/e/", destination="/d/").status in (403, 409)
    assert drive.stored() == {"d/e/f.txt": b"f"}


def test_copy_onto_a_folder_replaces_it(drive: Drive) -> None:
    """RFC 4918 §9.8.4: the same as DELETE first; members don't mix."""
    drive.fill({"a/f.txt": b"f", "b/g.txt": b"g", "c.txt": b"c"})
    client = drive.client(CADAVER)
    assert client("COPY", "/a/", destination="/b/").status == 204
    assert drive.stored() == {"a/f.txt": b"f", "b/f.txt": b"f", "c.txt": b"c"}
    assert client("COPY", "/c.txt", destination="/b").status == 204
    assert drive.stored() == {"a/f.txt": b"f", "b": b"c", "c.txt": b"c"}
