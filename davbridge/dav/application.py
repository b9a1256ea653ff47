"""The WSGI application of a mount: WsgiDAV's app with our provider and our request server.

WsgiDAV routes a request to its provider; the request server above it answers. What WsgiDAV would
do by itself and gets wrong is kept from it: it reads no body, and prints no log.
"""

import logging
from collections.abc import Callable, Iterable

from wsgidav.wsgidav_app import WsgiDAVApp

from davbridge.config import DriveSettings
from davbridge.dav.errors import RefusalError
from davbridge.dav.locks import LockStore, MemoryLockStore
from davbridge.dav.provider import BucketProvider
from davbridge.dav.request import Environ, Request
from davbridge.dav.server import RequestServer, StartResponse
from davbridge.dav.target import Site
from davbridge.tree.namespace import Namespace

WsgiApplication = Callable[[Environ, StartResponse], Iterable[bytes]]


def build(
    namespace: Namespace, drive: DriveSettings, locks: LockStore | None = None
) -> WsgiApplication:
    """The application that serves ``namespace`` at the drive's mount path."""
    # It calls every streamed answer an error, and every request a line.
    logging.getLogger("wsgidav").setLevel(logging.CRITICAL)
    provider = BucketProvider(namespace, drive)
    server = RequestServer(provider, locks if locks is not None else MemoryLockStore())
    app: WsgiApplication = WsgiDAVApp(
        {
            "provider_mapping": {"/": provider},
            "middleware_stack": [server],
            "http_authenticator": {"accept_basic": False, "accept_digest": False},
            "lock_storage": None,
            "property_manager": None,
            "verbose": 0,
            "logging": {"enable": False},
        }
    )
    return _Front(app, server, provider.site)


class _Front:
    """Hands WsgiDAV what it can't misread: a path that is checked, a body that it leaves alone."""

    def __init__(self, app: WsgiApplication, server: RequestServer, site: Site) -> None:
        self._app = app
        self._server = server
        self._site = site

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            path = Request(environ, self._site).path
        except RefusalError:
            # Outside of the mount, or no URL of anything: no provider is concerned.
            return self._server(environ, start_response)
        # WSGI's native strings hold bytes as latin-1 (PEP 3333).
        environ["PATH_INFO"] = ("/" + "/".join(path)).encode().decode("latin-1")
        environ["wsgidav.all_input_read"] = 1
        return self._app(environ, start_response)
