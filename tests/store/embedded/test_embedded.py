"""The embedded store: SeaweedFS as davbridge runs it."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from davbridge.errors import StoreSetupError
from davbridge.store.embedded import EmbeddedStore
from davbridge.store.embedded.folder import Credentials, DataFolder
from tests.support.endpoints import Endpoint, s3_client
from tests.support.waiting import PATIENCE, until
from tests.support.weed import read_once_found, weed_of

ROOT = Path(__file__).parents[3]

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="looks at processes as POSIX does")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "my data"


def endpoint_of(store: EmbeddedStore) -> Endpoint:
    return Endpoint(store.endpoint_url, store.access_key, store.secret_key, store.region)


def write_something(endpoint: Endpoint) -> None:
    client = s3_client(endpoint)
    client.create_bucket(Bucket="bucket")
    client.put_object(Bucket="bucket", Key="a/b", Body=b"kept")
    client.close()


def read_it(endpoint: Endpoint) -> bytes:
    with closing(s3_client(endpoint)) as client:
        return read_once_found(client, "bucket", "a/b")


def wait_until_gone(folder: Path) -> None:
    until(lambda: not weed_of(folder))


def test_data_and_address_are_there_again_at_the_next_start(folder: Path) -> None:
    with EmbeddedStore.start(folder) as store:
        first = endpoint_of(store)
        write_something(first)
    with EmbeddedStore.start(folder) as store:
        assert endpoint_of(store) == first
        assert read_it(first) == b"kept"


def test_stopping_the_store_ends_its_process_and_may_be_repeated(folder: Path) -> None:
    deaths: list[str] = []
    store = EmbeddedStore.start(folder, on_death=deaths.append)
    store.stop()
    store.stop()
    url = http.client.HTTPConnection(store.endpoint_url.removeprefix("http://"))
    with pytest.raises(ConnectionRefusedError):
        url.request("GET", "/")
    assert deaths == []


def test_a_second_davbridge_on_the_folder_is_refused_before_anything_is_started(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EmbeddedStore.start(folder) as store:
        with monkeypatch.context() as patch:
            patch.setattr(subprocess, "Popen", pytest.fail)
            with pytest.raises(StoreSetupError, match=r"my data is in use by another davbridge"):
                EmbeddedStore.start(folder)
        write_something(endpoint_of(store))


@posix_only
def test_credentials_are_made_once_and_are_private(folder: Path) -> None:
    with DataFolder(folder) as first:
        made = first.credentials()
    with DataFolder(folder) as second:
        assert second.credentials() == made
    assert (folder / "credentials.json").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert made.secret_key not in repr(made)


def test_each_folder_has_credentials_of_its_own(tmp_path: Path) -> None:
    def made_in(path: Path) -> Credentials:
        with DataFolder(path) as folder:
            return folder.credentials()

    assert made_in(tmp_path / "a") != made_in(tmp_path / "b")


def test_damaged_credentials_are_reported_and_not_replaced(folder: Path) -> None:
    folder.mkdir()
    (folder / "credentials.json").write_text('{"access_key": "half')
    with pytest.raises(StoreSetupError, match=r"credentials\.json is damaged"):
        EmbeddedStore.start(folder)
    assert (folder / "credentials.json").read_text() == '{"access_key": "half'


@posix_only
def test_the_death_of_the_store_is_noticed_and_reported(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    deaths: list[str] = []
    died = threading.Event()

    def on_death(message: str) -> None:
        deaths.append(message)
        died.set()

    with EmbeddedStore.start(folder, on_death=on_death):
        os.kill(weed_of(folder), signal.SIGKILL)
        assert died.wait(PATIENCE)
    assert len(deaths) == 1
    assert str(folder / "log") in deaths[0]
    assert deaths[0] in caplog.text


def test_on_death_may_stop_the_store(folder: Path) -> None:
    stopped = threading.Event()
    stores: list[EmbeddedStore] = []

    def on_death(_: str) -> None:
        stores[0].stop()
        stopped.set()

    stores.append(EmbeddedStore.start(folder, on_death=on_death))
    os.kill(weed_of(folder), signal.SIGKILL)
    assert stopped.wait(PATIENCE)
    EmbeddedStore.start(folder).stop()


@posix_only
def test_a_davbridge_that_was_killed_leaves_nothing_running_and_all_data(folder: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path;"
        "from davbridge.store.embedded.process import EmbeddedStore;"
        "store = EmbeddedStore.start(Path(sys.argv[1]));"
        "print(store.endpoint_url, store.access_key, store.secret_key, flush=True);"
        "time.sleep(600)"
    )
    command = [sys.executable, "-c", script, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as davbridge:
        assert davbridge.stdout is not None
        url, access_key, secret_key = davbridge.stdout.readline().split()
        write_something(Endpoint(url, access_key, secret_key, "us-east-1"))
        davbridge.kill()
    # At once: the next start waits for the leftover process, which is still ending.
    with EmbeddedStore.start(folder) as store:
        assert read_it(endpoint_of(store)) == b"kept"
    wait_until_gone(folder)


@posix_only
def test_ctrl_c_in_the_terminal_does_not_reach_the_store(folder: Path) -> None:
    with EmbeddedStore.start(folder):
        assert os.getsid(weed_of(folder)) != os.getsid(0)


@pytest.mark.skipif(not Path("/proc").exists(), reason="reads another process's environment")
def test_the_store_does_not_delete_files_that_have_the_names_of_emptied_folders(
    folder: Path,
) -> None:
    """Two minutes after the last member of a folder has gone, SeaweedFS deletes whatever has the
    folder's name, unless there is something inside: a file, too. It must not come to that."""
    with EmbeddedStore.start(folder):
        environment = Path(f"/proc/{weed_of(folder)}/environ").read_bytes().split(b"\0")
        name = b"WEED_FILER_OPTIONS_S3_EMPTY_FOLDER_CLEANUP_DELAY="
        (delay,) = (each.removeprefix(name) for each in environment if each.startswith(name))
    assert int(delay.removesuffix(b"h")) >= 24 * 365 * 10


