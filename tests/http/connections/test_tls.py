"""TLS: the handshake holds up nobody, and a bad certificate is told in one line."""

import contextlib
import logging
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import trustme

from davbridge.config import ServerSettings
from davbridge.http.connections import tls
from davbridge.http.errors import ServerSetupError
from davbridge.http.protocol.streams import SocketReader
from davbridge.http.server import HttpServer
from tests.support.waiting import FOREVER, PATIENCE, until
from tests.support.wire import RawClient, serving

LARGEST_RECORD = 16 * 1024
CLIENT_HELLO = b"\x16\x03\x01\x02\x00"
"""The beginning of one."""
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
DATA = bytes(range(256)) * 8192


def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answers with the body it was sent, or with the scheme."""
    body = environ["wsgi.input"].read() or environ["wsgi.url_scheme"].encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("tls")
    certificate = authority.issue_cert("localhost", "127.0.0.1")
    found = {name: folder / f"{name}.pem" for name in ("chain", "key", "both", "other", "junk")}
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(found["chain"], append=True)
    certificate.private_key_pem.write_to_path(found["key"])
    certificate.private_key_and_cert_chain_pem.write_to_path(found["both"])
    authority.issue_cert("other").private_key_pem.write_to_path(found["other"])
    found["junk"].write_text("not a certificate\n")
    return found


@pytest.fixture(scope="module")
def trust(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def server(files: dict[str, Path]) -> Iterator[HttpServer]:
    with serving(app, tls_cert=files["chain"], tls_key=files["key"], threads=2) as server:
        yield server


def test_requests_are_served_over_tls_on_one_connection(
    server: HttpServer, trust: ssl.SSLContext
) -> None:
    assert server.url == f"https://127.0.0.1:{server.port}/"
    with RawClient(server.port, trust) as client:
        assert client.ask(GET).body == b"https"
        assert client.ask(GET).body == b"https"


def test_large_bodies_cross_tls_whole_both_ways(server: HttpServer, trust: ssl.SSLContext) -> None:
    head = b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(DATA)
    with RawClient(server.port, trust) as client:
        assert client.ask(head + DATA).body == DATA


def test_pipelined_requests_in_one_record_are_all_answered(
    server: HttpServer, trust: ssl.SSLContext
) -> None:
    """What has been decrypted wakes no selector: the server has to remember it."""
    padding = b"X: " + b"y" * 3000 + b"\r\n\r\n"
    with RawClient(server.port, trust) as client:
        client.send((GET[:-2] + padding) * 5)
        assert [client.answer().body for _ in range(5)] == [b"https"] * 5


@pytest.mark.parametrize("limit", [1, 1 << 20])
def test_a_record_is_taken_whole(files: dict[str, Path], trust: ssl.SSLContext, limit: int) -> None:
    ours, theirs = socket.socketpair()
    server = tls.wrap(ours, tls.load_context(files["chain"], files["key"]))
    with server, ThreadPoolExecutor(1) as pool:
        shaking = pool.submit(trust.wrap_socket, theirs, server_hostname="localhost")
        server.setblocking(True)
        assert tls.continue_handshake(server)
        server.setblocking(False)
        with shaking.result() as client:
            client.sendall(b"x" * LARGEST_RECORD)
            SocketReader(server).read_some(limit)
            assert server.pending() == 0


def test_certificate_and_key_can_be_in_one_file(
    files: dict[str, Path], trust: ssl.SSLContext
) -> None:
    both = files["both"]
    with (
        serving(app, tls_cert=both, tls_key=both) as server,
        RawClient(server.port, trust) as client,
    ):
        assert client.ask(GET).status == 200


@pytest.mark.parametrize("sent", [b"", CLIENT_HELLO], ids=["silent", "stalled"])
def test_more_handshakes_than_threads_that_do_not_get_on_hold_up_no_other(
    server: HttpServer, trust: ssl.SSLContext, sent: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("davbridge.http.connections.tls.HANDSHAKE_SECONDS", FOREVER)
    with contextlib.ExitStack() as stack:
        waiting = [stack.enter_context(RawClient(server.port)) for _ in range(10)]
        for client in waiting:
            client.send(sent)
        assert stack.enter_context(RawClient(server.port, trust)).ask(GET).status == 200
        assert all(client.is_silent(0.001) for client in waiting)


def test_a_handshake_that_never_begins_is_given_up(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("davbridge.http.connections.tls.HANDSHAKE_SECONDS", 0.3)
    with RawClient(server.port) as silent:
        assert silent.at_end()


def test_a_handshake_that_comes_byte_by_byte_succeeds(
    server: HttpServer, trust: ssl.SSLContext
) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trust.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                client.do_handshake()
                break
            for byte in outgoing.read():
                sock.send(bytes([byte]))
            incoming.write(sock.recv(65536))
        client.write(GET)
        sock.sendall(outgoing.read())
        received = b""
        while not received.endswith(b"https"):
            incoming.write(sock.recv(65536))
            with contextlib.suppress(ssl.SSLWantReadError):
                received += client.read()
    assert received.startswith(b"HTTP/1.1 200")


def test_a_handshake_that_stalls_is_given_up(
    server: HttpServer, trust: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("davbridge.http.connections.tls.HANDSHAKE_SECONDS", 0.3)
    with contextlib.ExitStack() as stack:
        stalled = [stack.enter_context(RawClient(server.port)) for _ in range(4)]
        for client in stalled:
            client.send(CLIENT_HELLO)
        assert all(client.at_end() for client in stalled)
        assert stack.enter_context(RawClient(server.port, trust)).ask(GET).status == 200


def test_plain_http_on_the_tls_port_gets_a_plain_400(server: HttpServer) -> None:
    with RawClient(server.port) as client:
        answer = client.ask(GET)
        assert (answer.status, answer.closes) == (400, True)
        assert b"https://" in answer.body
        assert client.at_end()


def test_noise_on_the_tls_port_is_dropped(server: HttpServer, trust: ssl.SSLContext) -> None:
    with RawClient(server.port) as client:
        client.send(b"\0" * 100)
        with contextlib.suppress(ConnectionResetError):
            client.socket.recv(100)  # an alert, perhaps
        assert client.at_end()
    with RawClient(server.port, trust) as client:
        assert client.ask(GET).status == 200


def test_tls_1_1_is_refused(server: HttpServer, trust: ssl.SSLContext) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        old.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        RawClient(server.port, old).close()


def test_a_handshake_that_fails_is_one_line_with_the_client_s_address(
    server: HttpServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "davbridge.http")
    socket.create_connection(("127.0.0.1", server.port), PATIENCE).close()  # as health checks do
    distrustful = ssl.create_default_context()
    with pytest.raises(ssl.SSLCertVerificationError):
        RawClient(server.port, distrustful).close()
    until(lambda: bool(caplog.messages))
    (line,) = caplog.messages
    assert line.startswith("127.0.0.1: the TLS handshake failed: ")
    assert "unknown ca" in line.lower()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_spoken_and_say_goodbye(
    server: HttpServer, authority: trustme.CA, version: ssl.TLSVersion
) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    # Without the server's close_notify, the end would be an SSLEOFError.
    with (
        socket.create_connection(("127.0.0.1", server.port), PATIENCE) as sock,
        context.wrap_socket(
            sock, server_hostname="localhost", suppress_ragged_eofs=False
        ) as client,
    ):
        assert client.selected_alpn_protocol() == "http/1.1"
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        received = b""
        while piece := client.recv(1000):
            received += piece
    assert received.endswith(b"https")


def test_a_rejected_upload_gets_its_answer_over_tls(
    files: dict[str, Path], trust: ssl.SSLContext
) -> None:
    def reject(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("401 Unauthorized", [("Content-Length", "2")])
        return [b"no"]

    both = files["both"]
    with (
        serving(reject, tls_cert=both, tls_key=both) as server,
        RawClient(server.port, trust) as client,
    ):
        client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n")
        for _ in range(20):
            client.send(b"x" * 1_000_000)
        assert client.answer().status == 401


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a key with a passphrase")
def test_a_key_with_a_passphrase_is_refused_without_asking(
    files: dict[str, Path], tmp_path: Path
) -> None:
    locked = tmp_path / "locked.pem"
    subprocess.run(
        ["openssl", "pkey", "-in", files["key"], "-aes128", "-passout", "pass:x", "-out", locked],
        check=True,
    )
    assert "passphrase" in refusal(files["chain"], locked)


def refusal(certificate: Path, key: Path) -> str:
    server = HttpServer(app, ServerSettings(port=0, tls_cert=certificate, tls_key=key))
    with pytest.raises(ServerSetupError) as caught:
        server.prepare()
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_certificate_or_key_that_can_t_be_used_is_reported_in_one_line(
    files: dict[str, Path], tmp_path: Path
) -> None:
    missing = tmp_path / "missing.pem"
    assert refusal(missing, files["key"]) == f"can't read {missing}: No such file or directory"
    assert refusal(files["chain"], missing) == f"can't read {missing}: No such file or directory"
    assert "doesn't belong" in refusal(files["chain"], files["other"])
    assert "no usable PEM" in refusal(files["junk"], files["key"])
    assert "no usable PEM" in refusal(files["chain"], files["junk"])
    assert "no usable PEM" in refusal(files["chain"], files["chain"])
