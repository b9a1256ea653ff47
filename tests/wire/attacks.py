"""What an attacker sends: each row says what it is, and what it may be answered at the most.

Pure. Rows are grouped by what they are aimed at: where a request ends, its head, its body's
chunks, XML, paths, other headers, the drive's name. `VICTIM` is a file that is there; `SMUGGLED`,
behind another request, would delete it.
"""

from typing import NamedTuple

VICTIM = "/victim.txt"
TARGET = "/target.txt"
"""Nothing is there, and nothing is to be."""

HOST = "localhost"
"""By any other name nothing would be done anyway."""

SMUGGLED = f"DELETE {VICTIM} HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode()

KIB = 1024


class Attack(NamedTuple):
    data: bytes
    answers: tuple[int, ...] = (400,)
    """Statuses of which one is given, and then nothing more."""


def request(line: str, *fields: str | bytes, body: bytes = b"") -> bytes:
    lines = [field.encode() if isinstance(field, str) else field for field in fields]
    host = f"Host: {HOST}".encode()
    head = b"".join(each + b"\r\n" for each in (line.encode("latin-1"), host, *lines))
    return head + b"\r\n" + body


def put(*fields: str | bytes, body: bytes = b"hello") -> bytes:
    """A PUT that another request follows."""
    return request(f"PUT {TARGET} HTTP/1.1", *fields, body=body) + SMUGGLED


def head(data: bytes) -> bytes:
    """A request that is nothing but this, and another that follows."""
    return data + SMUGGLED


