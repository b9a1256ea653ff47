"""The checks by which a SeaweedFS is known to be closed: they fail where it isn't."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from davbridge.store.embedded.folder import GRPC_OFFSET, Credentials
from davbridge.store.embedded.listeners import Check, checks
from davbridge.store.embedded.security import CERTIFICATE, write_security
from tests.support.weed import as_older_versions_ran_it

Handle = Callable[[socket.socket], None]


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    return certificate_in(tmp_path / "security")


def certificate_in(folder: Path) -> Path:
    write_security(folder, Credentials("key", "secret"))
    return folder / CERTIFICATE


def check_of(port: int, certificate: Path) -> Check:
    """That of a port where a certificate is wanted."""
    ports = dict.fromkeys(("s3", "master", "filer", "volume", "admin"), port - GRPC_OFFSET)
    return next(check for check in checks(ports, certificate) if check.port == port)


@contextmanager
def server(handle: Handle) -> Iterator[int]:
    """Hands ``handle`` one connection; yields the port. The connection ends with the server."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                handle(connection)
                done.wait(60)

        done = threading.Event()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        done.set()
        thread.join(60)


def with_tls(certificate: Path, *, wants_certificate: bool, says: bytes = b"") -> Handle:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    if wants_certificate:
        context.load_verify_locations(certificate)
        context.verify_mode = ssl.CERT_REQUIRED

    def handle(connection: socket.socket) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as encrypted:
                encrypted.sendall(says)
                encrypted.settimeout(20)
                encrypted.recv(1)
        except OSError:
            pass  # the client was turned away, or has turned away

    return handle


def test_a_server_that_wants_a_certificate_passes(certificate: Path) -> None:
    with server(with_tls(certificate, wants_certificate=True)) as port:
        assert check_of(port, certificate).passes()


@pytest.mark.parametrize("says", [b"", b"\0\0\0\4\0\0\0\0\0"])
def test_a_server_that_lets_everyone_in_fails(
    certificate: Path, says: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("davbridge.store.embedded.listeners.TIMEOUT", 0.5)
    with server(with_tls(certificate, wants_certificate=False, says=says)) as port:
        assert not check_of(port, certificate).passes()


def test_a_server_with_another_certificate_fails(certificate: Path, tmp_path: Path) -> None:
    other = certificate_in(tmp_path / "other")
    with server(with_tls(other, wants_certificate=True)) as port:
        assert not check_of(port, certificate).passes()


@pytest.mark.parametrize("says", [b"", b"\0\0\0\4\0\0\0\0\0", b"HTTP/1.0 400 Bad Request\r\n\r\n"])
def test_a_server_without_tls_fails(certificate: Path, says: bytes) -> None:
    def handle(connection: socket.socket) -> None:
        with suppress(OSError):  # The client may have gone as soon as it has read this.
            connection.sendall(says)
            connection.shutdown(socket.SHUT_WR)

    with server(handle) as port:
        assert not check_of(port, certificate).passes()


def test_a_port_without_a_server_fails(certificate: Path) -> None:
    with server(lambda _: None) as port:
        socket.create_connection(("127.0.0.1", port)).close()
    assert not check_of(port, certificate).passes()


def test_an_open_seaweedfs_fails_on_all_listeners_but_s3(certificate: Path, tmp_path: Path) -> None:
    with as_older_versions_ran_it(tmp_path / "data") as (endpoint, ports):
        passed = [check.port for check in checks(ports, certificate) if check.passes()]
    assert passed == [ports["s3"]]
    assert endpoint.url.endswith(f":{ports['s3']}")
