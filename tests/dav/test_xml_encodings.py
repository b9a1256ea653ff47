"""The encodings of XML bodies (XML 1.0 §4.3.3)."""

import codecs
from collections import Counter

import pytest

from davbridge.dav import xml_encodings
from davbridge.dav.errors import RefusalError
from davbridge.dav.xml_elements import parse_document
from davbridge.dav.xml_encodings import as_utf8, in_charset
from tests.support.memory import peak_of


def labelled(label: str, text: str) -> str:
    return (
        f'<?xml version="1.0" encoding="{label}"?>'
        f'<D:propfind xmlns:D="DAV:"><D:prop><a>{text}</a></D:prop></D:propfind>'
    )


def read(body: bytes) -> str | None:
    return parse_document(body, "propfind").findtext(".//a")


@pytest.mark.parametrize(
    ("label", "codec", "text"),
    [
        ("utf8", "utf-8", "ä€漢😀"),
        ("UTF-8", "utf-8", "ä€漢😀"),
        ("UTF-16LE", "utf-16-le", "ä€漢😀"),
        ("UTF-16BE", "utf-16-be", "ä€漢😀"),
        ("UTF-16LE", "utf-16", "ä€漢😀"),
        ("utf-16", "utf-16", "ä€漢😀"),
        ("latin1", "latin-1", "äöüß"),
        ("ISO-8859-1", "cp1252", "ä€"),
        ("Windows-1252", "cp1252", "ä€"),
        ("us-ascii", "ascii", "a"),
        ("koi8-r", "koi8-r", "Привет"),
        ("Shift_JIS", "cp932", "日本語①"),
        ("gb2312", "gb18030", "漢字😀"),
        ("big5", "big5hkscs", "漢字"),
        ("EUC-KR", "cp949", "한국어"),
        ("ISO-2022-JP", "iso2022_jp", "日本語"),
    ],
)
def test_a_body_is_read_in_the_encoding_of_its_label(label: str, codec: str, text: str) -> None:
    """The labels are those of the WHATWG's Encoding Standard §4.2, in any case."""
    assert read(labelled(label, text).encode(codec)) == text


@pytest.mark.parametrize("label", ["utf-16", "UTF-16LE", "unicode"])
def test_utf_8_that_says_it_is_utf_16_is_read(label: str) -> None:
    """As programs on .NET write it. A label that can be read as ASCII can't be right."""
    assert read(labelled(label, "ä€").encode()) == "ä€"


@pytest.mark.parametrize("mark", [codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
@pytest.mark.parametrize("label", ["utf-8", "latin1", "UTF-16BE"])
def test_a_byte_order_mark_counts_more_than_the_label(mark: bytes, label: str) -> None:
    """RFC 7303 §3.2."""
    codec = dict(xml_encodings._MARKS)[mark]
    assert read(mark + labelled(label, "ä€").encode(codec)) == "ä€"


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-16", "utf-8-sig"])
def test_utf_16_needs_no_label(codec: str) -> None:
    text = labelled("", "ä€").partition("?>")[2]
    assert read(text.encode(codec)) == "ä€"


@pytest.mark.parametrize(
    ("label", "body"),
    [
        ("utf-8", b"\xe4"),
        ("utf8", b"\xc0\xbc"),
        ("utf8", b"\xed\xa0\x80"),
        ("Shift_JIS", b"\x81"),
        ("iso-2022-jp", b"\x1b$B"),
        ("windows-1252", b"\x81"),
    ],
)
def test_bytes_that_are_not_in_the_encoding_are_refused(label: str, body: bytes) -> None:
    with pytest.raises(RefusalError) as refusal:
        read(labelled(label, "?").encode().replace(b"?</a>", body + b"</a>"))
    assert refusal.value.status == 400


UNLABELLED = '<D:propfind xmlns:D="DAV:"><D:prop><a>ä</a></D:prop></D:propfind>'


@pytest.mark.parametrize(
    "content_type",
    [
        "text/xml; charset=ISO-8859-1",
        'application/xml;charset="latin1"',
        "text/xml; a=b; CHARSET = l1",
    ],
)
def test_a_body_without_a_label_is_read_in_the_charset_of_its_type(content_type: str) -> None:
    """RFC 7303 §3.2."""
    assert read(in_charset(UNLABELLED.encode("latin-1"), content_type)) == "ä"


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        (UNLABELLED.encode(), "ISO-8859-1"),
        (UNLABELLED.encode(), "us-ascii"),
        (UNLABELLED.encode("utf-16"), "utf-8"),
        (UNLABELLED.encode("utf-16-be"), "latin1"),
        (UNLABELLED.encode("utf-8-sig"), "latin1"),
        (labelled("latin1", "ä").encode("latin-1"), "utf-8"),
        (labelled("latin1", "ä").encode("latin-1"), "koi8-r"),
        (UNLABELLED.encode(), "no-charset"),
        (UNLABELLED.encode(), '"'),
    ],
)
def test_a_charset_that_the_body_contradicts_is_ignored(body: bytes, charset: str) -> None:
    assert read(in_charset(body, f"text/xml; charset={charset}")) == "ä"


def test_a_body_that_is_not_in_its_charset_is_refused() -> None:
    with pytest.raises(RefusalError) as refusal:
        in_charset(UNLABELLED.encode("latin-1"), "text/xml; charset=utf-8")
    assert refusal.value.status == 400


def test_each_label_is_of_one_encoding_that_python_reads() -> None:
    labels = " ".join(xml_encodings._LABELS.values()).split()
    assert [label for label, count in Counter(labels).items() if count > 1] == []
    assert labels == [label.lower() for label in labels]
    for codec in xml_encodings._LABELS:
        assert "<?xml".encode(codec).decode(codec) == "<?xml"


@pytest.mark.parametrize("codec", xml_encodings._LABELS)
def test_a_body_grows_to_three_times_its_bytes_at_the_most(codec: str) -> None:
    label = xml_encodings._LABELS[codec].split()[0]
    head = labelled(label, "").partition("</a>")[0].encode(codec)
    letters = (char.encode(codec, "ignore") for char in "éЖאبกα€漢日한😀")
    body = head + b"".join(letters) * 20_000
    assert len(as_utf8(body)) <= 3 * len(body)
    assert peak_of(lambda: as_utf8(body)) <= 12 * len(body)
