"""A davbridge on a socket, and a client that says exactly what a test wants said."""

import http.client
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from xml.etree.ElementTree import Element, fromstring

from davbridge.access.authentication import protected
from davbridge.cache import CachedStore
from davbridge.config import AccessSettings, CacheSettings, DriveSettings, ServerSettings
from davbridge.dav.application import build
from davbridge.dav.locking.locks import LockStore
from davbridge.http.server import HttpServer
from davbridge.store.base import ObjectStore
from davbridge.tree.drive import open_namespace
from davbridge.tree.namespace import Namespace

DAV = "{DAV:}"


@dataclass(frozen=True)
class Answer:
    """A response, read whole."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def header(self, name: str) -> str:
        """A header that must be there."""
        value = self.headers[name]
        assert value is not None, f"no {name} in {self.headers.items()}"
        return str(value)

    def multistatus(self) -> dict[str, Element]:
        """The response elements by href."""
        assert self.status == 207, (self.status, self.body)
        assert self.headers["Content-Type"] == "application/xml; charset=utf-8"
        root = fromstring(self.body)
        return {each.findtext(f"{DAV}href") or "": each for each in root}

    def property(self, href: str, name: str) -> Element | None:
        """A property that the answer has with status 200."""
        for propstat in self.multistatus()[href].findall(f"{DAV}propstat"):
            if "200" in (propstat.findtext(f"{DAV}status") or ""):
                found = propstat.find(f"{DAV}prop/{name}")
                if found is not None:
                    return found
        return None


class Client:
    """One keep-alive connection; from ``address``, if one is given."""

    def __init__(
        self,
        port: int,
        headers: Mapping[str, str],
        timeout: float = 30,
        address: str | None = None,
    ) -> None:
        self.port = port
        self._headers = headers
        self._connection = http.client.HTTPConnection(
            "127.0.0.1", port, timeout, source_address=(address, 0) if address else None
        )

    def __call__(
        self,
        method: str,
        target: str,
        body: bytes | str | Iterator[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        **named: str,
    ) -> Answer:
        """Sends a request. Keyword arguments are headers: ``if_match`` is If-Match."""
        sent = {**self._headers, **(headers or {})}
        sent |= {name.replace("_", "-").title(): value for name, value in named.items()}
        content = body.encode() if isinstance(body, str) else body
        self._connection.request(method, target, content, sent)
        response = self._connection.getresponse()
        return Answer(response.status, response.headers, response.read())

    def close(self) -> None:
        self._connection.close()


@dataclass(frozen=True)
class Bridge:
    """A running davbridge."""

    namespace: Namespace
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def client(self, **headers: str) -> Iterator[Client]:
        """A client that sends these headers with every request."""
        client = Client(self.port, {name.replace("_", "-"): headers[name] for name in headers})
        try:
            yield client
        finally:
            client.close()


@contextmanager
def running_bridge(
    store: ObjectStore,
    *,
    prefix: str = "",
    drive: DriveSettings | None = None,
    cache: CacheSettings | None = None,
    access: AccessSettings | None = None,
    locks: LockStore | None = None,
    timer: Callable[[], float] = time.monotonic,
    threads: int = 8,
) -> Iterator[Bridge]:
    """The rooms composed as app.py does, over any store, on a free port."""
    drive = drive or DriveSettings()
    cached = CachedStore(store, cache or CacheSettings(), timer=timer)
    namespace = open_namespace(drive, cached, uncached=store, prefix=prefix)
    app = build(namespace, drive, locks)
    server = HttpServer(
        protected(app, access or AccessSettings(anonymous=True), drive.public_origins),
        ServerSettings(port=0, threads=threads, shutdown_timeout=2),
    )
    server.prepare()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield Bridge(namespace, server.port)
    finally:
        server.stop()
        thread.join()
        namespace.close()
        cached.close()
