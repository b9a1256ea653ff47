"""The WSGI application of a mount: WsgiDAV's app with our provider and our request server.

WsgiDAV has the provider and the stack of middleware; our request server is at the end of it.

WsgiDAV's own app would also decode and normalise each request's path, find its provider, and check
the answer. Here `urls` parses the path, more strictly; there is one provider; and the wire frames
the answer, because it knows more about the body.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from wsgidav.wsgidav_app import WsgiDAVApp

from davbridge.config import DriveSettings
from davbridge.dav.locking.locks import LockStore
from davbridge.dav.locking.memory import MemoryLockStore
from davbridge.dav.provider import BucketProvider
from davbridge.dav.request import Environ
from davbridge.dav.server import RequestServer, StartResponse
from davbridge.tree.namespace import Namespace

WsgiApplication = Callable[[Environ, StartResponse], Iterable[bytes]]


def build(
    namespace: Namespace, drive: DriveSettings, locks: LockStore | None = None
) -> WsgiApplication:
    """The application that serves ``namespace`` at the drive's mount path."""
    # It logs a line for each request, and an error for each streamed answer.
    logging.getLogger("wsgidav").setLevel(logging.CRITICAL)
    provider = BucketProvider(namespace, drive)
    server = RequestServer(provider, locks if locks is not None else MemoryLockStore())
    app: WsgiApplication = _OneProviderApp(
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
    return app


class _OneProviderApp(WsgiDAVApp):
    """WsgiDAV's app with one provider for all URLs: what is the same for each request is computed
    once."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        _, provider = self.resolve_provider("/")
        self._known = {
            "wsgidav.app": self,
            "wsgidav.config": self.config,
            "wsgidav.provider": provider,
            "wsgidav.verbose": self.verbose,
        }

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        environ.update(self._known)
        blocks: Iterable[bytes] = self.application(environ, start_response)
        return blocks
