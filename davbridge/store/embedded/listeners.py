"""Whether the ports of an embedded SeaweedFS are up, and closed to everyone else.

SeaweedFS runs without any protection where it can't use a part of its security configuration, and
only notes so in its log. So each of its ports is tested without credentials before the store is
used. The test also shows whether our SeaweedFS listens there, and no other process.
"""

import http.client
import socket
import ssl
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from davbridge.store.embedded.folder import GRPC_OFFSET

TIMEOUT = 5.0
"""Seconds that a port may take for one answer."""


class Check(NamedTuple):
    """A function that finds out, by one or two requests, whether ``port`` is up and closed."""

    port: int
    passes: Callable[[], bool]


def checks(ports: dict[str, int], certificate: Path) -> list[Check]:
    """A check of each port that SeaweedFS listens on.

    ``certificate`` is the PEM file of the certificate that it uses.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # the certificate itself is the only one that will do
    context.load_verify_locations(certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    by_certificate = [port + GRPC_OFFSET for port in ports.values()]
    by_certificate += [port for name, port in ports.items() if name != "s3"]
    s3 = ports["s3"]
    return [
        Check(s3, partial(_is_answer, s3, "GET", "/", HTTPStatus.FORBIDDEN)),
        *(Check(port, partial(_wants_certificate, port, context)) for port in by_certificate),
    ]


def _is_answer(port: int, method: str, path: str, status: HTTPStatus) -> bool:
    """Whether a request without credentials gets ``status``."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        connection.request(method, path)
        return connection.getresponse().status == status
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _wants_certificate(port: int, context: ssl.SSLContext) -> bool:
    """Whether the listener shows our certificate, and refuses clients that have none."""
    try:
        with (
            socket.create_connection(("127.0.0.1", port), TIMEOUT) as plain,
            context.wrap_socket(plain) as connection,
        ):
            return _is_turned_away(connection)
    except OSError:  # not up, no TLS, or another certificate
        return False


def _is_turned_away(connection: ssl.SSLSocket) -> bool:
    """With TLS 1.3 the server judges the client when that has its handshake behind it."""
    try:
        connection.recv(1)
    except ssl.SSLError:  # the alert certificate_required
        return True
    except OSError:  # it waits for a request
        return False
    return False
