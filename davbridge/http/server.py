"""HttpServer: a WSGI application on a port.

Binds the port, and starts and stops the parts of this package in order.

Invariants:
- `prepare` binds the port, or raises ServerSetupError with one line.
- A connection takes a thread only while a request is served, from the whole head to the end of the
  response.
- `serve` returns after `stop` within ``shutdown_timeout`` and a few seconds.
"""

import contextlib
import errno
import logging
import socket
import ssl
from contextlib import AbstractContextManager
from wsgiref.types import WSGIApplication

from davbridge.config import ServerSettings
from davbridge.http.connections.connection import Connection
from davbridge.http.connections.lingering_close import LingeringCloser
from davbridge.http.connections.manager import ConnectionManager, max_idle_connections
from davbridge.http.connections.tls import load_context
from davbridge.http.errors import ServerSetupError
from davbridge.http.workers.admission import Client, Limits
from davbridge.http.workers.pool import ServedConnection, WorkerPool

BACKLOG = 256

CLOSER_STOP_SECONDS = 1.0
"""For clients to read the last responses, at the end."""

_log = logging.getLogger("davbridge.http")


class HttpServer:
    """Serves ``app`` until `stop`. Call `prepare` once, then `serve` once."""

    def __init__(self, app: WSGIApplication, settings: ServerSettings) -> None:
        self._settings = settings
        self._core = _ServerCore(app, settings)

    @property
    def port(self) -> int:
        """The port that was bound. Only after `prepare`."""
        return self._core.address[1]

    @property
    def url(self) -> str:
        """A URL of the root that this machine can open. Only after `prepare`."""
        host, port = self._core.address
        host = _own_address(host)
        scheme = "https" if self._core.tls else "http"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}/"

    def prepare(self) -> None:
        """Loads the certificate and binds the port. Raises ServerSetupError."""
        self.reload_certificate()
        self._core.listen(_bind(self._settings))

    def reload_certificate(self) -> None:
        """Reads the certificate and the key again, for the connections that begin from now on.
        Raises ServerSetupError: then the earlier ones stay."""
        certificate, key = self._settings.tls_cert, self._settings.tls_key
        if certificate is not None and key is not None:
            self._core.tls = load_context(certificate, key)

    def serve(self) -> None:
        """Serves until `stop` was called and the requests in progress have ended."""
        self._core.serve()

    def stop(self) -> None:
        """Ends `serve`. May be called from a signal handler or any thread, and again."""
        self._core.stop()

    def close(self) -> None:
        """Closes the port if `serve` was never called. Otherwise does nothing."""
        self._core.close()


class _ServerCore:
    """The parts of the server, as connections see them: a ConnectionServer, and the
    ConnectionHandler of the ConnectionManager."""

    address: tuple[str, int]
    """What was bound. Set by `listen`."""

    def __init__(self, app: WSGIApplication, settings: ServerSettings) -> None:
        self.app = app
        self.tls: ssl.SSLContext | None = None
        self.closer = LingeringCloser()
        limits = Limits.of(settings.threads, max_idle_connections())
        self.pool = WorkerPool(settings.threads, self._park, limits)
        self._settings = settings
        self._is_bound = False
        self._is_open = False
        """Whether connections may be kept alive: from `listen` to `stop`."""
        self._is_serving = False
        self._is_stopping = False

    @property
    def may_keep_alive(self) -> bool:
        return self._is_open

    def release_leadership(self) -> None:
        self.pool.release_leadership()

    def client_wait(self, client: Client) -> AbstractContextManager[object]:
        return self.pool.client_wait(client)

    def make_connection(self, sock: socket.socket) -> Connection:
        return Connection(self, sock)

    def serve_connection(self, connection: Connection) -> None:
        self.pool.put(connection)

    def check(self) -> None:
        self.pool.ensure_worker()

    def listen(self, listener: socket.socket) -> None:
        """Takes a bound socket."""
        self._listener = listener
        host, port, *_ = listener.getsockname()
        self.address = (host, port)
        self._connections = ConnectionManager(listener, self._settings.timeout, self)
        self._is_bound = True
        self._is_open = True

    def serve(self) -> None:
        self._is_serving = True
        self.pool.start()
        self.closer.start()
        while not self._is_stopping:
            try:
                self._connections.serve()
            except Exception:
                # A boundary: whatever one connection raises must not end all others.
                _log.exception("the accept loop failed, and goes on")
        self._shut_down()

    def stop(self) -> None:
        """Only flags and one system call: a signal handler may run between any two steps."""
        self._is_stopping = True
        if not self._is_open:
            return
        self._is_open = False
        self._connections.request_stop()
        with contextlib.suppress(OSError):  # on Linux this wakes the selector; others wait for it
            self._listener.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        if self._is_bound and not self._is_serving:
            self._is_bound = False
            self._listener.close()
            self._connections.close()

    def _park(self, connection: ServedConnection) -> None:
        """Called by the pool with a connection that is open and has nothing to read."""
        if self._is_open:
            self._connections.put(connection)
        else:
            connection.close()

    def _shut_down(self) -> None:
        self._listener.close()
        self._connections.close_idle()
        self.pool.stop(self._settings.shutdown_timeout)
        # Threads that saw `_is_open` just before `stop` may have parked connections since.
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


def _own_address(bound: str) -> str:
    """The address itself; where all addresses are bound, the one by which this machine reaches
    others, or else its loopback address."""
    others = {"0.0.0.0": (socket.AF_INET, "192.0.2.1"), "::": (socket.AF_INET6, "2001:db8::1")}
    if bound not in others:
        return bound
    family, other = others[bound]
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((other, 9))  # Sends nothing: it only looks for the way (RFC 5737, RFC 3849).
        return str(probe.getsockname()[0])
    return "127.0.0.1" if family == socket.AF_INET else "::1"


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
