"""SIGHUP: what was in files is read again; or the terminal has gone, and davbridge ends."""

import base64
import os
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import bcrypt
import pytest
import trustme

from tests.support.bridge import Client
from tests.support.endpoints import Endpoint, s3_client
from tests.support.process import TIMEOUT, Process, environment, running, running_davbridge
from tests.support.waiting import until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGHUP")

IN_A_TERMINAL = """
import fcntl, os, sys, termios
os.setsid()
terminal = os.open(sys.argv[1], os.O_RDWR)
fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "davbridge", *sys.argv[2:]])
"""


@pytest.fixture
def store(seaweedfs: Endpoint, bucket_name: str) -> str:
    """The section of a configuration file."""
    return f"[s3]\nbucket = '{bucket_name}'\nendpoint_url = '{seaweedfs.url}'\n"


@pytest.fixture(autouse=True)
def heeded() -> Iterator[None]:
    """The tests may run under nohup, whose children inherit that SIGHUP is ignored."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def user(name: str, password: str) -> str:
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    return f"[[access.users]]\nname = '{name}'\npassword_hash = '{hashed}'\n"


def status_for(process: Process, login: str) -> int:
    client = Client(process.port, {})
    header = "Basic " + base64.b64encode(login.encode()).decode()
    try:
        return client("OPTIONS", "/", authorization=header).status
    finally:
        client.close()


def reload(process: Process, line: str) -> None:
    """Sends SIGHUP, and waits for what the log says of it."""
    before = process.errors().count(line)
    process.signal(signal.SIGHUP)
    until(lambda: process.errors().count(line) > before)


def test_sighup_reads_the_users_again(seaweedfs: Endpoint, store: str, tmp_path: Path) -> None:
    config = tmp_path / "davbridge.toml"
    config.write_text(store + user("ada", "old") + user("bob", "same"))
    with running_davbridge("--config", config, environ=environment(seaweedfs)) as process:
        assert [status_for(process, each) for each in ("ada:old", "bob:same")] == [200, 200]
        config.write_text(store + user("ada", "new") + user("carl", "his"))
        reload(process, "users and certificate were read again")
        logins = ("ada:old", "bob:same", "ada:new", "carl:his")
        assert [status_for(process, each) for each in logins] == [401, 401, 200, 200]


@pytest.mark.parametrize(
    "broken",
    ["[[access.users]]\nname = 'ada'\n", "[access\n", "[access]\nanonymous = false\n"],
    ids=["incomplete", "no TOML", "nobody"],
)
def test_a_file_that_has_become_wrong_leaves_the_users_as_they_were(
    seaweedfs: Endpoint, store: str, tmp_path: Path, broken: str
) -> None:
    config = tmp_path / "davbridge.toml"
    config.write_text(store + user("ada", "old"))
    with running_davbridge("--config", config, environ=environment(seaweedfs)) as process:
        config.write_text(store + broken)
        reload(process, "the earlier users and certificate stay: ")
        assert status_for(process, "ada:old") == 200
        process.signal()
        assert process.wait() == 0


def serial_of(port: int, trust: ssl.SSLContext) -> object:
    plain = socket.create_connection(("127.0.0.1", port), TIMEOUT)
    with trust.wrap_socket(plain, server_hostname="127.0.0.1") as tls:
        certificate = tls.getpeercert()
        assert certificate
        return certificate["serialNumber"]


def test_sighup_reads_the_certificate_again(
    seaweedfs: Endpoint, store: str, tmp_path: Path
) -> None:
    authority, trust = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(trust)
    path, config = tmp_path / "tls.pem", tmp_path / "davbridge.toml"

    def renew() -> None:
        authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(path)

    renew()
    config.write_text(f"{store}{user('ada', 'old')}[server]\ntls_cert='{path}'\ntls_key='{path}'\n")
    with running_davbridge("--config", config, environ=environment(seaweedfs)) as process:
        first = serial_of(process.port, trust)
        renew()
        assert serial_of(process.port, trust) == first
        reload(process, "users and certificate were read again")
        second = serial_of(process.port, trust)
        assert second != first
        path.write_text("no certificate")
        reload(process, f"no usable PEM certificate and key in {path}")
        assert serial_of(process.port, trust) == second


def upload(port: int, send_rest: Callable[[], object]) -> bytes:
    """The first line of the answer to a PUT during which ``send_rest`` is called."""
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as connection:
        head = f"PUT /slow.bin HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 200000\r\n"
        connection.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
        assert connection.recv(4096).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"a" * 100_000)
        send_rest()
        connection.sendall(b"a" * 100_000)
        return connection.recv(4096).partition(b"\r\n")[0]


def test_the_end_of_its_terminal_ends_davbridge_after_the_requests_under_way(
    seaweedfs: Endpoint, bucket_name: str
) -> None:
    master, slave = os.openpty()
    name = os.ttyname(slave)
    os.close(slave)
    command = [sys.executable, "-c", IN_A_TERMINAL, name, "serve", "--port", "0", "--anonymous"]
    command += [bucket_name, "--endpoint-url", seaweedfs.url]
    with running(command, environment(seaweedfs)) as process:

        def hang_up() -> None:
            os.close(master)
            until(lambda: not accepts(process.port))

        assert upload(process.port, hang_up) == b"HTTP/1.1 201 Created"
        assert process.wait() == 0
    s3 = s3_client(seaweedfs)
    assert s3.head_object(Bucket=bucket_name, Key="slow.bin")["ContentLength"] == 200_000
    s3.close()


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), TIMEOUT).close()
    except ConnectionError:
        return False
    return True
