"""The encodings of XML bodies (XML 1.0 §4.3.3, RFC 7303 §3): from bytes to UTF-8.

Labels are those of the WHATWG's Encoding Standard (§4.2), which browsers and most libraries follow:
``latin1`` is windows-1252, for example. All encodings have a decoder that is written in C and takes
time in proportion to the body. Other codecs of Python's can't be named.

Invariant: what is returned is UTF-8 and says nothing else of itself. It has at most three times as
many bytes as the body.
"""

import codecs
import re

from davbridge.dav.errors import RefusalError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_LABELS = {
    "utf-8": "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8",
    "cp866": "866 cp866 csibm866 ibm866",
    "iso8859-2": "csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 "
    "l2 latin2",
    "iso8859-3": "csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 "
    "l3 latin3",
    "iso8859-4": "csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 "
    "l4 latin4",
    "iso8859-5": "csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 iso_8859-5 "
    "iso_8859-5:1988",
    "iso8859-6": "arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6 "
    "iso-8859-6-e iso-8859-6-i iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987",
    "iso8859-7": "csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 "
    "iso88597 iso_8859-7 iso_8859-7:1987 sun_eu_greek",
    "iso8859-8": "csiso88598e csiso88598i csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e "
    "iso-8859-8-i iso-ir-138 iso8859-8 iso88598 iso_8859-8 iso_8859-8:1988 logical visual",
    "iso8859-10": "csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6",
    "iso8859-13": "iso-8859-13 iso8859-13 iso885913",
    "iso8859-14": "iso-8859-14 iso8859-14 iso885914",
    "iso8859-15": "csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9",
    "iso8859-16": "iso-8859-16",
    "koi8-r": "cskoi8r koi koi8 koi8-r koi8_r",
    "koi8-u": "koi8-ru koi8-u",
    "mac-roman": "csmacintosh mac macintosh x-mac-roman",
    "cp874": "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874",
    "cp1250": "cp1250 windows-1250 x-cp1250",
    "cp1251": "cp1251 windows-1251 x-cp1251",
    "cp1252": "ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 "
    "iso8859-1 iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252",
    "cp1253": "cp1253 windows-1253 x-cp1253",
    "cp1254": "cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 "
    "iso_8859-9:1989 l5 latin5 windows-1254 x-cp1254",
    "cp1255": "cp1255 windows-1255 x-cp1255",
    "cp1256": "cp1256 windows-1256 x-cp1256",
    "cp1257": "cp1257 windows-1257 x-cp1257",
    "cp1258": "cp1258 windows-1258 x-cp1258",
    "mac-cyrillic": "x-mac-cyrillic x-mac-ukrainian",
    "gb18030": "chinese csgb2312 csiso58gb231280 gb18030 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 "
    "x-gbk",
    "big5hkscs": "big5 big5-hkscs cn-big5 csbig5 x-x-big5",
    "euc_jp": "cseucpkdfmtjapanese euc-jp x-euc-jp",
    "iso2022_jp": "csiso2022jp iso-2022-jp",
    "cp932": "csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis",
    "cp949": "cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 "
    "ksc_5601 windows-949",
    "utf-16-be": "unicodefffe utf-16be",
    "utf-16-le": "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le",
}
"""Labels by Python's codec for them. Two of the standard's encodings are missing: ``replacement``,
whose labels it forbids to decode, and ``x-user-defined``, which Python doesn't have."""

_CODECS = {label: codec for codec, labels in _LABELS.items() for label in labels.split()}

_DECLARATION = re.compile(
    rb"""\A(<\?xml[^<>]{1,200}?\sencoding\s{0,20}=\s{0,20}["'])([^"'<>]{1,100})(?=["'])"""
)


_CHARSET = re.compile(r""";\s{0,20}charset\s{0,20}=\s{0,20}"?([^\s";]{1,100})""", re.IGNORECASE)


def as_utf8(body: bytes) -> bytes:
    """The document in UTF-8. A byte order mark counts more than the label, as in RFC 7303 §3.2.

    Raises RefusalError 400 for a label that isn't the standard's, and UnicodeError where the body
    isn't in its encoding.
    """
    body, codec = _without_mark(body)
    declared = _DECLARATION.match(body) if codec is None else None
    if declared is not None:
        codec = _codec_of(declared[2].decode("latin-1"))
    if codec is not None and codec != "utf-8":
        body = body.decode(codec).encode()
    return _DECLARATION.sub(rb"\1utf-8", body)


def in_charset(body: bytes, content_type: str) -> bytes:
    """The body in UTF-8, if nothing but the charset of its Content-Type tells its encoding.

    RFC 7303 §3.2 lets the charset count more than the label in the document. Programs send a wrong
    one more often, so it counts only for a body without a label that isn't UTF-8.
    """
    match = _CHARSET.search(content_type)
    codec = _CODECS.get(match[1].lower()) if match else None
    is_told = _without_mark(body)[1] is not None or _DECLARATION.match(body) is not None
    if codec is None or is_told or _is_utf8(body):
        return body
    try:
        return body.decode(codec).encode()
    except UnicodeError as error:
        raise RefusalError(400, "the body is not in its charset") from error


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _without_mark(body: bytes) -> tuple[bytes, str | None]:
    """The body without its byte order mark, and the codec that its first bytes tell, if any."""
    for mark, codec in _MARKS:
        if body.startswith(mark):
            return body[len(mark) :], codec
    if body.startswith(b"<\0"):
        return body, "utf-16-le"
    return body, "utf-16-be" if body.startswith(b"\0<") else None


def _codec_of(label: str) -> str:
    """Of a label that could be read as ASCII."""
    codec = _CODECS.get(label.strip().lower())
    if codec is None:
        raise RefusalError(400, "the body is in an encoding that is not read here")
    # Programs on .NET and Java write such a label into UTF-8. HTML §13.2.3.2 reads it like this.
    return "utf-8" if codec.startswith("utf-16") else codec
