"""URLs ↔ paths: split before decoded, and nothing leads astray."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from davbridge import paths
from davbridge.dav.errors import RefusalError
from davbridge.dav.headers.urls import Site, names_collection, parse_request_target

SITE = Site()

segments = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1)
resource_paths = st.lists(segments.filter(lambda s: s not in (".", "..")), max_size=5).map(tuple)


@given(resource_paths, st.booleans())
def test_an_href_is_ascii_and_parses_back(path: paths.ResourcePath, is_collection: bool) -> None:
    text = SITE.href(path, is_collection=is_collection)
    assert text.isascii()
    assert "<" not in text
    assert "&" not in text
    assert parse_request_target(text) == path
    assert SITE.parse_destination(text, host="h") == path
    assert SITE.parse_tag(f"https://elsewhere:8443{text}") == path


def test_collections_end_in_one_slash_and_the_root_is_one() -> None:
    assert SITE.href(("a", "b"), is_collection=True) == "/a/b/"
    assert SITE.href(("a", "b"), is_collection=False) == "/a/b"
    assert SITE.href((), is_collection=True) == "/"


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/", ()),
        ("*", ()),
        ("/a//b/", ("a", "b")),
        ("//a", ("a",)),
        ("/a?b=/c", ("a",)),
        ("/q%3Fx%3By%23%25.txt", ("q?x;y#%.txt",)),
        ("/x;y", ("x;y",)),
        ("/a+b", ("a+b",)),
        ("/%E2%82%AC", ("€",)),
        ("/\xe2\x82\xac", ("€",)),
        ("http://h/a/b", ("a", "b")),
        ("http://h", ()),
        ("http://h?a/b", ()),
        ("HTTP://h/a?b", ("a",)),
        ("/100%", ("100%",)),
    ],
)
def test_a_request_target_is_split_before_it_is_decoded(
    target: str, path: paths.ResourcePath
) -> None:
    assert parse_request_target(target) == path


@pytest.mark.parametrize(
    "target",
    ["/a%2Fb", "/%2e%2e/x", "/a/%2E%2e/b", "/a/.%2e/b", "/%2e/a", "/%00", "/%ff", "ftp://h/a", "a"],
)
def test_a_target_that_names_nothing_unambiguous_is_refused(target: str) -> None:
    with pytest.raises(RefusalError) as refusal:
        parse_request_target(target)
    assert refusal.value.status == 400


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("/./a", ("a",)),
        ("/a/./b", ("a", "b")),
        ("/a/.", ("a",)),
        ("/a/b/../c", ("a", "c")),
        ("/a/..", ()),
        ("/.", ()),
        ("/a/b/c/./../../g", ("a", "g")),
        ("/a//../b", ("a", "b")),
        ("//..", ()),
        ("/a/...", ("a", "...")),
        ("/a/..b/.c./d.", ("a", "..b", ".c.", "d.")),
        ("/a%2e/./b", ("a.", "b")),
        ("/%C3%A4/./%C3%B6/../b", ("ä", "b")),
    ],
)
def test_dot_segments_are_removed(raw: str, path: paths.ResourcePath) -> None:
    """RFC 3986 §5.2.4. apt asks for them in each repository made by `dpkg-scanpackages .`."""
    assert parse_request_target(raw) == parse_request_target(f"http://h{raw}?/../x") == path
    assert SITE.parse_destination(raw, host="h") == path
    assert SITE.parse_tag(f"http://h{raw}") == path
    assert Site.of("/dav", []).parse_destination(f"http://h/dav{raw}", host="h") == path


LEADING_OUT = ["/..", "/../a", "/a/../../b", "/./..", "/a//../../..", "/../dav/a", "/a/../../dav/a"]


@pytest.mark.parametrize(
    ("mount", "raw"),
    [("/", raw) for raw in LEADING_OUT]
    + [("/dav", f"/dav{raw}") for raw in LEADING_OUT]
    + [("/dav", "/x/../dav/a")],
)
def test_dot_segments_never_lead_out_of_the_drive(mount: str, raw: str) -> None:
    """RFC 3986 §5.2.4 would stop at the root of the server."""
    site = Site.of(mount, [])
    with pytest.raises(RefusalError) as target:
        parse_request_target(raw, site.mount)
    with pytest.raises(RefusalError) as destination:
        site.parse_destination(raw, host="h")
    assert (target.value.status, destination.value.status) == (400, 400)
    assert site.parse_tag(raw) is None


def test_a_target_that_ends_in_a_dot_segment_ends_in_a_slash() -> None:
    """RFC 3986 §5.2.4."""
    assert all(map(names_collection, ("/", "/a/", "/a/.", "/a/..", "/a/.?b")))
    assert not any(map(names_collection, ("/a", "/a.", "/a..", "/a?/", "/a/...")))


def test_a_path_that_no_key_can_be_as_long_as_is_refused_before_it_is_decoded() -> None:
    longest = "/" + "%C3%A4" * (paths.MAX_KEY_BYTES // 2)
    assert len(parse_request_target(longest)[0].encode()) == paths.MAX_KEY_BYTES
    for text in ("a" * 5000, "/a" * 2500, "%CC%81%CC%96" * 500):
        with pytest.raises(RefusalError) as refusal:
            parse_request_target(f"/{text}")
        assert refusal.value.status == 414


@pytest.mark.parametrize("host", ["h", "H", "h:80", "h:8080"])
@pytest.mark.parametrize(
    "value",
    ["http://h/a", "http://h:80/a", "https://h:8443/a", "https://H/a", "/a", "https://u:p@h/a"],
)
def test_a_destination_on_this_host_is_taken_whatever_the_scheme_and_the_port(
    value: str, host: str
) -> None:
    """RFC 4918 §9.8.5. nginx's common `proxy_set_header Host $host` leaves out the port."""
    assert SITE.parse_destination(f" {value} ", host=host) == ("a",)


