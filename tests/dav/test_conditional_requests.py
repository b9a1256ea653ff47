"""RFC 9110 §13 and RFC 4918 §10.4, evaluated."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from davbridge.dav.conditional_requests import check_http, check_if, range_applies
from davbridge.dav.errors import RefusalError
from davbridge.dav.headers.urls import Site
from davbridge.dav.headers.validators import entity_tag, http_date
from davbridge.dav.request import DavRequest
from davbridge.paths import ResourcePath
from davbridge.store.base import ObjectRow
from davbridge.tree.properties.client_metadata import ClientMetadata
from davbridge.tree.resource import Resource

MODIFIED = datetime(2026, 11, 22, 16, 0, 0, 500_000, tzinfo=UTC)
SAME = "Sun, 22 Nov 2026 16:00:00 GMT"
EARLIER = "Sun, 22 Nov 2026 15:59:59 GMT"
FILE = Resource(("f",), ObjectRow("f", 3, MODIFIED, "e1"))
FOLDER = Resource(("d",), None)


def request(method: str = "GET", target: str = "/f", **headers: str) -> DavRequest:
    environ = {f"HTTP_{name}": value for name, value in headers.items()}
    return DavRequest({"REQUEST_METHOD": method, "REQUEST_URI": target, **environ}, Site())


def test_dates_and_tags_are_written_as_http_has_them() -> None:
    assert http_date(MODIFIED) == SAME
    assert entity_tag(FILE) == '"e1"'
    assert entity_tag(FOLDER) == ""


@pytest.mark.parametrize(
    ("headers", "not_modified"),
    [
        ({}, False),
        ({"IF_NONE_MATCH": '"e1"'}, True),
        ({"IF_NONE_MATCH": 'W/"e1"'}, True),
        ({"IF_NONE_MATCH": '"a", "e1"'}, True),
        ({"IF_NONE_MATCH": "*"}, True),
        ({"IF_NONE_MATCH": '"other"'}, False),
        ({"IF_NONE_MATCH": '"other"', "IF_MODIFIED_SINCE": SAME}, False),
        ({"IF_NONE_MATCH": '"e1"', "IF_MODIFIED_SINCE": EARLIER}, True),
        ({"IF_MODIFIED_SINCE": SAME}, True),
        ({"IF_MODIFIED_SINCE": EARLIER}, False),
        ({"IF_MODIFIED_SINCE": "no date"}, False),
        ({"IF_MODIFIED_SINCE": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}, False),
        ({"IF_MATCH": '"e1"'}, False),
        ({"IF_MATCH": '"x" , "e1"'}, False),
        ({"IF_MATCH": "*"}, False),
        ({"IF_MATCH": '"e1"', "IF_UNMODIFIED_SINCE": EARLIER}, False),
        ({"IF_UNMODIFIED_SINCE": SAME}, False),
    ],
)
def test_a_get_under_conditions_is_answered_200_or_304(
    headers: dict[str, str], not_modified: bool
) -> None:
    assert check_http(request(**headers), FILE) is not_modified


@pytest.mark.parametrize(
    ("method", "headers", "resource"),
    [
        ("GET", {"IF_MATCH": '"x"'}, FILE),
        ("GET", {"IF_MATCH": 'W/"e1"'}, FILE),
        ("GET", {"IF_UNMODIFIED_SINCE": EARLIER}, FILE),
        ("PUT", {"IF_NONE_MATCH": "*"}, FILE),
        ("PUT", {"IF_NONE_MATCH": '"e1"'}, FILE),
        ("PUT", {"IF_MATCH": "*"}, None),
        ("PUT", {"IF_MATCH": '"e1"'}, None),
        ("DELETE", {"IF_MATCH": '"e1"'}, FOLDER),
        ("PUT", {"IF_UNMODIFIED_SINCE": SAME}, None),
    ],
)
def test_a_condition_that_does_not_hold_is_a_412(
    method: str, headers: dict[str, str], resource: Resource | None
) -> None:
    with pytest.raises(RefusalError) as refusal:
        check_http(request(method, **headers), resource)
    assert refusal.value.status == 412


def dated(modified: datetime, stored: datetime) -> Resource:
    """A file with a time that a client has sent."""
    return Resource(("f",), ObjectRow("f", 3, stored, "e1"), ClientMetadata("e1", modified))


def second(number: int) -> datetime:
    return datetime(2026, 11, 22, 16, 0, number, tzinfo=UTC)


@pytest.mark.parametrize(
    ("shown", "stored", "date", "holds"),
    [
        # The very time, wherever it lies.
        (10, 20, 10, True),
        (20, 10, 20, True),
        (59, 10, 59, True),
        # Another time: the file was written later, or maybe later, than the client knows.
        (10, 20, 9, False),
        (10, 20, 15, False),
        (10, 20, 20, False),
        (20, 10, 15, False),
        # The file has been what it is since before that time.
        (10, 20, 21, True),
        (20, 10, 21, True),
        (20, 20, 30, True),
        # A time in the future can only have been set by a client, on another version.
        (10, 20, 31, False),
        (20, 20, 31, False),
    ],
)
def test_a_write_that_depends_on_a_time_needs_the_very_version_or_no_write_since(
    shown: int, stored: int, date: int, holds: bool
) -> None:
    """RFC 9110 §13.1.4, where a file's time may go back."""
    wanted = request("PUT", IF_UNMODIFIED_SINCE=http_date(second(date)))
    try:
        check_http(wanted, dated(second(shown), second(stored)), lambda: second(30))
    except RefusalError:
        assert not holds
    else:
        assert holds


