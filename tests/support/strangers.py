"""What someone without credentials tries on what listens: HTTP and gRPC, with and without TLS."""

import http.client
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

TIMEOUT = 5.0

Connect = Callable[[], socket.socket]

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")

PATHS = (
    # master
    "/",
    "/ui/index.html",
    "/dir/assign",
    "/dir/lookup?volumeId=1",
    "/dir/status",
    "/vol/grow?count=1",
    "/vol/status",
    "/vol/vacuum?garbageThreshold=0.01",
    "/col/delete?collection=bucket",
    "/collection/info?collection=bucket",
    "/submit",
    "/cluster/status",
    "/cluster/healthz",
    "/raft/stats",
    "/stats/counter",
    "/stats/memory",
    # filer
    "/buckets/",
    "/buckets/bucket/",
    "/buckets/bucket/a/b",
    "/buckets/bucket/a/?recursive=true",
    "/buckets/bucket/new?cp.from=/buckets/bucket/a/b",
    "/buckets/bucket/new?mv.from=/buckets/bucket/a/b",
    "/etc/",
    "/.tus/new",
    # volume
    "/status",
    "/healthz",
    "/readyz",
    "/stats/disk",
    "/admin/assign_volume?volume=1",
    "/admin/vacuum/compact?volume=1",
    "/1",
    # admin, metrics, debugging
    "/health",
    "/metrics",
    "/admin",
    "/api/config",
    "/api/s3/buckets",
    "/api/plugin/status",
    "/debug/pprof/",
    "/debug/pprof/goroutine?debug=2",
    # S3 and its relatives
    "/bucket/a/b",
    "/bucket?list-type=2",
    "/?Action=CreateUser&UserName=stranger",
    "/v1/config",
)
"""Of all of SeaweedFS's servers; a file's own address is added."""

FORM = (
    b"--form\r\nContent-Disposition: form-data; name=file; filename=new\r\n"
    b"Content-Type: text/plain\r\n\r\nof a web page\r\n--form--\r\n"
)
"""What a web page of any origin may send without being asked."""

HEADERS = {
    "Host": "rebound.example",
    "Origin": "http://rebound.example",
    "Content-Type": "multipart/form-data; boundary=form",
}

H2_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
"""With an empty frame of settings."""


class Answer(NamedTuple):
    method: str
    path: str
    status: int
    body: bytes


def tcp(port: int) -> Connect:
    return lambda: socket.create_connection(("127.0.0.1", port), TIMEOUT)


def unix(path: str) -> Connect:
    def connect() -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(TIMEOUT)
        connection.connect(path)
        return connection

    return connect


def tls(connect: Connect, protocol: str, certificate: Path | None = None) -> Connect:
    """TLS that takes any server's certificate; ``certificate`` is a PEM file of one's own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols([protocol])
    if certificate:
        context.load_cert_chain(certificate)
    return lambda: context.wrap_socket(connect())


def answers(connect: Connect, *more_paths: str) -> list[Answer]:
    """All that came back over HTTP for every method on every path."""
    return [
        answer
        for path in (*PATHS, *more_paths)
        for method in METHODS
        if (answer := ask(connect, method, path))
    ]


def ask(connect: Connect, method: str, path: str) -> Answer | None:
    """None where the connection ended without an answer."""
    connection = http.client.HTTPConnection("rebound.example")
    try:
        connection.sock = connect()
        connection.request(method, path, FORM if method in ("POST", "PUT") else None, HEADERS)
        response = connection.getresponse()
        return Answer(method, path, response.status, response.read())
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def speaks_grpc(connect: Connect) -> bool:
    """Whether HTTP/2, and so gRPC, is spoken: a server's first frame is one of settings."""
    try:
        with connect() as connection:
            connection.sendall(H2_PREFACE)
            return len(frame := connection.recv(9)) == 9 and frame[3] == 4
    except OSError:
        return False
