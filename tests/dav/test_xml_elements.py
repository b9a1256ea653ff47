"""XML from clients: what is not taken, and names that must not become markup."""

from typing import Any
from xml.parsers import expat

import pytest

from davbridge.dav import xml_elements
from davbridge.dav.errors import RefusalError
from davbridge.dav.xml_elements import parse_document, split_name
from tests.support.memory import peak_of
from tests.support.steps import steps_of

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


STEPS_OF_ELEMENT = 20
"""That looking at an element takes, at the most."""


@pytest.mark.parametrize("content", TOO_MUCH.values(), ids=TOO_MUCH)
def test_a_megabyte_that_would_grow_is_refused_before_a_tree_is_built(
    content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = propfind(content)
    monkeypatch.setattr(xml_elements, "fromstring", pytest.fail)

    def parse() -> None:
        with pytest.raises(RefusalError) as refusal:
            parse_document(body, "propfind")
        assert refusal.value.status == 400

    assert peak_of(parse) < 32 * len(body)
    assert steps_of(parse) < STEPS_OF_ELEMENT * xml_elements._MAX_ELEMENTS


@pytest.mark.parametrize("content", [each for each in TOO_MUCH if "long" in each or "tag" in each])
def test_of_a_tag_that_is_too_long_no_more_is_read_than_shows_it(
    content: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """expat begins with a tag anew whenever more of it comes, until all of it is there."""
    given: list[int] = []
    create = expat.ParserCreate

    class Counted:
        """An expat parser, and the bytes that it was given."""

        _parser: Any

        def __init__(self) -> None:
            object.__setattr__(self, "_parser", create())

        def __getattr__(self, name: str) -> object:
            return getattr(self._parser, name)

        def __setattr__(self, name: str, value: object) -> None:
            setattr(self._parser, name, value)

        def Parse(self, data: bytes, is_final: bool) -> None:  # noqa: N802
            given.append(len(data))
            self._parser.Parse(data, is_final)

    monkeypatch.setattr(expat, "ParserCreate", Counted)
    with pytest.raises(RefusalError):
        parse_document(propfind(TOO_MUCH[content]), "propfind")
    assert sum(given) <= xml_elements._MAX_TAG + 2 * xml_elements._SLICE


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "UTF-16", "us-ascii", "ISO-8859-1"])
def test_the_encodings_of_xml_are_read(encoding: str) -> None:
    document = parse_document(propfind("><a>x</a>", encoding=encoding), "propfind")
    assert document.findtext(".//a") == "x"


@pytest.mark.parametrize(
    "encoding", ["utf-7", "utf-32", "unicode_escape", "cp037", "idna", "hz-gb-2312", "../../x"]
)
def test_other_encodings_are_refused(encoding: str) -> None:
    with pytest.raises(RefusalError) as refusal:
        parse_document(propfind(">", encoding=encoding), "propfind")
    assert refusal.value.status == 400
