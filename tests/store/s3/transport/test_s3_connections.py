"""Connections: kept, shared, secured, proxied, and what is sent over them, byte by byte."""

import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    EndpointConnectionError,
    ParamValidationError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
)

from davbridge.store.s3.transport.connections import MAX_JOINED_BODY, Connections
from davbridge.store.s3.transport.opener import NetworkOptions
from tests.support.parrot import OK, REFUSED, Server, serving

NETWORK = NetworkOptions(5.0, 20.0, 2, None, None, {})
IMPATIENT = NETWORK._replace(read_timeout=0.2)


@contextmanager
def connected(url: str, network: NetworkOptions = NETWORK) -> Iterator[Connections]:
    connections = Connections(urlsplit(url), network)
    yield connections
    connections.close()


def plain() -> tuple[str, dict[str, str]]:
    """The simplest request."""
    return "/", {"host": "h"}


def ask(connections: Connections, target: str = "/a", body: bytes = b"") -> bytes:
    headers = {"host": "h", "content-length": str(len(body))}
    return connections.exchange("PUT", lambda: (target, headers), body).read_all(1000)


def test_a_connection_is_used_again() -> None:
    with serving(Server()) as server, connected(server.url) as connections:
        assert [ask(connections) for _ in range(3)] == [b"ok"] * 3
        assert server.connections == 1


@pytest.mark.parametrize("target", ["/a/../b/./c", "//a//b", "/a%2F%2e%2E?x=%20", "/~!$'()*,"])
def test_a_target_is_sent_as_it_is(target: str) -> None:
    with serving(Server()) as server, connected(server.url) as connections:
        ask(connections, target)
    assert server.heads == [f"PUT {target} HTTP/1.1\r\nhost: h\r\ncontent-length: 0\r\n".encode()]


@pytest.mark.parametrize("size", [0, MAX_JOINED_BODY, MAX_JOINED_BODY + 1, 3_000_000])
def test_a_body_of_any_size_is_sent_whole(size: int) -> None:
    with serving(Server()) as server, connected(server.url) as connections:
        assert ask(connections, body=bytes(size)) == b"ok"
        assert ask(connections) == b"ok"
    assert server.connections == 1


def test_a_connection_that_the_server_has_closed_is_not_used_again() -> None:
    with serving(Server(hangs_up_after=1)) as server, connected(server.url) as connections:
        for _ in range(3):
            assert ask(connections) == b"ok"
            threading.Event().wait(0.1)
        assert server.connections == 3


def test_a_connection_that_the_server_announces_to_close_is_not_used_again() -> None:
    closing = OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with serving(Server(closing)) as server, connected(server.url) as connections:
        ask(connections)
        ask(connections)
        assert server.connections == 2


def test_a_connection_whose_answer_was_not_read_is_not_used_again() -> None:
    with serving(Server()) as server, connected(server.url) as connections:
        answer = connections.exchange("GET", plain, b"")
        assert answer.read(1) == b"o"
        answer.close()
        with pytest.raises(BotoCoreError):
            answer.read(1)
        assert ask(connections) == b"ok"
        assert server.connections == 2


