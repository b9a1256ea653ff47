"""The command line's flags for TLS and login, as clients meet them."""

import base64
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from davbridge.http.middleware.readiness import PATH
from tests.support.buckets import Bucket
from tests.support.proc import MIB, most_resident
from tests.support.programs import require_program, run
from tests.support.served import Served, served
from tests.support.wire import RawClient

PASSWORD = "pässword: with a colon"


@pytest.fixture(scope="module")
def guarded(bucket: Bucket, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("davbridge")
    environment = {"DAVBRIDGE_PASSWORD": PASSWORD}
    with served(bucket, folder, flags=["--user", "anna"], environment=environment) as server:
        yield server


def request(authorization: str | None, method: str = "PROPFIND") -> bytes:
    line = f"Authorization: {authorization}\r\n" if authorization is not None else ""
    return f"{method} / HTTP/1.1\r\nHost: x\r\nDepth: 0\r\n{line}\r\n".encode("latin-1")


def basic(user_pass: bytes) -> str:
    return "Basic " + base64.b64encode(user_pass).decode()


def test_a_login_is_asked_for_and_taken_on_one_connection(guarded: Served) -> None:
    with RawClient(guarded.port) as client:
        refused = client.ask(request(None))
        assert refused.status == 401
        assert refused.fields["www-authenticate"].startswith("Basic realm=")
        assert client.ask(request(basic(f"anna:{PASSWORD}".encode()))).status == 207
        assert client.ask(request(None)).status == 401
        assert client.ask(request(basic(b"anna:wrong"))).status == 401
        assert client.ask(request(basic(f"berta:{PASSWORD}".encode()))).status == 401


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic YW5uYQ",  # base64 without its padding, and without a colon
        basic(b"anna"),
        basic(b"\xff\xfe:\x80"),
        basic(b""),
        "Digest username=anna",
        "Bearer abc",
        "Basic \xe4\xf6",
        "Basic " + "A" * 5000,
    ],
)
def test_a_malformed_login_is_a_401(authorization: str, guarded: Served) -> None:
    with RawClient(guarded.port) as client:
        assert client.ask(request(authorization)).status == 401


def test_readiness_needs_no_login(guarded: Served) -> None:
    with guarded.client() as client:
        assert client("GET", PATH).status == 200
        assert client("GET", f"{PATH}/").status == 401


def test_a_put_without_login_changes_nothing(guarded: Served, bucket: Bucket) -> None:
    with RawClient(guarded.port) as client:
        refused = client.ask(b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody")
        assert refused.status == 401
    assert bucket.listed() == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("framing", ["Content-Length: 400000000", "Transfer-Encoding: chunked"])
def test_an_upload_of_400_mb_without_login_costs_no_memory(
    framing: str, guarded: Served, bucket: Bucket
) -> None:
    block = b"x" * 1_000_000
    if framing.endswith("chunked"):
        block = b"%x\r\n%b\r\n" % (len(block), block)
    with RawClient(guarded.port) as client:
        assert client.ask(request(None)).status == 401
        before = most_resident(guarded.pid)
        client.send(f"PUT /x HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n".encode())
        for _ in range(400):
            client.send(block)  # all of it before the answer is read, as Finder and Windows do
        refused = client.answer()
        assert (refused.status, refused.closes) == (401, True)
    assert most_resident(guarded.pid) - before < 4 * MIB
    assert bucket.listed() == []


def test_curl_trusts_the_certificate_that_the_flags_name(
    bucket: Bucket, server_folder: Path, tmp_path: Path
) -> None:
    curl = require_program("curl")
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    ca, chain, key = (tmp_path / name for name in ("ca.pem", "chain.pem", "key.pem"))
    authority.cert_pem.write_to_path(ca)
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(chain, append=True)
    certificate.private_key_pem.write_to_path(key)
    (tmp_path / "upload").write_bytes(b"over TLS")
    flags = ["--anonymous", "--tls-cert", str(chain), "--tls-key", str(key)]
    with served(bucket, server_folder, flags=flags) as server:
        assert server.url.startswith("https://127.0.0.1:")
        ask: list[str | Path] = [curl, "--silent", "--show-error", "--fail", "--cacert", ca]
        run([*ask, "-T", "upload", f"{server.url}/secret.txt"], tmp_path)
        assert run([*ask, f"{server.url}/secret.txt"], tmp_path) == "over TLS"
        assert run([*ask, "--tlsv1.3", f"{server.url}/secret.txt"], tmp_path) == "over TLS"
        untrusted = run([curl, "--silent", server.url], tmp_path, expect=60)
        assert untrusted == ""
    assert bucket.bodies() == {"secret.txt": b"over TLS"}
    bucket.delete("secret.txt")
