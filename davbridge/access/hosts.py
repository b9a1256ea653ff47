"""The host check: protects a drive without logins from DNS rebinding.

Such a drive listens on this machine only. But a web page that is open in a browser here can send
requests to it. The browser keeps the answers of other origins from the page, and compares origins
by name. An attacker can make the page's own name resolve to 127.0.0.1 after the page has loaded.
Then the drive is of the page's origin. What the attacker can't change is the Host header: the
browser sends the page's name.

Invariant: a request for another host, whatever its method, doesn't reach the application.
"""

import logging
import re
import socket
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_LOCAL = "localhost"

_HOST = re.compile(r"(?:\[([^\]]*)\]|([0-9A-Za-z._-]*))(?::[0-9]*)?")
"""RFC 9110 §7.2: an IPv6 address in brackets, or a name; and a port."""

_BODY = (
    b"A drive without logins answers only by an IP address, by localhost or this machine's name,"
    b" and by the names in public_origins.\n"
)

_log = logging.getLogger(__name__)


class HostCheck:
    """WSGI middleware. Passes requests for this machine, or for one of ``origins``, to ``app``."""

    def __init__(self, app: WSGIApplication, origins: Iterable[str] = ()) -> None:
        self._app = app
        self._names = {*local_names(), *(_canonical(urlsplit(each).hostname) for each in origins)}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        host = environ.get("HTTP_HOST")
        if host is None or self._is_known(host):  # HTTP/1.0 may omit it; no browser does
            return self._app(environ, start_response)
        _log.info("refused a request for the host %.255r", host)
        headers = [
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(_BODY))),
        ]
        start_response("421 Misdirected Request", headers)
        return [_BODY]

    def _is_known(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        name = _canonical(match[1] or match[2])
        return name in self._names or name.endswith("." + _LOCAL) or _is_address(name)


def local_names() -> set[str]:
    """The names of this machine, here and in its local network (RFC 6762 §3)."""
    name = _canonical(socket.gethostname())
    label = name.partition(".")[0]
    return {_LOCAL, name, label, f"{label}.local"} if label else {_LOCAL}


def _canonical(name: str | None) -> str:
    """In lower case, without the final dot of a fully qualified name."""
    return (name or "").lower().removesuffix(".")


def _is_address(name: str) -> bool:
    """Whether ``name`` is an IP address, which can't be made to resolve to another one."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