@pytest.mark.skipif(sys.platform != "linux", reason="other systems may give what came before it")
def test_a_request_that_is_given_up_sends_nothing_more() -> None:
    """What waits in the sender's buffers would come to a store that reads on much later."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        headers = {"host": "h", "content-length": "9000000"}
        with connected(url, IMPATIENT) as connections:
            with pytest.raises(ReadTimeoutError):
                connections.exchange("PUT", lambda: ("/", headers), bytes(9_000_000))
            peer, _ = listener.accept()
            with peer, pytest.raises(ConnectionResetError):
                b"".join(iter(lambda: peer.recv(65536), b""))


def test_a_success_before_the_body_is_sent_is_no_success() -> None:
    server = Server(OK, reads_bodies=False)
    with serving(server), connected(server.url) as connections:
        headers = {"host": "h", "content-length": "9000000"}
        with pytest.raises(ConnectionClosedError):
            connections.exchange("PUT", lambda: ("/", headers), bytes(9_000_000))


def test_no_more_connections_are_kept_than_were_asked_for() -> None:
    with serving(Server()) as server, connected(server.url) as connections:
        answers = [connections.exchange("GET", plain, b"") for _ in range(4)]
        for answer in answers:
            answer.read_all(1000)
        for answer in [connections.exchange("GET", plain, b"") for _ in range(4)]:
            answer.read_all(1000)
        assert server.connections == 4 + 4 - NETWORK.most_idle


def test_a_connection_that_falls_idle_after_the_end_is_closed() -> None:
    with serving(Server()) as server, connected(server.url) as connections:
        answer = connections.exchange("GET", plain, b"")
        connections.close()
        assert answer.read_all(1000) == b"ok"
        assert ask(connections) == b"ok"
        assert server.connections == 2


@pytest.mark.skipif(sys.platform != "linux", reason="a reset throws away what wasn't read yet")
def test_a_refusal_before_the_body_is_sent_is_read() -> None:
    server = Server(REFUSED, reads_bodies=False)
    with serving(server), connected(server.url) as connections:
        headers = {"host": "h", "content-length": "9000000"}
        answer = connections.exchange("PUT", lambda: ("/", headers), bytes(9_000_000))
        assert answer.status == 403
        assert answer.read_all(1000) == b"no"
        assert ask(connections) == b"no"
        assert server.connections == 2


def test_a_silent_server_is_waited_for_as_long_as_was_said() -> None:
    with (
        serving(Server(b"")) as server,
        connected(server.url, IMPATIENT) as connections,
        pytest.raises(ReadTimeoutError),
    ):
        ask(connections)


@pytest.mark.parametrize("says", [b"garbage\r\n\r\n", OK[:-1].replace(b": 2", b": 3"), OK[:30]])
def test_a_broken_answer_is_a_closed_connection(says: bytes) -> None:
    server = Server(says, hangs_up_after=1)
    with (
        serving(server),
        connected(server.url) as connections,
        pytest.raises(ConnectionClosedError),
    ):
        ask(connections)


def test_a_server_that_is_not_there_is_an_endpoint_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (
        connected(f"http://127.0.0.1:{port}") as connections,
        pytest.raises(EndpointConnectionError),
    ):
        ask(connections)


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "a\rb", "a\0b", "日本"])
def test_a_header_with_line_ends_is_not_sent(value: str) -> None:
    with (
        serving(Server()) as server,
        connected(server.url) as connections,
        pytest.raises(ParamValidationError),
    ):
        connections.exchange("GET", lambda: ("/", {"host": "h", "x": value}), b"")
    assert server.heads == []


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


def secure(authority: trustme.CA, name: str = "localhost") -> Server:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(name).configure_cert(context)
    return Server(tls=context)


@pytest.fixture
def bundle(authority: trustme.CA, tmp_path: Path) -> str:
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


def test_a_certificate_of_an_authority_that_was_named_is_taken(
    authority: trustme.CA, bundle: str
) -> None:
    network = NETWORK._replace(ca_bundle=bundle)
    with serving(secure(authority)) as server, connected(server.url, network) as connections:
        assert ask(connections, body=bytes(300_000)) == b"ok"
        assert ask(connections) == b"ok"
    assert server.connections == 1


@pytest.mark.parametrize("is_known", [True, False])
def test_a_certificate_of_an_unknown_authority_or_another_host_is_refused(
    authority: trustme.CA, bundle: str, is_known: bool
) -> None:
    network = NETWORK._replace(ca_bundle=bundle if is_known else None)
    server = secure(authority, "elsewhere.example" if is_known else "localhost")
    with serving(server), connected(server.url, network) as connections, pytest.raises(SSLError):
        ask(connections)


def test_a_missing_file_of_authorities_is_reported() -> None:
    network = NETWORK._replace(ca_bundle="/nowhere.pem")
    with connected("https://localhost:1", network) as connections, pytest.raises(SSLError):
        ask(connections)


def test_a_proxy_is_asked_for_the_whole_url_with_its_password() -> None:
    with serving(Server()) as proxy:
        address = proxy.url.replace("http://", "http://me:secret@")
        network = NETWORK._replace(proxies={"http": address})
        with connected("http://store.example:9000", network) as connections:
            assert ask(connections, "/a/../b") == b"ok"
    (head,) = proxy.heads
    assert head.startswith(b"PUT http://store.example:9000/a/../b HTTP/1.1\r\nhost: h\r\n")
    assert b"\r\nProxy-Authorization: Basic bWU6c2VjcmV0\r\n" in head


def test_a_proxy_tunnels_tls_or_is_reported_to_be_at_fault() -> None:
    with serving(Server(REFUSED)) as proxy:
        network = NETWORK._replace(proxies={"https": proxy.url})
        with (
            connected("https://store.example", network) as connections,
            pytest.raises(ProxyConnectionError),
        ):
            ask(connections)
    assert proxy.heads[0].startswith(b"CONNECT store.example:443 HTTP/1.")


def test_the_environment_names_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Server()) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "near.example")
        network = NETWORK._replace(proxies=None)
        with connected("http://store.example", network) as connections:
            assert ask(connections) == b"ok"
        with (
            connected("http://near.example:1", network) as connections,
            pytest.raises(EndpointConnectionError),
        ):
            ask(connections)
    assert len(proxy.heads) == 1


@pytest.mark.parametrize("more", [OK, b"\r\n", b"HTTP/1.1 408 Request Timeout\r\n\r\n"])
@pytest.mark.parametrize("is_secure", [False, True])
def test_a_connection_over_which_more_came_than_was_asked_for_is_not_used_again(
    more: bytes, is_secure: bool, authority: trustme.CA, tmp_path: Path
) -> None:
    """What is read already could be taken for the next answer."""
    bundle = tmp_path / "authorities.pem"
    authority.cert_pem.write_to_path(str(bundle))
    server = secure(authority) if is_secure else Server()
    server.says = OK + more
    with serving(server), connected(server.url, NETWORK._replace(ca_bundle=str(bundle))) as made:
        assert ask(made) == b"ok"
        server.says = REFUSED
        assert ask(made) == b"no"
        assert server.connections == 2