@pytest.mark.parametrize("date", [9, 10, 11, 20, 31])
def test_a_read_is_held_back_by_the_very_time_alone(date: int) -> None:
    """As with nginx' `if_modified_since exact` (RFC 9110 §13.1.3 allows a 200 at any time)."""
    wanted = request("GET", IF_MODIFIED_SINCE=http_date(second(date)))
    assert check_http(wanted, dated(second(10), second(20))) is (date == 10)


def test_if_modified_since_is_for_reading_only() -> None:
    assert check_http(request("PUT", IF_MODIFIED_SINCE=SAME), FILE) is False


@pytest.mark.parametrize(
    ("value", "applies"),
    [(None, True), ('"e1"', True), ('W/"e1"', False), (SAME, True), (EARLIER, False), ("x", False)],
)
def test_if_range_needs_the_very_version(value: str | None, applies: bool) -> None:
    headers = {"IF_RANGE": value} if value else {}
    assert range_applies(request(**headers), FILE) is applies


def holds(value: str) -> bool:
    there: Mapping[ResourcePath, Resource] = {("f",): FILE, ("d",): FOLDER}

    def find(path: ResourcePath) -> Resource | None:
        return there.get(path)

    def tokens_covering(path: ResourcePath) -> set[str]:
        return {"urn:t"} if path == ("f",) else set()

    try:
        check_if(request("PUT", IF=value), find, tokens_covering)
    except RefusalError as refusal:
        return refusal.status != 412
    return True


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("(<urn:t>)", True),
        ("(<urn:other>)", False),
        ("(Not <urn:other>)", True),
        ("(<DAV:no-lock>)", False),
        ('(<urn:t> ["e1"])', True),
        ('(<urn:t> ["x"])', False),
        ('([W/"e1"])', False),
        ("(<urn:other>) (<urn:t>)", True),
        ("</f> (<urn:t>)", True),
        ("<https://public.example/f> (<urn:t>)", True),
        ("</d/> (<urn:t>)", False),
        ("</d> (Not <urn:t>)", True),
        ('</missing> (["e1"])', False),
        ('</missing> (Not ["e1"])', True),
        ("<mailto:x> (<urn:t>)", False),
        ("<mailto:x> (Not <urn:t>)", True),
    ],
)
def test_the_if_header_holds_where_one_of_its_lists_does(value: str, expected: bool) -> None:
    assert holds(value) is expected


def test_the_locks_of_a_resource_are_looked_at_once_however_many_tokens_are_submitted() -> None:
    """RFC 4918 §10.4: their number isn't limited, so none may cost a look-up."""
    looked_at: list[ResourcePath] = []

    def tokens_covering(path: ResourcePath) -> set[str]:
        looked_at.append(path)
        return set()

    value = "</f>" + "".join(f"(<urn:{number}>)" for number in range(1_000))
    with pytest.raises(RefusalError):
        check_if(request("MOVE", IF=value), lambda _: None, tokens_covering)
    assert looked_at == [("f",)]
