"""XML from clients: what is not taken, and names that must not become markup."""

import time

import pytest

from davbridge.dav.errors import RefusalError
from davbridge.dav.xml import parse_document, split_name
from tests.support.memory import peak_of

ROOT = b'<D:propfind xmlns:D="DAV:"/>'


@pytest.mark.parametrize(
    "before",
    [
        b"<!DOCTYPE x>",
        b'<!DOCTYPE x [<!ENTITY e "e">]>',
        b'<!DOCTYPE x [<!ATTLIST x a CDATA "1">]>',
    ],
)
def test_a_document_with_a_dtd_is_refused(before: bytes) -> None:
    with pytest.raises(RefusalError) as refusal:
        parse_document(before + ROOT, "propfind")
    assert refusal.value.status == 400


def test_a_namespace_may_hold_what_ends_it_in_clark_names() -> None:
    assert split_name("{a}b/><c}d") == ("a}b/><c", "d")


def propfind(content: str, *, encoding: str = "utf-8") -> bytes:
    declaration = f'<?xml version="1.0" encoding="{encoding}"?>'
    text = f'{declaration}<D:propfind xmlns:D="DAV:"><D:prop {content}</D:prop></D:propfind>'
    return text.encode("utf-16" if encoding.lower() == "utf-16" else "ascii")


def many(count: int, form: str) -> str:
    return "".join(form % number for number in range(count))


HUGE = "n" * 500_000

TOO_MUCH = {
    "a long namespace in many names": f'xmlns:n="{HUGE}">' + many(40_000, "<n:%d/>"),
    "a long namespace in many attributes": f'xmlns:n="{HUGE}" ' + many(40_000, 'n:a%d="" ') + ">",
    "a long default namespace": f'xmlns="{HUGE}">' + many(60_000, "<a%d/>"),
    "many elements": ">" + many(80_000, "<a%d/>"),
    "many attributes": many(80_000, 'a%d="" ') + ">",
    "many namespaces": many(40_000, 'xmlns:a%d="b" ') + ">",
    "a long name": f"><{HUGE}/>",
    "a long attribute": f'{HUGE}="">',
    "deep nesting": ">" + "<a>" * 140_000 + "</a>" * 140_000,
    "deep nesting that never ends": ">" + "<a>" * 300_000,
}


@pytest.mark.parametrize("content", TOO_MUCH.values(), ids=TOO_MUCH)
def test_a_megabyte_that_would_grow_is_refused_before_it_does(content: str) -> None:
    body = propfind(content)

    def parse() -> None:
        with pytest.raises(RefusalError) as refusal:
            parse_document(body, "propfind")
        assert refusal.value.status == 400

    started = time.process_time()
    assert peak_of(parse) < 32 * len(body)
    assert time.process_time() - started < 3


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "UTF-16", "us-ascii", "ISO-8859-1"])
def test_the_encodings_of_xml_are_read(encoding: str) -> None:
    document = parse_document(propfind("><a>x</a>", encoding=encoding), "propfind")
    assert document.findtext(".//a") == "x"


@pytest.mark.parametrize(
    "encoding", ["utf-7", "utf-32", "unicode_escape", "cp037", "idna", "koi8-r"]
)
def test_other_encodings_are_refused(encoding: str) -> None:
    with pytest.raises(RefusalError) as refusal:
        parse_document(propfind(">", encoding=encoding), "propfind")
    assert refusal.value.status == 400
