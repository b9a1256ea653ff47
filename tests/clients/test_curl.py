"""A day's work with curl, which sends exactly what it is told."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, unquote
from xml.etree.ElementTree import fromstring

import pytest

from tests.support.buckets import MARKER_TYPE
from tests.support.drive import Home
from tests.support.names import NAMES
from tests.support.programs import require_program, run

STATUS = ("--silent", "--show-error", "--output", "answer", "--write-out", "%{http_code}")


class Curl:
    """curl in one collection; answers the status, and keeps the body in ``answer``."""

    def __init__(self, home: Home, folder: Path) -> None:
        self._program = require_program("curl")
        self._url = home.url
        self._folder = folder

    def url(self, path: str) -> str:
        return self._url + quote(path)

    def __call__(self, path: str, *options: str, stdin: bytes = b"") -> int:
        command = [self._program, *STATUS, *options, self.url(path)]
        return int(run(command, self._folder, stdin=stdin))

    @property
    def body(self) -> bytes:
        return (self._folder / "answer").read_bytes()


@pytest.fixture
def curl(home: Home, tmp_path: Path) -> Curl:
    return Curl(home, tmp_path)


@pytest.fixture
def local(tmp_path: Path) -> Callable[[str, bytes], str]:
    """Writes a local file, and tells its path."""

    def write(name: str, body: bytes) -> str:
        (tmp_path / name).write_bytes(body)
        return str(tmp_path / name)

    return write


def test_a_days_work_with_curl_leaves_plain_objects(
    curl: Curl, home: Home, local: Callable[[str, bytes], str]
) -> None:
    assert curl("docs/", "-X", "MKCOL") == 201
    assert curl("docs/", "-X", "MKCOL") == 405
    assert curl("missing/deep/", "-X", "MKCOL") == 409
    assert curl("docs/deep", "-X", "MKCOL") == 201
    for name in NAMES:
        assert curl(f"docs/{name}", "-T", local("upload", name.encode())) == 201
    assert curl("docs/plain.txt", "-T", local("upload", b"second version")) == 204
    to_deep = f"Destination: {curl.url('docs/deep/100% #2;x.txt')}"
    assert curl("docs/100%.txt", "-X", "MOVE", "-H", to_deep) == 201
    assert curl("docs/plain.txt", "-X", "COPY", "-H", to_deep, "-H", "Overwrite: F") == 412
    assert curl("docs/plain.txt", "-X", "COPY", "-H", to_deep) == 204
    whole = f"Destination: {curl.url('copy of docs')}"
    assert curl("docs/", "-X", "COPY", "-H", whole) == 201
    assert curl("docs/", "-X", "DELETE") == 204
    assert curl("docs/", "-X", "PROPFIND", "-H", "Depth: 0") == 404
    left = {name: name.encode() for name in NAMES if name not in ("plain.txt", "100%.txt")}
    left |= {"plain.txt": b"second version", "deep/100% #2;x.txt": b"second version"}
    assert home.bucket.bodies() == {
        "copy of docs/": b"",
        "copy of docs/deep/": b"",
        **{f"copy of docs/{name}": body for name, body in left.items()},
    }
    assert home.bucket.get("copy of docs/").content_type == MARKER_TYPE


def test_curl_lists_every_name_as_it_was_put(
    curl: Curl, home: Home, local: Callable[[str, bytes], str]
) -> None:
    for name in NAMES:
        assert curl(f"{name}", "-T", local("upload", b"x")) == 201
    assert curl("", "-X", "PROPFIND", "-H", "Depth: 1") == 207
    hrefs = {unquote(href.text or "") for href in fromstring(curl.body).iter("{DAV:}href")}
    assert hrefs == {home.path + name for name in ("", *NAMES)}
    for name in NAMES:
        assert curl(f"{name}") == 200
        assert curl.body == b"x"


def test_curl_reads_ranges(curl: Curl, local: Callable[[str, bytes], str]) -> None:
    body = bytes(range(256)) * 4096
    assert curl("big.bin", "-T", local("upload", body)) == 201
    for spec, part in {
        "0-0": body[:1],
        "1000-300000": body[1000:300001],
        "1048570-": body[1048570:],
        "-10": body[-10:],
        "1048570-9999999": body[1048570:],
    }.items():
        assert curl("big.bin", "--range", spec) == 206
        assert curl.body == part, spec
    assert curl("big.bin", "--range", "1048576-") == 416
    assert curl("big.bin") == 200
    assert curl.body == body


def test_curl_resumes_a_download(curl: Curl, local: Callable[[str, bytes], str]) -> None:
    body = bytes(range(256)) * 1024
    assert curl("big.bin", "-T", local("upload", body)) == 201
    local("answer", body[:100_000])
    assert curl("big.bin", "--continue-at", "-") == 206
    assert curl.body == body


def test_curl_uploads_a_stream_of_unknown_length(curl: Curl, home: Home) -> None:
    body = bytes(range(256)) * 80_000  # more than a part
    assert curl("stream.bin", "--upload-file", "-", stdin=body) == 201
    assert curl("empty.bin", "--upload-file", "-", stdin=b"") == 201
    assert home.bucket.bodies() == {"stream.bin": body, "empty.bin": b""}


def test_curl_is_held_to_its_conditions(
    curl: Curl, home: Home, local: Callable[[str, bytes], str]
) -> None:
    first, second = local("first", b"first"), local("second", b"second")
    assert curl("a.txt", "-T", first, "-H", "If-None-Match: *") == 201
    etag = home.bucket.get("a.txt").etag
    assert curl("a.txt", "-T", second, "-H", "If-None-Match: *") == 412
    assert curl("a.txt", "-T", second, "-H", 'If-Match: "another"') == 412
    assert curl("b.txt", "-T", second, "-H", "If-Match: *") == 412
    assert home.bucket.bodies() == {"a.txt": b"first"}
    assert curl("a.txt", "-H", f"If-None-Match: {etag}") == 304
    assert curl("a.txt", "-T", second, "-H", f"If-Match: {etag}") == 204
    assert curl("a.txt", "-H", f"If-None-Match: {etag}") == 200
    assert curl.body == b"second"
    assert home.bucket.bodies() == {"a.txt": b"second"}


def test_files_carry_the_content_type_of_the_client_or_of_their_name(
    curl: Curl, home: Home, local: Callable[[str, bytes], str]
) -> None:
    body = local("upload", b"x")
    assert curl("picture.png", "-T", body) == 201
    assert curl("page.bin", "-T", body, "-H", "Content-Type: text/html; charset=utf-8") == 201
    assert curl("nothing known", "-T", body) == 201
    types = {key: home.bucket.get(key).content_type for key in home.bucket.listed()}
    assert types == {
        "picture.png": "image/png",
        "page.bin": "text/html; charset=utf-8",
        "nothing known": "application/octet-stream",
    }