def test_a_destination_on_an_ipv6_address_is_taken_whatever_the_port() -> None:
    assert SITE.parse_destination("http://[::1]:8080/a", host="[::1]") == ("a",)
    with pytest.raises(RefusalError) as refusal:
        SITE.parse_destination("http://[::2]/a", host="[::1]")
    assert refusal.value.status == 502


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("http://other/a", 502),
        ("http://h.other/a", 502),
        ("http://other:h@x/a", 502),
        ("http://h@other/a", 502),
        ("http:///a", 502),
        ("http://h/a?b", 400),
        ("http://h/a#b", 400),
        ("http://h?/a", 400),
        ("http://h#/a", 400),
        ("mailto:a", 400),
        ("http://h:x/a", 400),
        ("http://other\\@h/a", 400),
    ],
)
def test_a_destination_elsewhere_or_malformed_is_refused(value: str, status: int) -> None:
    with pytest.raises(RefusalError) as refusal:
        SITE.parse_destination(value, host="h")
    assert refusal.value.status == status


def test_a_destination_without_a_host_is_not_taken_for_this_server_s() -> None:
    """HTTP/1.0 needs no Host header."""
    for value in ("http:///a", "http://h/a"):
        with pytest.raises(RefusalError) as refusal:
            SITE.parse_destination(value, host="")
        assert refusal.value.status == 502


def test_a_mounted_site_is_entered_and_left_by_its_path_alone() -> None:
    site = Site.of("/dav/x", ["https://drive.example.com", "http://inner:8080/"])
    assert site.href(("a",), is_collection=True) == "/dav/x/a/"
    assert site.href((), is_collection=True) == "/dav/x/"
    assert site.resolve(("dav", "x")) == ()
    assert site.resolve(("dav", "xy")) is None
    assert site.parse_tag("/dav/x/a") == ("a",)
    assert site.parse_tag("/a") is None
    assert site.parse_tag("/dav/x/a?b") is None
    for authority in ("drive.example.com", "DRIVE.example.com:8443", "inner:8080", "inner", "h"):
        assert site.parse_destination(f"https://{authority}/dav/x/a", host="h") == ("a",)
    for value in ("http://h/a", "http://inner.other/dav/x/a"):
        with pytest.raises(RefusalError) as refusal:
            site.parse_destination(value, host="h")
        assert refusal.value.status == 502
