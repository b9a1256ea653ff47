"""What a request passes on its way from the wire to its method, and how often."""

import io
from collections.abc import Iterator
from typing import Any

import pytest

from davbridge.cache import CachedStore
from davbridge.config import CacheSettings, DriveSettings
from davbridge.dav.application import WsgiApplication, build
from davbridge.dav.headers.urls import parse_request_target
from davbridge.dav.locking.xml import lock_discovery
from davbridge.dav.request import DavRequest
from davbridge.dav.xml_elements import parse_document
from davbridge.store.base import Attributes
from davbridge.store.memory import MemoryStore
from davbridge.tree.namespace import Namespace
from tests.support.calls import calls_of

ASKED = b'<propfind xmlns="DAV:"><prop><getetag/><resourcetype/></prop></propfind>'


@pytest.fixture
def app() -> Iterator[WsgiApplication]:
    store = MemoryStore()
    store.put_object("d/f.txt", b"x", Attributes())
    namespace = Namespace(CachedStore(store, CacheSettings()))
    yield build(namespace, DriveSettings(mount_path="/dav"))
    namespace.close()


def ask(app: WsgiApplication, method: str, target: str, body: bytes = b"", depth: str = "0") -> str:
    """The status line."""
    statuses = []
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "REQUEST_URI": target,
        "HTTP_DEPTH": depth,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": _read_once(body),
    }
    assert b"".join(app(environ, lambda status, _: statuses.append(status))) or method == "HEAD"
    return str(statuses[0])


def _read_once(body: bytes) -> io.BytesIO:
    """Where the length is known, nobody asks whether there is more."""
    source = io.BytesIO(body)
    once = source.read

    def read(size: int | None = -1, /) -> bytes:
        assert source.tell() < len(body)
        return once(size)

    source.read = read  # type: ignore[method-assign]
    return source


@pytest.mark.parametrize(
    ("method", "target", "status"),
    [
        ("PROPFIND", "/dav/d/f.txt", "207 Multi-Status"),
        ("PROPFIND", "/dav/d/._f.txt", "404 Not Found"),
        ("HEAD", "/dav/d/f.txt", "200 OK"),
        ("GET", "/dav/d/f.txt", "200 OK"),
    ],
)
def test_a_request_parses_its_url_once_and_looks_its_path_up_once(
    app: WsgiApplication, method: str, target: str, status: str
) -> None:
    watched = (DavRequest.__init__, parse_request_target, Namespace.find, lock_discovery)
    with calls_of(*watched) as calls:
        assert ask(app, method, target, ASKED if method == "PROPFIND" else b"") == status
    assert calls == {"DavRequest.__init__": 1, "parse_request_target": 1, "Namespace.find": 1}


def test_a_body_is_parsed_once_however_often_it_comes(app: WsgiApplication) -> None:
    own = ASKED + b"<!-- of this test alone -->"
    with calls_of(parse_document) as calls:
        for _ in range(3):
            assert ask(app, "PROPFIND", "/dav/d/f.txt", own) == "207 Multi-Status"
    assert calls == {"parse_document": 1}


def test_a_url_outside_of_the_mount_asks_the_namespace_nothing(app: WsgiApplication) -> None:
    with calls_of(parse_request_target, Namespace.find) as calls:
        assert ask(app, "PROPFIND", "/", ASKED) == "207 Multi-Status"
        assert ask(app, "PROPFIND", "/elsewhere", ASKED) == "404 Not Found"
    assert calls == {"parse_request_target": 2}
