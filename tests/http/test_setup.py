"""Binding: an address that works, or one line that says why it doesn't."""

import os
import re
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from davbridge.config import ServerSettings
from davbridge.http.connections.file_descriptors import raise_limit
from davbridge.http.errors import ServerSetupError
from davbridge.http.server import HttpServer
from tests.support.wire import RawClient, serving


def hello(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [("Content-Length", "2")])
    return [b"hi"]


def refusal(host: str, port: int) -> str:
    with pytest.raises(ServerSetupError) as caught:
        HttpServer(hello, ServerSettings(host=host, port=port)).prepare()
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_port_0_is_any_free_port() -> None:
    with serving(hello) as server:
        assert server.port > 0
        assert server.url == f"http://127.0.0.1:{server.port}/"


def test_a_port_in_use_is_named() -> None:
    with serving(hello) as server:
        assert "in use" in refusal("127.0.0.1", server.port)


def test_a_server_that_never_serves_gives_its_port_back() -> None:
    server = HttpServer(hello, ServerSettings(port=0))
    server.prepare()
    server.stop()
    server.close()
    server.close()
    with serving(hello, port=server.port):
        pass


def test_a_port_can_be_bound_again_right_after_a_restart() -> None:
    with serving(hello) as server, RawClient(server.port) as client:
        client.ask(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        port = server.port
    with serving(hello, port=port) as server:
        assert server.port == port


def test_an_address_of_another_machine_is_named() -> None:
    assert refusal("192.0.2.1", 0) == "192.0.2.1 is not an address of this machine"


def test_a_host_that_does_not_exist_is_named() -> None:
    assert "nowhere.invalid is not an address" in refusal("nowhere.invalid", 0)


@pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="root may bind every port, Windows as well"
)
def test_a_privileged_port_is_named() -> None:
    assert "privileges" in refusal("127.0.0.1", 1)


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
@pytest.mark.parametrize("host", ["::1", "::"])
def test_ipv6_is_served_and_has_brackets_in_the_url(host: str) -> None:
    with serving(hello, host=host) as server:
        assert re.fullmatch(rf"http://\[[0-9a-f:]+\]:{server.port}/", server.url)
        with socket.create_connection(("::1", server.port), 5) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 200"
        if host == "::":  # every address, IPv4's as well
            with RawClient(server.port) as client4:
                assert client4.ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").status == 200


@pytest.mark.parametrize(
    "host",
    [
        "0.0.0.0",
        pytest.param("::", marks=pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")),
    ],
)
def test_the_url_of_a_server_on_all_addresses_can_be_opened(host: str) -> None:
    with serving(hello, host=host) as server:
        parts = urlsplit(server.url)
        assert parts.hostname not in (host, None)
        with socket.create_connection((parts.hostname, server.port), 5) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert client.recv(12) == b"HTTP/1.1 200"


def test_as_many_file_descriptors_are_asked_for_as_may_be_had() -> None:
    resource = pytest.importorskip("resource")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        assert raise_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 256
        assert raise_limit() == resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
