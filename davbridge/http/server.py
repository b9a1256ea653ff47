"""HttpServer: a WSGI application on a port.

Owns the listening socket, and the order in which everything starts and ends. cheroot supplies the
accept loop and the selector for idle connections; its threads, its connections and its stop are
replaced, for the reasons that their modules give. `_Loop` leans on the insides of its HTTPServer.

Invariants:
- `prepare` either binds, or raises ServerSetupError in one line.
- A connection costs a thread only from a whole request to the end of its answer.
- `serve` returns within ``shutdown_timeout``, and a little, after `stop`.
"""

import contextlib
import errno
import logging
import socket
import ssl
from contextlib import AbstractContextManager
from wsgiref.types import WSGIApplication

from cheroot.server import HTTPServer

from davbridge.config import ServerSettings
from davbridge.http.admission import Client, Limits
from davbridge.http.closing import LingeringCloser
from davbridge.http.connection import Connection
from davbridge.http.connection_manager import ConnectionManager, max_idle_connections
from davbridge.http.errors import ServerSetupError
from davbridge.http.tls import load_context
from davbridge.http.workers import WorkerPool

BACKLOG = 256

CLOSER_STOP_SECONDS = 1.0

_log = logging.getLogger("davbridge.http")


class HttpServer:
    """Serves ``app`` until `stop`. One life: prepare, serve."""

    def __init__(self, app: WSGIApplication, settings: ServerSettings) -> None:
        self._settings = settings
        self._loop = _Loop(app, settings)

    @property
    def port(self) -> int:
        """The port that was bound; after `prepare`."""
        return int(self._loop.bind_addr[1])

    @property
    def url(self) -> str:
        """The root's URL, by the address that was bound; after `prepare`."""
        host = self._loop.bind_addr[0]
        scheme = "https" if self._loop.tls else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}/"

    def prepare(self) -> None:
        """Loads the certificate and binds the port. Raises ServerSetupError."""
        certificate, key = self._settings.tls_cert, self._settings.tls_key
        if certificate is not None and key is not None:
            self._loop.tls = load_context(certificate, key)
        self._loop.listen(_bind(self._settings))

    def serve(self) -> None:
        """Serves until `stop` was called and the requests under way have ended."""
        self._loop.serve()

    def stop(self) -> None:
        """Ends `serve`. May be called from a signal handler or any thread, and again."""
        self._loop.stop()

    def close(self) -> None:
        """Gives the port back where `serve` was never called; does nothing otherwise."""
        self._loop.close()


class _Loop(HTTPServer):
    """cheroot's server, with our threads, connections and end."""

    def __init__(self, app: WSGIApplication, settings: ServerSettings) -> None:
        super().__init__((settings.host, settings.port), gateway=None)
        self.app = app
        self.tls: ssl.SSLContext | None = None
        self.closer = LingeringCloser()
        self.timeout = settings.timeout  # type: ignore[assignment]  # the stub says int
        self.shutdown_timeout = settings.shutdown_timeout  # type: ignore[assignment]
        # cheroot's 10 would close Finder's connections; our ConnectionManager has its own limit.
        self.keep_alive_conn_limit = None  # type: ignore[assignment]  # as its documentation says
        self.ConnectionClass = Connection
        limits = Limits.of(settings.threads, max_idle_connections())
        self.requests = WorkerPool(settings.threads, self.put_conn, limits)
        self._is_bound = False
        self._is_serving = False
        self._is_stopping = False

    def release_leadership(self) -> None:
        self.requests.release_leadership()

    def client_wait(self, client: Client) -> AbstractContextManager[object]:
        pool: WorkerPool = self.requests
        return pool.client_wait(client)

    def listen(self, listener: socket.socket) -> None:
        """Takes a bound socket."""
        # A client may be gone again when accept is called, which then must not wait for another.
        listener.setblocking(False)
        self.socket = listener
        self.bind_addr = listener.getsockname()[:2]
        self._connections = ConnectionManager(self)
        self._is_bound = True
        self.ready = True

    def process_conn(self, conn: Connection) -> None:
        """Called by cheroot where a connection was accepted, or can be read.

        A new one is only watched at first: cheroot would hand it to a thread, and a few silent
        clients would occupy all of them.
        """
        if conn.is_new:
            conn.is_new = False
            self._connections.put(conn)
        else:
            self.requests.put(conn)

    def serve(self) -> None:
        self._is_serving = True
        self.requests.start()
        self.closer.start()
        while not self._is_stopping:
            try:
                self._connections.run(self.expiration_interval)
            except Exception:
                # One connection's fault must not be the end of all others.
                _log.exception("the accept loop failed, and goes on")
        self._shut_down()

    def stop(self) -> None:
        """Only flags and one system call, as a signal handler may run between any two others."""
        self._is_stopping = True
        if not self.ready:
            return
        self.ready = False
        self._connections.request_stop()
        with contextlib.suppress(OSError):  # on Linux this wakes the selector; others wait for it
            self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self._is_bound and not self._is_serving:
            self._is_bound = False
            self.socket.close()
            self._connections.close()

    def _shut_down(self) -> None:
        self.socket.close()
        self._connections.close_idle()
        self.requests.stop(self.shutdown_timeout)
        # Threads that saw `ready` just before it fell may have put connections back since.
        self._connections.close()
        self.closer.stop(CLOSER_STOP_SECONDS)


def _bind(settings: ServerSettings) -> socket.socket:
    address = (settings.host, settings.port)
    try:
        found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, *_, resolved = found[0]
        is_any = family == socket.AF_INET6 and settings.host == "::"
        return socket.create_server(
            (str(resolved[0]), settings.port),
            family=family,
            backlog=BACKLOG,
            dualstack_ipv6=is_any and socket.has_dualstack_ipv6(),
        )
    except (OSError, OverflowError, UnicodeError) as error:
        raise ServerSetupError(_explain(settings, error)) from error


def _explain(settings: ServerSettings, error: Exception) -> str:
    where = f"{settings.host} port {settings.port}"
    if isinstance(error, socket.gaierror | UnicodeError):
        return f"{settings.host} is not an address or a host name that can be found"
    match getattr(error, "errno", None):
        case errno.EADDRINUSE:
            return f"{where} is in use by another program: stop it, or choose another port"
        case errno.EACCES | errno.EPERM:
            return f"{where} may not be used by this user: ports below 1024 need privileges"
        case errno.EADDRNOTAVAIL:
            return f"{settings.host} is not an address of this machine"
    return f"can't listen on {where}: {error}"
