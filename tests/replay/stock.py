"""Stock WsgiDAV on a folder, behind stock cheroot: what the replay cases have to tell apart.

At its best: dead properties and locks are on, and so is each of its switches that a client needs
(X-OC-Mtime, Win32LastModifiedTime, Basic instead of Digest); the page for browsers is off.
"""

import gc
import os
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from cheroot.wsgi import Server
from wsgidav import dav_provider
from wsgidav.error_printer import ErrorPrinter
from wsgidav.http_authenticator import HTTPAuthenticator
from wsgidav.lock_man import lock_manager, lock_storage
from wsgidav.request_resolver import RequestResolver
from wsgidav.wsgidav_app import WsgiDAVApp

from tests.replay.drives import NOW, PASSWORD, Headers, Options, login
from tests.support.bridge import Client

PATIENCE = 30
"""Seconds until a client, or the server, gives up where an answer must come: even on a machine that
has other things to do."""

HANGING_PATIENCE = 2
"""The same where a case must fail, as it may by hanging."""


class StockDrive:
    """A drive on WsgiDAV's FilesystemProvider; ``must_fail`` where the case is to find it out."""

    def __init__(self, options: Options, folder: Path, *, must_fail: bool) -> None:
        self._options = options
        self._folder = folder
        self._patience = HANGING_PATIENCE if must_fail else PATIENCE
        self._clock = _Clock()
        self._stack = ExitStack()
        gc.freeze()  # What was there before is spared when what comes now is collected.
        self._server = self._start()

    @property
    def port(self) -> int:
        return int(self._server.bind_addr[1])

    def client(self, agent: Headers, user: str | None = None) -> Client:
        headers = {**agent, **(login(user) if user else {})}
        client = Client(self.port, headers, timeout=self._patience)
        self._stack.callback(client.close)
        return client

    def fill(self, files: Mapping[str, bytes]) -> None:
        for name, body in files.items():
            path = self._folder / name
            if name.endswith("/"):
                path.mkdir(parents=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
            os.utime(path, (NOW.timestamp(), NOW.timestamp()))

    def stored(self) -> dict[str, bytes]:
        files = [path for path in self._folder.rglob("*") if path.is_file()]
        return {str(path.relative_to(self._folder)): path.read_bytes() for path in sorted(files)}

    def pass_time(self, seconds: float) -> None:
        self._clock.offset += seconds

    def restart(self) -> None:
        self._stack.close()
        self._server = self._start()

    def close(self) -> None:
        self._stack.close()
        gc.collect()  # What it left open is told of here, not in the next test.
        gc.unfreeze()

    def _start(self) -> Server:
        for module in (dav_provider, lock_manager, lock_storage):
            self._stack.callback(vars(module).update, time=time)
            vars(module)["time"] = self._clock
        address, patience = ("127.0.0.1", 0), self._patience
        server = Server(address, self._app(), timeout=patience, shutdown_timeout=1)
        server.expiration_interval = 0.02  # how often it looks whether to stop
        server.prepare()
        thread = threading.Thread(target=server.serve)
        thread.start()
        self._stack.callback(thread.join)
        self._stack.callback(server.stop)
        return server

    def _app(self) -> WsgiDAVApp:
        share = self._options.drive.get("mount_path", "/")
        users = {user: {"password": PASSWORD} for user in self._options.users}
        return WsgiDAVApp(
            {
                "provider_mapping": {share: str(self._folder)},
                "simple_dc": {"user_mapping": {"*": users or True}},
                "http_authenticator": {"accept_digest": False, "default_to_digest": False},
                "property_manager": True,
                "lock_storage": True,
                # The usual ones, without the page for browsers.
                "middleware_stack": [ErrorPrinter, HTTPAuthenticator, RequestResolver],
                "honor_mtime_header": True,
                "hotfixes": {"emulate_win32_lastmod": True},
                "verbose": 0,
                "logging": {"enable": False},
            }
        )


class _Clock:
    """The module ``time`` as WsgiDAV's locks use it, with an offset."""

    def __init__(self) -> None:
        self.offset = 0.0

    def time(self) -> float:
        return time.time() + self.offset

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)
