"""By which name is the drive asked for?

A drive that needs no login is kept from strangers by listening on this machine alone. But a web
page that somebody opens here can ask as well, through the browser, which keeps it from the answers
of other origins and tells origins apart by their names. So a stranger lets his page's own name mean
127.0.0.1 as soon as the page is there (DNS rebinding), and the drive is of the page's origin. What
he can't do is to have the browser send another name than that in Host.

Owns which names are the drive's. Must not know who may, nor what is being accessed.

Invariant: a request by another name, whatever its method, reaches nothing behind it.
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
"""RFC 9110 §7.2: an address of IPv6 in brackets, or a name; and a port."""

_BODY = (
    b"A drive without logins answers only by an IP address, by localhost or this machine's name,"
    b" and by the names in public_origins.\n"
)

_log = logging.getLogger(__name__)


class HostCheck:
    """Lets requests through to ``app`` that name this machine, or one of ``origins``."""

    def __init__(self, app: WSGIApplication, origins: Iterable[str] = ()) -> None:
        self._app = app
        self._names = {*local_names(), *(_canonical(urlsplit(each).hostname) for each in origins)}

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        host = environ.get("HTTP_HOST")
        if host is None or self._is_known(host):  # no browser leaves it out, as HTTP/1.0 may
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
    """Those by which this machine is known to itself, and near by (RFC 6762 §3)."""
    name = _canonical(socket.gethostname())
    label = name.partition(".")[0]
    return {_LOCAL, name, label, f"{label}.local"} if label else {_LOCAL}


def _canonical(name: str | None) -> str:
    """In lower case, and without the dot that says that nothing follows."""
    return (name or "").lower().removesuffix(".")


def _is_address(name: str) -> bool:
    """A page that has an address for its name can't make it mean another."""
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