FRAMING = {
    "a length and chunks": put("Content-Length: 5", "Transfer-Encoding: chunked"),
    "chunks and a length": put("Transfer-Encoding: chunked", "Content-Length: 5"),
    "two lengths": put("Content-Length: 5", "Content-Length: 0"),
    "the same length twice": put("Content-Length: 5", "Content-Length: 5"),
    "a list of lengths": put("Content-Length: 5, 5"),
    "a length with a plus": put("Content-Length: +5"),
    "a length with an underscore": put("Content-Length: 1_0"),
    "a negative length": put("Content-Length: -5"),
    "a hexadecimal length": put("Content-Length: 0x5"),
    "an empty length": put("Content-Length:"),
    "a length of forty digits": put("Content-Length: " + "9" * 40),
    "a length in full-width digits": put("Content-Length: \uff15"),
    "a blank before the length's colon": put("Content-Length : 5"),
    "a blank before the coding's colon": put("Transfer-Encoding : chunked"),
    "a tab before the coding's colon": put("Transfer-Encoding\t: chunked"),
    "an unknown coding": put("Transfer-Encoding: xchunked"),
    "a coding before chunked": put("Transfer-Encoding: gzip, chunked"),
    "a coding behind chunked": put("Transfer-Encoding: chunked, identity"),
    "chunked twice": put("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    "chunked with a parameter": put("Transfer-Encoding: chunked;q=1"),
    "chunked in quotes": put('Transfer-Encoding: "chunked"'),
    "chunked behind a control character": put("Transfer-Encoding: \x0bchunked"),
    "identity": put("Transfer-Encoding: identity"),
    "an empty coding": put("Transfer-Encoding:"),
    "chunks in HTTP/1.0": head(
        f"PUT {TARGET} HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".encode()
    ),
}

HEADS = {
    "a folded field": put("X: 1", " Transfer-Encoding: chunked"),
    "a field folded by a tab": put("X: 1", "\tTransfer-Encoding: chunked"),
    "a blank before the first field": head(b"GET / HTTP/1.1\r\n Host: localhost\r\n\r\n"),
    "NUL in a value": put("X: a\0b"),
    "CR in a value": put("X: a\rContent-Length: 5"),
    "LF behind a field": head(b"GET / HTTP/1.1\r\nHost: localhost\nContent-Length: 5\r\n\r\nhello"),
    "LF behind the request line": head(b"GET / HTTP/1.1\nHost: localhost\r\n\r\n"),
    "LF alone throughout": head(b"GET / HTTP/1.1\nHost: localhost\n\n"),
    "CR alone throughout": head(b"GET / HTTP/1.1\rHost: localhost\r\r"),
    "a field without a colon": put("Content-Length 5"),
    "a field without a name": put(": 5"),
    "a blank in a name": put("Content Length: 5"),
    "umlauts in a name": put("Contént-Length: 5"),
    "two hosts": put("Host: y"),
    "no host": head(b"GET / HTTP/1.1\r\n\r\n"),
    "a path in the host": head(b"GET / HTTP/1.1\r\nHost: localhost/y\r\n\r\n"),
    "a user in the host": head(b"GET / HTTP/1.1\r\nHost: localhost@y\r\n\r\n"),
    "no version": head(b"GET /\r\nHost: localhost\r\n\r\n"),
    "a version with a plus": head(request("GET / HTTP/+1.1")),
    "a version of another protocol": head(request("GET / ICY/1.1")),
    "two blanks in the request line": head(request("GET  / HTTP/1.1")),
    "a blank in the target": head(request("GET /a b HTTP/1.1")),
    "a control character in the target": head(request("GET /a\x1b[2J HTTP/1.1")),
    "a fragment in the target": head(request("GET /a#b HTTP/1.1")),
    "a relative target": head(request("GET a HTTP/1.1")),
    "an asterisk without OPTIONS": head(request("DELETE * HTTP/1.1")),
    "a target of another scheme": head(request("GET file:///etc/passwd HTTP/1.1")),
    "a user in the target": head(request("GET http://localhost@y/ HTTP/1.1")),
    "an authority for a target": head(request(f"GET {HOST}:80 HTTP/1.1")),
    "a query for a target": head(request("GET ?a HTTP/1.1")),
    "a target without an authority": head(request("GET http:///a HTTP/1.1")),
    "umlauts in the host": head(b"GET / HTTP/1.1\r\nHost: localh\xf6st\r\n\r\n"),
    "a TLS hello": head(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    "SSH": head(b"SSH-2.0-OpenSSH_9.9\r\n"),
}

BEYOND_LIMITS = {
    "HTTP/2's preface": Attack(head(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), (505,)),
    "a proxy's method": Attack(head(request("CONNECT evil:443 HTTP/1.1")), (501,)),
    "a target of 100 KB": Attack(head(request(f"GET /{'a' * 100 * KIB} HTTP/1.1")), (414,)),
    "a method of 100 KB": Attack(head(request(f"{'A' * 100 * KIB} / HTTP/1.1")), (414,)),
    "a line without end": Attack(b"A" * 1024 * KIB, (414,)),
    "a field of 100 KB": Attack(put("X: " + "a" * 100 * KIB), (431,)),
    "a name of 100 KB": Attack(put("X" * 100 * KIB + ": a"), (431,)),
    "many fields": Attack(put(*["X: a"] * 5000), (431,)),
    "many short fields": Attack(put(*[f"{number:x}:" for number in range(1000)]), (431,)),
    "fields without end": Attack(b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 200 * KIB, (431,)),
    "another expectation": Attack(put("Content-Length: 5", "Expect: 200-maybe"), (417,)),
    "two expectations": Attack(put("Content-Length: 5", "Expect: 100-continue, x"), (417,)),
    "an expectation twice": Attack(put("Content-Length: 5", *["Expect: 100-continue"] * 2), (417,)),
    "a body that is awaited, for a folder": Attack(
        request("PUT / HTTP/1.1", f"Content-Length: {len(SMUGGLED)}", "Expect: 100-continue")
        + SMUGGLED,
        (405,),
    ),
    "a request in a body that nobody reads": Attack(
        request("PUT /missing/a HTTP/1.1", f"Content-Length: {len(SMUGGLED)}", body=SMUGGLED),
        (409,),
    ),
    "a request in chunks that nobody reads": Attack(
        request("PUT /missing/a HTTP/1.1", "Transfer-Encoding: chunked")
        + b"%x\r\n%b\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED),
        (409,),
    ),
    "a request in a large body that nobody reads": Attack(
        request("PUT / HTTP/1.1", f"Content-Length: {8 * KIB * KIB}") + SMUGGLED * 10_000, (405,)
    ),
}


def chunked(coded: bytes) -> bytes:
    return put("Transfer-Encoding: chunked", body=coded)


CHUNKS = {
    "a negative size": chunked(b"-5\r\nhello\r\n0\r\n\r\n"),
    "a size with a plus": chunked(b"+5\r\nhello\r\n0\r\n\r\n"),
    "a size with its base": chunked(b"0x5\r\nhello\r\n0\r\n\r\n"),
    "a size with an underscore": chunked(b"0_5\r\nhello\r\n0\r\n\r\n"),
    "a blank before the size": chunked(b" 5\r\nhello\r\n0\r\n\r\n"),
    "a blank behind the size": chunked(b"5 \r\nhello\r\n0\r\n\r\n"),
    "no size": chunked(b"\r\nhello\r\n0\r\n\r\n"),
    "a size of letters": chunked(b"xyz\r\nhello\r\n0\r\n\r\n"),
    "a size beyond 64 bits": chunked(b"1" + b"0" * 16 + b"5\r\nhello\r\n0\r\n\r\n"),
    "LF behind the size": chunked(b"5\nhello\r\n0\r\n\r\n"),
    "CR in an extension": chunked(b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
    "an extension without end": chunked(b"5;" + b"x" * 100 * KIB),
    "an extension a chunk": chunked(b"1;%b\r\na\r\n" % (b"x" * 900) * 1000 + b"0\r\n\r\n"),
    "more data than the size": chunked(b"4\r\nhello\r\n0\r\n\r\n"),
    "less data than the size": chunked(b"6\r\nhello\r\n0\r\n\r\n"),
    "LF behind the data": chunked(b"5\r\nhello\n0\r\n\r\n"),
    "a trailer without end": chunked(b"0\r\n" + b"X: a\r\n" * 100 * KIB),
    "a trailer that is none": chunked(b"0\r\nGET / HTTP/1.1\r\n\r\n"),
    "no last chunk": request(
        f"PUT {TARGET} HTTP/1.1", "Transfer-Encoding: chunked", body=b"5\r\nhello\r\n"
    ),
}


def xml(text: str | bytes, method: str = "PROPFIND") -> bytes:
    body = text.encode() if isinstance(text, str) else text
    return request(
        f"{method} {VICTIM} HTTP/1.1", "Depth: 0", f"Content-Length: {len(body)}", body=body
    )


def named(content: str, before: str = "") -> bytes:
    """A PROPFIND by name; ``content`` begins inside of the start tag of prop."""
    return xml(f'{before}<D:propfind xmlns:D="DAV:"><D:prop {content}</D:prop></D:propfind>')


def entities(count: int) -> str:
    """The billion laughs."""
    first = '<!ENTITY e0 "ha">'
    rest = "".join(f'<!ENTITY e{each + 1} "{f"&e{each};" * 10}">' for each in range(count))
    return f"<!DOCTYPE x [{first}{rest}]>"


LONG = "n" * 500_000

XML = {
    "a billion laughs": named(">&e10;", entities(10)),
    "a long entity, often": named(f">{'&e;' * 100_000}", f'<!DOCTYPE x [<!ENTITY e "{LONG}">]>'),
    "an external entity": named(">&e;", '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'),
    "an external document type": named(">", '<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">'),
    "a parameter entity": named(">", '<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///x"> %p;]>'),
    "an entity in UTF-16": xml(
        '<!DOCTYPE x [<!ENTITY e "e">]><D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>'.encode(
            "utf-16"
        )
    ),
    "a document type in UTF-16 of no mark": xml(
        '<!DOCTYPE x><D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>'.encode("utf-16-be")
    ),
    "UTF-32": xml('<D:propfind xmlns:D="DAV:"><D:allprop/></D:propfind>'.encode("utf-32")),
    "UTF-16 that says UTF-8": xml(
        '<?xml version="1.0" encoding="utf-8"?><D:propfind xmlns:D="DAV:"/>'.encode("utf-16")
    ),
    "a comment that never ends": xml("<!--" + "a" * 900_000),
    "UTF-7": named(">", '<?xml version="1.0" encoding="utf-7"?>'),
    "a codec of Python's": named(">", '<?xml version="1.0" encoding="unicode_escape"?>'),
    "an encoding that names a file": named(">", '<?xml version="1.0" encoding="../../x"?>'),
    "overlong UTF-8": xml(
        b'<D:propfind xmlns:D="DAV:"><D:allprop>\xc0\xbc</D:allprop></D:propfind>'
    ),
    "140,000 levels": named(">" + "<a>" * 140_000 + "</a>" * 140_000),
    "levels that never end": xml("<a>" * 300_000),
    "100,000 elements": named(">" + "".join(f"<a{each}/>" for each in range(100_000))),
    "80,000 attributes": named("".join(f'a{each}="" ' for each in range(80_000)) + ">"),
    "40,000 namespaces": named("".join(f'xmlns:a{each}="b" ' for each in range(40_000)) + ">"),
    "a long namespace in many names": named(
        f'xmlns:n="{LONG}">' + "".join(f"<n:{each}/>" for each in map("a{}".format, range(50_000)))
    ),
    "a long namespace in many attributes": named(
        f'xmlns:n="{LONG}" ' + "".join(f'n:a{each}="" ' for each in range(40_000)) + ">"
    ),
    "a name of 500 KB": named(f"><{LONG}/>"),
    "500 properties": named(">" + "".join(f"<a{each}/>" for each in range(500))),
    "500 properties to be set": xml(
        '<D:propertyupdate xmlns:D="DAV:"><D:set><D:prop>'
        + "".join(f"<a{each}/>" for each in range(500))
        + "</D:prop></D:set></D:propertyupdate>",
        "PROPPATCH",
    ),
    "a property that closes the answer": xml(
        '<D:propfind xmlns:D="DAV:"><D:prop><a xmlns="&#0;"/></D:prop></D:propfind>'
    ),
    "an owner of 500 KB": xml(
        '<D:lockinfo xmlns:D="DAV:"><D:lockscope><D:exclusive/></D:lockscope><D:locktype><D:write/>'
        f"</D:locktype><D:owner>{LONG}</D:owner></D:lockinfo>",
        "LOCK",
    ),
    "no end": xml('<D:propfind xmlns:D="DAV:"><D:allprop/>'),
}

XML_TOO_LONG = {
    "a language of 60 KB in 200 properties": Attack(
        xml(
            f'<D:propertyupdate xmlns:D="DAV:" xml:lang="{"x" * 60_000}"><D:set><D:prop>'
            + "".join(f"<a{each}/>" for each in range(200))
            + "</D:prop></D:set></D:propertyupdate>",
            "PROPPATCH",
        ),
        (507,),
    ),
    "8 MB of XML": Attack(xml(b" " * 8 * KIB * KIB), (413,)),
    "chunks of XML without end": Attack(
        request(f"PROPFIND {VICTIM} HTTP/1.1", "Transfer-Encoding: chunked")
        + b"10000\r\n%b\r\n" % (b" " * 64 * KIB) * 128,
        (413,),
    ),
}


def get(target: str, *fields: str) -> bytes:
    return request(f"GET {target} HTTP/1.1", *fields)


MARKS = "%CC%81%CC%96"
"""Two combining marks. To bring many into order takes time in the square of their number."""

PATHS = {
    "a parent": get("/../etc/passwd"),
    "a parent, encoded": get("/%2e%2e/%2E%2E/etc/passwd"),
    "a parent behind a folder": get(f"/a/../..{VICTIM}"),
    "an encoded slash": get("/a%2fb"),
    "a parent behind an encoded slash": get("/..%2f..%2fetc%2fpasswd"),
    "NUL": get(f"{VICTIM}%00.html"),
    "an overlong slash": get("/..%c0%af..%c0%afetc"),
    "an overlong dot": get("/%c0%ae%c0%ae/etc"),
    "half a character": get("/%e2%82"),
    "a surrogate": get("/%ed%a0%80"),
    "latin-1": get("/%ff"),
    "beyond Unicode": get("/%f4%90%80%80"),
}

PATHS_ELSEWHERE = {
    "a name encoded twice": Attack(get("/%252e%252e%252fetc"), (404,)),
    "a parent in backslashes": Attack(get("/..%5c..%5cetc%5cpasswd"), (404,)),
    "what commands would be made of": Attack(get("/;id|$(id)`id`&%0aid"), (404,)),
    "what a terminal would obey": Attack(get("/%1b]0;x%07%1b[2J"), (404,)),
    "a line for the log": Attack(get("/%0d%0a2026-01-01T00:00:00Z%20info%20x:%20forged"), (404,)),
    "raw control bytes for the log": Attack(get("/\x9b2J\x85forged"), (400,)),
    "a name of 15 KB": Attack(get("/" + "a" * 15 * KIB), (414,)),
    "7,000 levels": Attack(get("/a" * 7000), (414,)),
    "marks without end": Attack(get(f"/{MARKS * 1200}"), (414,)),
    "davbridge's own properties": Attack(get("/.davbridge.properties.json"), (404,)),
    "the same in capitals": Attack(get("/.DAVBRIDGE.properties.json"), (404,)),
    "the same, encoded": Attack(get("/%2e%64avbridge%2Eproperties.json"), (404,)),
    "the same as a folder": Attack(get("//.davbridge.properties.json//"), (404,)),
    "to write davbridge's own": Attack(
        request("PUT /.davbridge.properties.json HTTP/1.1", "Content-Length: 2", body=b"{}"), (403,)
    ),
}


def copy(destination: str, method: str = "COPY") -> bytes:
    return request(f"{method} {VICTIM} HTTP/1.1", f"Destination: {destination}", "Overwrite: T")


DESTINATIONS = {
    "a parent": Attack(copy("/../x")),
    "an encoded slash": Attack(copy("http://localhost/a%2f..%2fb")),
    "NUL": Attack(copy("/a%00")),
    "an overlong slash": Attack(copy("/a%c0%afb")),
    "a query": Attack(copy(f"http://localhost{TARGET}?a")),
    "a query at once": Attack(copy(f"http://localhost?{TARGET}")),
    "a file's URL": Attack(copy("file:///etc/passwd")),
    "no URL": Attack(copy("javascript:alert(1)")),
    "an open bracket": Attack(copy(f"http://[::1{TARGET}")),
    "another server": Attack(copy(f"http://evil{TARGET}"), (502,)),
    "another server behind a user": Attack(copy(f"http://localhost@evil{TARGET}"), (502,)),
    "another server behind a backslash": Attack(copy(f"http://evil\\@localhost:81{TARGET}")),
    "two": Attack(request(f"MOVE {VICTIM} HTTP/1.1", "Destination: /a", "Destination: /b")),
    "itself": Attack(copy(VICTIM, "MOVE"), (403,)),
    "what is above": Attack(copy("/", "MOVE"), (403,)),
    "another server without a scheme": Attack(copy(f"//evil{TARGET}"), (409,)),
    "a name that begins with this server's": Attack(copy(f"http://{HOST}.evil{TARGET}"), (502,)),
    "another address": Attack(copy(f"http://[::1]{TARGET}"), (502,)),
    "a fragment": Attack(copy(f"{TARGET}#a")),
    "a parent, encoded twice": Attack(copy("/%252e%252e/x"), (409,)),
    "davbridge's own": Attack(copy("/.davbridge.properties.json"), (403,)),
    "davbridge's own, encoded": Attack(copy("/%2Edavbridg%65/", "MOVE"), (403,)),
    "davbridge's own with a mark": Attack(copy("/.davbridge%CC%81"), (403,)),
    "inside davbridge's own": Attack(copy("/.davbridge/journals/x", "MOVE"), (403, 409)),
    "marks without end": Attack(copy(f"/{MARKS * 2400}"), (414,)),
}

OTHER_HEADERS = {
    "1,000 ranges": Attack(get(VICTIM, "Range: bytes=" + ",".join(["0-0"] * 1000)), (200,)),
    "blanks in a range": Attack(get(VICTIM, f"Range: bytes=0{' ' * 30_000}x"), (200,)),
    "blanks before a range": Attack(get(VICTIM, f"Range: bytes={' ' * 30_000}x"), (200,)),
    "a range beyond numbers": Attack(get(VICTIM, f"Range: bytes={'9' * 30_000}-"), (416,)),
    "a range beyond the end": Attack(get(VICTIM, f"Range: bytes={'9' * 18}-"), (416,)),
    "a condition that is none": Attack(get(VICTIM, f"If: {'<' * 30_000}")),
    "3,000 lock tokens": Attack(get(VICTIM, f"If: {'(<a:b>)' * 3000}"), (412,)),
    "3,000 lock tokens in one list": Attack(get(VICTIM, f"If: ({'<a:b>' * 3000})"), (412,)),
    "3,000 entity tags in If": Attack(get(VICTIM, "If: " + '(["e"])' * 3000)),
    "conditions on 1,000 resources": Attack(
        get(VICTIM, "If: " + "".join(f'</a{each}> (["e"])' for each in range(1000)))
    ),
    "5,000 entity tags": Attack(get(VICTIM, "If-Match: " + '"a", ' * 5000), (412,)),
    "a depth that is none": Attack(request(f"PROPFIND {VICTIM} HTTP/1.1", "Depth: 1e9")),
    "a part of a file": Attack(
        request(
            f"PUT {VICTIM} HTTP/1.1", "Content-Range: bytes 0-0/1", "Content-Length: 1", body=b"x"
        )
    ),
    "a file in a coding": Attack(
        request(f"PUT {VICTIM} HTTP/1.1", "Content-Encoding: gzip", "Content-Length: 1", body=b"x"),
        (415,),
    ),
    "a checksum that isn't the body's": Attack(
        request(f"PUT {VICTIM} HTTP/1.1", "OC-Checksum: MD5:00", "Content-Length: 1", body=b"x")
    ),
    "another method in a header": Attack(
        request(f"GET {TARGET} HTTP/1.1", "X-HTTP-Method-Override: DELETE"), (404,)
    ),
    "a method of WebDAV in lower case": Attack(request(f"delete {VICTIM} HTTP/1.1"), (501,)),
    "a method that echoes": Attack(request(f"TRACE {VICTIM} HTTP/1.1"), (501,)),
}


def rebound(method: str, *fields: str, host: str = "evil.example", body: bytes = b"") -> Attack:
    """What a web page sends whose name has come to mean 127.0.0.1 since it was loaded."""
    lines = [f"{method} {VICTIM} HTTP/1.1", f"Host: {host}", "Origin: http://evil.example", *fields]
    return Attack("\r\n".join([*lines, "", ""]).encode() + body, (421,))


REBOUND = {
    "to read": rebound("GET", host="evil.example:8080"),
    "to list": rebound("PROPFIND", "Depth: 1"),
    "to ask what is allowed": rebound("OPTIONS"),
    "to write": rebound("PUT", "Content-Length: 1", body=b"x"),
    "to write in chunks": rebound("PUT", "Transfer-Encoding: chunked", body=b"1\r\nx\r\n0\r\n\r\n"),
    "to delete": rebound("DELETE"),
    "to move": rebound("MOVE", "Destination: /moved.txt"),
    "what isn't a method": rebound("POST"),
    "a name that begins as ours": rebound("GET", host="localhost.evil.example"),
    "a name that begins as an address": rebound("GET", host="127.0.0.1.evil.example"),
    "an address and a name": rebound("GET", host="[::1].evil.example"),
    "no name": rebound("GET", host=""),
    "the name in the target": Attack(request("GET http://evil.example/ HTTP/1.1"), (421,)),
}

GROUPS: dict[str, dict[str, Attack]] = {
    "framing": {name: Attack(data) for name, data in FRAMING.items()},
    "head": {name: Attack(data) for name, data in HEADS.items()},
    "limits": BEYOND_LIMITS,
    "chunks": {name: Attack(data) for name, data in CHUNKS.items()},
    "xml": {name: Attack(data) for name, data in XML.items()} | XML_TOO_LONG,
    "path": {name: Attack(data) for name, data in PATHS.items()} | PATHS_ELSEWHERE,
    "destination": DESTINATIONS,
    "header": OTHER_HEADERS,
    "rebinding": REBOUND,
}

ATTACKS = {
    f"{group}: {name}": attack for group, rows in GROUPS.items() for name, attack in rows.items()
}
