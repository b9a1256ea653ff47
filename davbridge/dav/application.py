"""The WSGI application of a mount: WsgiDAV's app with our provider and our request server.

Owns how they are put together. Must not know requests. WsgiDAV holds the provider and the stack of
middleware; the request server at its end answers.

WsgiDAV would also decode and normalise the path of each request, find its provider, and go over
its answer: the path is parsed by `target`, stricter; there is one provider; and the answer is
framed by the wire, which knows of the body what WsgiDAV can only guess.
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
    # It calls every streamed answer an error, and every request a line.
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
    """WsgiDAV's app where all URLs have one provider: what is the same for each request is found
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
