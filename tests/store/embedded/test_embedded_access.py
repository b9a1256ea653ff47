"""Whatever SeaweedFS listens on turns away who has no S3 keys."""

import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from davbridge.store.embedded import EmbeddedStore
from davbridge.store.embedded.folder import GRPC_OFFSET, PORT_NAMES, Credentials
from davbridge.store.embedded.security import CERTIFICATE, write_security
from tests.support.endpoints import Endpoint, s3_client
from tests.support.listening import Address, Listening, listening
from tests.support.strangers import Connect, answers, speaks_grpc, tcp, tls, unix
from tests.support.weed import needles, weed_of

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

CONTENT = {f"a/{number}": os.urandom(size) for number, size in enumerate((1, 5000, 9_000_000))}

LOOPBACK = "0100007F"

EMPTY_PAGES = {"/status", "/healthz", "/readyz"}
"""Of S3's port: that it is there is all that they tell."""

HTTP_BY_CERTIFICATE = ("master", "volume", "filer", "admin")


class Running(NamedTuple):
    """A store with some content."""

    store: EmbeddedStore
    folder: Path
    ports: dict[str, int]
    listening: Listening
    files: list[str]
    """The addresses of the content's parts on the volume server."""

    def socket(self, name: str) -> str:
        """Of a server's HTTP."""
        return f"/tmp/seaweedfs-{name}-{self.ports[name]}.sock"

    @property
    def certificate(self) -> Path:
        return self.folder / "security" / CERTIFICATE


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("access") / "data"
    with EmbeddedStore.start(folder) as store:
        client = s3_client(endpoint_of(store))
        client.create_bucket(Bucket="bucket")
        for key, body in CONTENT.items():
            client.put_object(Bucket="bucket", Key=key, Body=body)
        client.close()
        ports = json.loads((folder / "ports.json").read_text())
        files = needles(folder / "data")
        assert len(files) >= len(CONTENT)
        yield Running(store, folder, ports, listening(weed_of(folder)), files)


@pytest.fixture
def unharmed(running: Running) -> Iterator[None]:
    """After whatever was tried, content and the bucket's volumes are what they were."""
    data = running.folder / "data"
    volumes = sorted(data.glob("bucket_*.dat"))
    yield
    assert sorted(data.glob("bucket_*.dat")) == volumes
    client = s3_client(endpoint_of(running.store))
    assert [bucket["Name"] for bucket in client.list_buckets()["Buckets"]] == ["bucket"]
    listed = client.list_objects_v2(Bucket="bucket")["Contents"]
    assert {entry["Key"] for entry in listed} == CONTENT.keys()
    for key, body in CONTENT.items():
        assert client.get_object(Bucket="bucket", Key=key)["Body"].read() == body
    client.close()


@pytest.fixture(scope="module")
def strange_certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another store's."""
    folder = tmp_path_factory.mktemp("strange")
    write_security(folder / "security", Credentials("key", "secret"))
    return folder / "security" / CERTIFICATE


def endpoint_of(store: EmbeddedStore) -> Endpoint:
    return Endpoint(store.endpoint_url, store.access_key, store.secret_key, store.region)


def test_the_store_has_no_listener_that_these_tests_do_not_try(running: Running) -> None:
    ports = {Address(LOOPBACK, port) for port in running.ports.values()}
    grpc = {Address(LOOPBACK, address.port + GRPC_OFFSET) for address in ports}
    assert running.listening.tcp == ports | grpc
    assert running.listening.udp == set()
    assert running.listening.unix == {
        *(running.socket(name) for name in ("s3", "filer")),
        *(
            f"/tmp/seaweedfs-{name}-grpc-{running.ports[name] + GRPC_OFFSET}.sock"
            for name in PORT_NAMES
        ),
    }


def test_no_socket_of_the_file_system_can_be_opened_by_others(running: Running) -> None:
    for path in running.listening.unix:
        assert stat.S_IMODE(Path(path).stat().st_mode) & 0o077 == 0, path


@pytest.mark.parametrize("name", HTTP_BY_CERTIFICATE)
@pytest.mark.usefixtures("unharmed")
def test_http_without_a_certificate_gets_nothing(
    running: Running, strange_certificate: Path, name: str
) -> None:
    port = tcp(running.ports[name])
    # Whether anything is answered at all is told apart from "speak TLS".
    assert {answer.status for answer in answers(port, *running.files)} <= {400}
    assert answers(tls(port, "http/1.1"), *running.files) == []
    assert answers(tls(port, "http/1.1", strange_certificate), "/") == []


@pytest.mark.parametrize("name", PORT_NAMES)
@pytest.mark.usefixtures("unharmed")
def test_grpc_without_a_certificate_gets_nothing(
    running: Running, strange_certificate: Path, name: str
) -> None:
    port = running.ports[name] + GRPC_OFFSET
    for connect in (tcp(port), unix(f"/tmp/seaweedfs-{name}-grpc-{port}.sock")):
        assert not speaks_grpc(connect)
        assert not speaks_grpc(tls(connect, "h2"))
        assert not speaks_grpc(tls(connect, "h2", strange_certificate))
        assert answers(connect, *running.files) == []


@pytest.mark.parametrize("way", ["port", "socket"])
@pytest.mark.usefixtures("unharmed")
def test_s3_without_keys_gives_nothing(running: Running, way: str) -> None:
    connect = tcp(running.ports["s3"])
    if way == "socket":
        connect = unix(running.socket("s3"))
    given = [answer for answer in answers(connect, *running.files) if answer.status < 400]
    assert {answer.body for answer in given} <= {b""}
    assert {answer.path for answer in given if answer.method != "OPTIONS"} <= EMPTY_PAGES
    assert not speaks_grpc(connect)


@pytest.mark.usefixtures("unharmed")
def test_the_filers_socket_has_nothing_behind_it(running: Running) -> None:
    connect = unix(running.socket("filer"))
    assert {answer.status for answer in answers(connect, *running.files)} == {404}


def test_only_the_certificate_of_the_store_opens_its_listeners(running: Running) -> None:
    """So that the refusals above are not those of requests that nobody would have answered."""

    def certified(port: int, protocol: str) -> Connect:
        return tls(tcp(port), protocol, running.certificate)

    for name in HTTP_BY_CERTIFICATE:
        assert answers(certified(running.ports[name], "http/1.1"), "/")
    for name in PORT_NAMES:
        assert speaks_grpc(certified(running.ports[name] + GRPC_OFFSET, "h2"))
