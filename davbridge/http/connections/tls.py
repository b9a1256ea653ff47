"""TLS: the certificate, and the handshake.

The handshake never waits: each call continues it as far as the client's bytes have arrived. A
client that doesn't finish it holds up neither the accept loop nor a worker.

Invariants: TLS 1.2 at least; no passphrase is ever asked for on a terminal.
"""

import contextlib
import socket
import ssl
from pathlib import Path
from typing import NoReturn

from davbridge.http.errors import ServerSetupError

HANDSHAKE_SECONDS = 10.0
"""From the connection to the end of the handshake."""


class PlainHttpError(Exception):
    """The client speaks plain HTTP on a TLS port."""


def load_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """The context of a server. ``certificate`` has the full chain. Raises ServerSetupError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    for path in (certificate, key):
        _require_readable(path)
    try:
        context.load_cert_chain(certificate, key, password=_refuse_passphrase)
    except ssl.SSLError as error:
        raise ServerSetupError(_explain(error, certificate, key)) from error
    return context


def wrap(sock: socket.socket, context: ssl.SSLContext) -> ssl.SSLSocket:
    """The TLS socket over ``sock``, before its handshake. ``sock`` can't be used any more."""
    return context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)


def continue_handshake(sock: ssl.SSLSocket) -> bool:
    """Continues the handshake as far as the client's bytes have arrived. Returns whether it is
    done. Never waits: ``sock`` is non-blocking. Raises OSError, PlainHttpError."""
    try:
        sock.do_handshake()
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError as error:
        if error.reason == "HTTP_REQUEST":
            raise PlainHttpError from error
        raise
    return True


def send_close_notify(sock: ssl.SSLSocket) -> None:
    """Sends close_notify, which tells the client that the response is whole. Doesn't wait for
    the client's."""
    with contextlib.suppress(OSError, ValueError):
        sock.settimeout(0)
        sock.unwrap()


def detach(sock: socket.socket) -> socket.socket:
    """The bare socket, below TLS if there is TLS. ``sock`` can't be used any more."""
    return socket.socket(fileno=sock.detach())


def _require_readable(path: Path) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise ServerSetupError(f"can't read {path}: {error.strerror}") from error


def _refuse_passphrase() -> NoReturn:
    raise ServerSetupError("the TLS key has a passphrase: give davbridge one without")


def _explain(error: ssl.SSLError, certificate: Path, key: Path) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"the key in {key} doesn't belong to the first certificate in {certificate}"
    where = certificate if certificate == key else f"{certificate} and {key}"
    return f"no usable PEM certificate and key in {where}"
