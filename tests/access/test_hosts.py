"""A drive without logins answers by its own names alone (DNS rebinding)."""

import socket
from collections.abc import Iterable
from typing import Any

import pytest

from davbridge.access.authentication import protected
from davbridge.config import AccessSettings, User

OPEN = AccessSettings(anonymous=True)

ORIGINS = ("https://drive.example.com", "http://nas:8080/")

METHODS = [
    "OPTIONS",
    "GET",
    "HEAD",
    "POST",
    "PROPFIND",
    "PUT",
    "DELETE",
    "MKCOL",
    "COPY",
    "MOVE",
    "PROPPATCH",
    "LOCK",
    "UNLOCK",
]


class Asked:
    """A request that was asked once: the answer, and whether it reached the drive."""

    def __init__(
        self, host: str | None, settings: AccessSettings = OPEN, method: str = "GET"
    ) -> None:
        self.is_in = False
        environ: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": "/"}
        if host is not None:
            environ["HTTP_HOST"] = host
        self.body = b"".join(protected(self._app, settings, ORIGINS)(environ, self._start))

    def _app(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.is_in = True
        start_response("200 OK", [])
        return []

    def _start(self, status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        self.status = status
        self.headers = dict(headers)


OWN = (
    "127.0.0.1",
    "127.0.0.1:8080",
    "192.168.1.5:80",
    "[::1]",
    "[::1]:8080",
    "[fe80::1%25eth0]:8080",
    "localhost",
    "localhost:8080",
    "LocalHost.",
    "files.localhost:8080",
    "drive.example.com",
    "Drive.Example.COM.:8443",
    "nas",
    socket.gethostname(),
    f"{socket.gethostname().partition('.')[0].upper()}.local:8080",
)

STRANGE = (
    "",
    ":8080",
    ".",
    "evil.example",
    "evil.example:8080",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "evil-localhost",
    "drive.example.com.evil.example",
    "xdrive.example.com",
    "com",
    "[::1].evil.example",
    "[::1",
    "[evil.example]",
    "[]",
    "::1",
    "127.0.0.1:8080:80",
    "127.0.0.1, evil.example",
    "localhost:80@evil.example",
    "evil.example%00.localhost.",
    "lo\xadcalhost",
)


@pytest.mark.parametrize("host", OWN)
def test_the_drive_answers_by_its_own_names(host: str) -> None:
    assert Asked(host).is_in


@pytest.mark.parametrize("host", STRANGE)
def test_a_request_by_another_host_name_is_misdirected(host: str) -> None:
    """RFC 9110 §15.5.20."""
    asked = Asked(host)
    assert (asked.is_in, asked.status) == (False, "421 Misdirected Request")
    assert host.encode() not in asked.body or not host.strip(".:")
    assert asked.headers["Content-Length"] == str(len(asked.body))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_needs_a_known_host_name(method: str) -> None:
    assert Asked("evil.example", method=method).status.startswith("421")


def test_a_request_of_http_1_0_may_leave_the_host_name_out() -> None:
    """RFC 9112 §3.2."""
    assert Asked(None).is_in


def test_drives_with_logins_or_insecure_ones_answer_by_any_host_name() -> None:
    """A page that is rebound has no login: the browser keeps it by the name it was typed for."""
    assert Asked("evil.example", AccessSettings(anonymous=True, insecure=True)).is_in
    user = User("anna", "$2b$04$" + "a" * 53)
    assert Asked("evil.example", AccessSettings(users=(user,))).status.startswith("401")
