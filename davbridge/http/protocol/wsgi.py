"""From a request head to a WSGI environment, and one run of the application (PEP 3333).

Invariants: REQUEST_URI is the request target as it was sent; no header field can set a key that the
server sets, or stand in for another field.
"""

import re
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.types import WSGIApplication

from davbridge.http.protocol.request_body import RequestBody
from davbridge.http.protocol.request_head import RequestHead
from davbridge.http.protocol.response import ResponseWriter

_ENCODED_SLASH = re.compile(rb"%2f", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The addresses of both ends of a connection."""

    client: str
    client_port: int
    server: str
    server_port: int
    is_tls: bool


def connection_environ(ends: Endpoints) -> dict[str, Any]:
    """The part of the environ that all requests of a connection share."""
    environ: dict[str, Any] = {
        "SCRIPT_NAME": "",
        "SERVER_NAME": ends.server,
        "SERVER_PORT": str(ends.server_port),
        "SERVER_SOFTWARE": "davbridge",
        "REMOTE_ADDR": ends.client,
        "REMOTE_PORT": str(ends.client_port),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https" if ends.is_tls else "http",
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if ends.is_tls:
        environ["HTTPS"] = "on"
    return environ


def environ_of(
    head: RequestHead, body: RequestBody, connection_environ: dict[str, Any]
) -> dict[str, Any]:
    """The environ of a request.

    Header fields with an underscore are left out: the application would take ``Content_Length`` for
    ``Content-Length``, and a proxy before it would not.
    """
    environ = connection_environ.copy()
    for name, value in head.fields.items():
        if b"_" not in name:
            environ[_key_of(name)] = value.decode("latin-1")
    environ["REQUEST_METHOD"] = head.method.decode()
    environ["REQUEST_URI"] = head.target.decode("latin-1")
    environ["PATH_INFO"] = path_info(head.path)
    environ["QUERY_STRING"] = head.query.decode("latin-1")
    environ["SERVER_PROTOCOL"] = "HTTP/1.1" if head.is_http11 else "HTTP/1.0"
    environ["wsgi.input"] = body
    return environ


@lru_cache(maxsize=256)
def _key_of(name: bytes) -> str:
    """The key for a field name in lower case. Clients send few different names."""
    key = name.decode().upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


def path_info(path: bytes) -> str:
    """The decoded path. As in cheroot, an encoded slash stays encoded, so that it can't split a
    segment. An application that must tell ``%2F`` from ``%252F`` parses REQUEST_URI."""
    if b"%" not in path:
        return path.decode("latin-1")
    parts = [unquote_to_bytes(part) for part in _ENCODED_SLASH.split(path)]
    return b"%2F".join(parts).decode("latin-1")


def run(app: WSGIApplication, environ: dict[str, Any], response: ResponseWriter) -> None:
    """Runs the application to the end of its response. Always closes its iterable."""
    blocks = app(environ, response.start)
    try:
        for block in blocks:
            response.write(block)
            if response.is_sent and not response.has_body:
                break  # nobody will see the rest of an answer to HEAD
        response.finish()
    finally:
        close = getattr(blocks, "close", None)
        if close is not None:
            close()