def test_a_port_that_is_taken_meanwhile_is_left_to_its_owner(folder: Path) -> None:
    with EmbeddedStore.start(folder) as store:
        write_something(endpoint_of(store))
        url = store.endpoint_url
    taken = ("127.0.0.1", int(url.rpartition(":")[2]))
    with socket.create_server(taken), EmbeddedStore.start(folder) as store:
        assert store.endpoint_url != url
        assert read_it(endpoint_of(store)) == b"kept"


def test_ports_that_prove_taken_after_they_were_chosen_are_changed(folder: Path) -> None:
    with DataFolder(folder) as prepared:
        port = prepared.choose_ports()["s3"]
        # Each of them is free, but not all of them together.
        same = dict.fromkeys(prepared.choose_ports(), port)
        (folder / "ports.json").write_text(json.dumps(same))
    with EmbeddedStore.start(folder) as store:
        write_something(endpoint_of(store))


def test_a_store_that_does_not_start_is_reported_with_the_place_of_its_log(folder: Path) -> None:
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "filerldb2").write_text("no database")
    with pytest.raises(StoreSetupError, match=r"didn't start: see .*my data.log"):
        EmbeddedStore.start(folder)
    with DataFolder(folder):
        pass  # the folder is free again
    assert (folder / "log" / "console.log").stat().st_size


def test_a_folder_that_cannot_be_made_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreSetupError, match=r"can't keep a store in .*file"):
        EmbeddedStore.start(tmp_path / "file")


def test_a_missing_extra_is_reported_with_the_command_that_installs_it() -> None:
    # Without site-packages the wheel isn't there, and davbridge is found in the working directory.
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]);"
        "from davbridge.store.embedded.process import find_weed; find_weed()"
    )
    command = [sys.executable, "-I", "-S", "-c", script, str(ROOT)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    last_line = ended.stderr.splitlines()[-1]
    assert "StoreSetupError" in last_line
    assert "pip install 'davbridge[embedded]'" in last_line
    assert "Intel Macs" in last_line
