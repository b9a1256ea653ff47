"""The command line: what it prints, and with which code it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from davbridge import __version__
from davbridge.access.passwords import verify
from davbridge.store.base import Attributes
from davbridge.store.s3 import S3Store
from davbridge.store.s3.setup.client import build_client
from tests.support.bridge import Client
from tests.support.endpoints import Endpoint, s3_client
from tests.support.process import (
    TIMEOUT,
    Process,
    environment,
    run_davbridge,
    running_davbridge,
)
from tests.support.stores import fresh_bucket, settings_for
from tests.support.waiting import FOREVER

ON_WINDOWS = sys.platform == "win32"


@contextmanager
def client_of(process: Process) -> Iterator[Client]:
    client = Client(process.port, {})
    try:
        yield client
    finally:
        client.close()


@pytest.fixture
def on_bucket(seaweedfs: Endpoint, bucket_name: str) -> list[str]:
    """Arguments that show a new bucket to everybody on this machine."""
    return [bucket_name, "--endpoint-url", seaweedfs.url, "--anonymous"]


def assert_refused(done: "subprocess.CompletedProcess[str]", expected: str) -> None:
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("davbridge: "), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert expected in done.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "required: COMMAND ('davbridge --help' shows what there is)"),
        (["serve", "--foo"], "('davbridge serve --help' shows"),
        (["sweep"], "davbridge sweep BUCKET"),
        (["sevre"], "invalid choice: 'sevre'"),
        (["serve", "--prot", "80"], "unknown arguments: --prot"),
        (["serve", "--anon"], "unknown arguments: --anon"),
        (["serve", "a", "b"], "unknown arguments: b"),
        (["serve", "--port", "x"], "argument --port: invalid int value: 'x'"),
        (["serve", "--anonymous", "--port", "65536"], "--port must be between 0 and 65535"),
        (["serve", "--log-level", "loud"], "argument --log-level: invalid choice: 'loud'"),
        (["serve"], "nobody could log in: choose --anonymous"),
        (["serve", "--user", "ada"], "in the environment as DAVBRIDGE_PASSWORD, or"),
        (["serve", "--anonymous", "--host", "0.0.0.0"], "--insecure"),
        (["serve", "--anonymous", "x"], "BUCKET is no bucket name: 'x'"),
        (["serve", "--anonymous", "files/../x"], "PREFIX can't hold"),
        (["serve", "--anonymous", "--config", "no.toml"], "no.toml: can't be read: No such file"),
        (["serve", "--anonymous", "--tls-cert", "c"], "--tls-cert needs its private key"),
        (["serve", "--anonymous", "--embedded", "d", "files"], "BUCKET and --embedded exclude"),
        (["serve", "--anonymous", "files", "--embedded"], "BUCKET and --embedded exclude"),
        (["serve", "--anonymous", "--region", "eu"], "--region needs a bucket"),
        (["serve", "--password-file", "f"], "--password-file needs --user"),
        (["serve", "--user", "a", "--password-file", "/no"], "--password-file can't be read: /no"),
        (["sweep", "files", "--older-than", "soon"], "not an age, such as 30m, 24h or 7d: 'soon'"),
        (["sweep", "files", "--read-only"], "('davbridge sweep --help'"),
    ],
)
def test_a_malformed_command_line_ends_with_2_and_one_line(
    arguments: list[str], expected: str
) -> None:
    assert_refused(run_davbridge(*arguments), expected)


def test_a_broken_file_ends_with_2_and_its_line(tmp_path: Path) -> None:
    path = tmp_path / "d.toml"
    path.write_text("[s3]\nbucket = 'files'\nregion\n")
    done = run_davbridge("serve", "--config", str(path), "--anonymous")
    assert_refused(done, "d.toml: is not TOML: ")
    assert "line 3" in done.stderr


def test_a_taken_port_ends_with_2(seaweedfs: Endpoint, on_bucket: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        environ = environment(seaweedfs)
        done = run_davbridge("serve", *on_bucket, "--port", port, environ=environ)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"davbridge: 127.0.0.1 port {port} is in use")


def test_a_foreign_address_ends_with_2(seaweedfs: Endpoint, on_bucket: list[str]) -> None:
    arguments = [*on_bucket, "--insecure", "--host", "192.0.2.1"]
    done = run_davbridge("serve", *arguments, environ=environment(seaweedfs))
    assert done.returncode == 2
    assert "192.0.2.1 is not an address of this machine" in done.stderr.splitlines()[-1]


def test_a_missing_certificate_ends_with_2(
    tmp_path: Path, seaweedfs: Endpoint, on_bucket: list[str]
) -> None:
    missing = [f"--tls-{part}={tmp_path / part}.pem" for part in ("cert", "key")]
    done = run_davbridge("serve", *on_bucket, *missing, environ=environment(seaweedfs))
    assert done.returncode == 2
    assert str(tmp_path / "cert.pem") in done.stderr.splitlines()[-1]


def test_an_unreachable_endpoint_ends_with_2(bucket_name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    endpoint = Endpoint(f"http://127.0.0.1:{port}", "a", "b", "us-east-1")
    done = run_davbridge(
        "serve",
        bucket_name,
        "--endpoint-url",
        endpoint.url,
        "--anonymous",
        environ=environment(endpoint),
    )
    assert_refused(done, endpoint.url)


def test_wrong_credentials_end_with_2(seaweedfs: Endpoint, on_bucket: list[str]) -> None:
    environ = environment(seaweedfs, AWS_SECRET_ACCESS_KEY="wrong")
    environ["AWS_SECRET_ACCESS_KEY"] = "wrong"
    assert_refused(run_davbridge("serve", *on_bucket, environ=environ), "AWS_SECRET_ACCESS_KEY")


def test_missing_credentials_end_with_2(on_bucket: list[str]) -> None:
    assert_refused(run_davbridge("serve", *on_bucket), "credentials")


def test_an_unknown_profile_ends_with_2(on_bucket: list[str]) -> None:
    assert_refused(run_davbridge("serve", *on_bucket, "--profile", "nobody"), "nobody")


def test_a_folder_that_cannot_be_one_ends_with_2(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("")
    done = run_davbridge("serve", "--embedded", str(path), "--anonymous")
    assert_refused(done, str(path))


def test_serve_says_where_it_answers_and_ends_with_0_on_sigterm(
    seaweedfs: Endpoint, on_bucket: list[str]
) -> None:
    with running_davbridge(*on_bucket, environ=environment(seaweedfs)) as process:
        assert process.url.startswith("http://127.0.0.1:")
        assert process.ready_line.count("\n") == 1
        with client_of(process) as client:
            assert client("OPTIONS", "/").header("DAV").startswith("1, 2")
        process.signal(signal.SIGTERM)
        assert process.wait() == 0
        assert process.rest() == ""
        assert "Traceback" not in process.errors()


@pytest.mark.skipif(ON_WINDOWS, reason="SIGINT can't be sent there")
def test_serve_ends_with_0_on_sigint(seaweedfs: Endpoint, on_bucket: list[str]) -> None:
    with running_davbridge(*on_bucket, environ=environment(seaweedfs)) as process:
        process.signal(signal.SIGINT)
        assert process.wait() == 0
        assert "Traceback" not in process.errors()


def test_serve_makes_its_bucket_and_says_so(
    seaweedfs: Endpoint, on_bucket: list[str], bucket_name: str
) -> None:
    for is_new in (True, False):
        with running_davbridge(*on_bucket, environ=environment(seaweedfs)) as process:
            process.signal()
            assert process.wait() == 0
            assert (f"the bucket {bucket_name} did not exist" in process.errors()) == is_new
    client = s3_client(seaweedfs)
    assert client.list_objects_v2(Bucket=bucket_name)["KeyCount"] == 0
    client.close()


def test_a_file_that_is_put_is_an_object_under_the_prefix(
    seaweedfs: Endpoint, on_bucket: list[str], bucket_name: str
) -> None:
    on_prefix = [f"{bucket_name}/team/a", *on_bucket[1:]]
    environ = environment(seaweedfs)
    with (
        running_davbridge(*on_prefix, environ=environ) as process,
        client_of(process) as client,
    ):
        assert client("PUT", "/hello.txt", b"hello").status == 201
    s3 = s3_client(seaweedfs)
    assert s3.get_object(Bucket=bucket_name, Key="team/a/hello.txt")["Body"].read() == b"hello"
    s3.close()


def test_the_first_line_names_the_drive_where_it_is_mounted(
    tmp_path: Path, seaweedfs: Endpoint, on_bucket: list[str]
) -> None:
    path = tmp_path / "d.toml"
    path.write_text("[drive]\nmount_path = '/my dav'")
    arguments = ["--config", str(path), *on_bucket]
    with running_davbridge(*arguments, environ=environment(seaweedfs)) as process:
        assert process.url.endswith("/my%20dav")
        response = urllib.request.urlopen(
            urllib.request.Request(process.url + "/", method="OPTIONS"), timeout=TIMEOUT
        )
        with response:
            assert response.headers["DAV"].startswith("1, 2")


def test_read_only_refuses_writes(
    seaweedfs: Endpoint, on_bucket: list[str], bucket_name: str
) -> None:
    environ = environment(seaweedfs)
    arguments = ["serve", *on_bucket, "--read-only"]
    assert_refused(run_davbridge(*arguments, environ=environ), "doesn't exist: create it")
    s3 = s3_client(seaweedfs)
    s3.create_bucket(Bucket=bucket_name)
    s3.close()
    with (
        running_davbridge(*on_bucket, "--read-only", environ=environ) as process,
        client_of(process) as client,
    ):
        assert client("PUT", "/hello.txt", b"hello").status == 403
        process.signal()
        assert process.wait() == 0
        assert "read-only: the store is not probed" in process.errors()


def test_a_user_logs_in_with_the_password_of_the_environment(
    seaweedfs: Endpoint, on_bucket: list[str]
) -> None:
    environ = environment(seaweedfs, DAVBRIDGE_PASSWORD="open sesame")
    arguments = [*on_bucket[:-1], "--user", "ada"]
    with running_davbridge(*arguments, environ=environ) as process, client_of(process) as client:
        assert client("OPTIONS", "/").status == 401
        login = "Basic YWRhOm9wZW4gc2VzYW1l"
        assert client("OPTIONS", "/", authorization=login).status == 200


def test_a_user_logs_in_with_the_password_of_a_file(
    seaweedfs: Endpoint, on_bucket: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "password"
    path.write_text("open sesame\nnot this\n")
    arguments = [*on_bucket[:-1], "--user", "ada", "--password-file", str(path)]
    with (
        running_davbridge(*arguments, environ=environment(seaweedfs)) as process,
        client_of(process) as client,
    ):
        assert client("OPTIONS", "/").status == 401
        login = "Basic YWRhOm9wZW4gc2VzYW1l"
        assert client("OPTIONS", "/", authorization=login).status == 200


def test_a_missing_file_is_one_line_of_the_log(seaweedfs: Endpoint, on_bucket: list[str]) -> None:
    with (
        running_davbridge(*on_bucket, environ=environment(seaweedfs)) as process,
        client_of(process) as client,
    ):
        before = len(process.errors().splitlines())
        assert client("GET", "/missing").status == 404
        process.signal()
        assert process.wait() == 0
        after = process.errors().splitlines()[before:]
    assert len([line for line in after if "missing" in line]) == 1


def test_logs_are_json_on_demand(seaweedfs: Endpoint, on_bucket: list[str]) -> None:
    environ = environment(seaweedfs)
    with (
        running_davbridge(*on_bucket, "--log-json", environ=environ) as process,
        client_of(process) as client,
    ):
        assert client("GET", '/no%20"file?x').status == 404
        process.signal()
        assert process.wait() == 0
        records = [json.loads(line) for line in process.errors().splitlines()]
    (request,) = [record for record in records if record["logger"] == "davbridge.http.access"]
    assert request["method"] == "GET"
    assert request["path"] == '/no%20"file?x'
    assert (request["status"], request["user"], request["address"]) == (404, "-", "127.0.0.1")
    assert request["bytes"] > 0
    assert request["duration"] >= 0
    assert records
    assert all({"time", "level", "logger", "message"} <= set(record) for record in records)


def begin_upload(port: int, length: int, sent: bytes) -> socket.socket:
    """A PUT of ``length`` bytes on /slow.bin that a thread has in hand, and ``sent`` of it."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
    head = f"PUT /slow.bin HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {length}\r\n"
    connection.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
    assert connection.recv(4096).startswith(b"HTTP/1.1 100 ")
    connection.sendall(sent)
    return connection


def test_an_upload_under_way_is_finished_after_sigterm(
    seaweedfs: Endpoint, on_bucket: list[str], bucket_name: str
) -> None:
    with running_davbridge(*on_bucket, environ=environment(seaweedfs)) as process:
        with begin_upload(process.port, 200_000, b"a" * 100_000) as connection:
            process.signal()
            time.sleep(0.5)
            connection.sendall(b"a" * 100_000)
            assert connection.recv(4096).startswith(b"HTTP/1.1 201 ")
        assert process.wait() == 0
    s3 = s3_client(seaweedfs)
    assert s3.head_object(Bucket=bucket_name, Key="slow.bin")["ContentLength"] == 200_000
    s3.close()


def test_an_upload_that_takes_too_long_after_sigterm_is_cut_and_leaves_nothing(
    tmp_path: Path, seaweedfs: Endpoint, on_bucket: list[str], bucket_name: str
) -> None:
    path = tmp_path / "d.toml"
    path.write_text(f"[server]\ntimeout = {FOREVER}\nshutdown_timeout = 1")
    arguments = ["--config", str(path), *on_bucket]
    with (
        running_davbridge(*arguments, environ=environment(seaweedfs)) as process,
        begin_upload(process.port, 200_000, b"a" * 100_000),
    ):
        process.signal()
        assert process.wait() == 0
    s3 = s3_client(seaweedfs)
    assert s3.list_objects_v2(Bucket=bucket_name)["KeyCount"] == 0
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket_name)
    s3.close()


def test_the_embedded_store_has_the_files_again_at_the_next_start(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_davbridge("--embedded", data, "--anonymous") as process:
        with client_of(process) as client:
            assert client("PUT", "/kept.txt", b"kept").status == 201
        process.signal()
        assert process.wait() == 0
    with running_davbridge("--embedded", data, "--anonymous") as process:
        with client_of(process) as client:
            assert client("GET", "/kept.txt").body == b"kept"
        done = run_davbridge("serve", "--embedded", str(data), "--anonymous", "--port", "0")
        assert_refused(done, str(data))


def test_serve_without_bucket_or_file_uses_the_persons_data_folder(tmp_path: Path) -> None:
    shared = {"XDG_DATA_HOME": str(tmp_path), "HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    with running_davbridge("--anonymous", environ=environment(None, **shared)) as process:
        assert process.url
    assert any(path.name == "davbridge" for path in tmp_path.rglob("davbridge"))


@pytest.mark.skipif(ON_WINDOWS, reason="signals can't be sent there")
def test_sigterm_during_the_start_ends_serve_and_frees_the_folder(tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = [sys.executable, "-m", "davbridge", "serve", "--port", "0", "--anonymous"]
    with subprocess.Popen(
        [*command, "--embedded", data], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + TIMEOUT
        while not data.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        process.terminate()
        said, errors = process.communicate(timeout=TIMEOUT)
    assert (process.returncode, said) == (0, ""), errors
    assert "Traceback" not in errors
    with running_davbridge("--embedded", data, "--anonymous") as again:
        assert again.url


def descendants(pid: int) -> list[int]:
    """The processes below ``pid``, nearest first."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            # The name in parentheses may hold anything; the parent is the second field after it.
            parent = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            found.append(int(path.parent.name))
    return found + [below for child in found for below in descendants(child)]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds processes in /proc")
def test_the_death_of_the_embedded_store_is_reported_and_ends_with_1(tmp_path: Path) -> None:
    with running_davbridge("--embedded", tmp_path / "data", "--anonymous") as process:
        weed = descendants(process.pid)[-1]
        os.kill(weed, signal.SIGKILL)
        assert process.wait() == 1
        assert "the embedded store ended by itself" in process.errors()
        assert "Traceback" not in process.errors()


def test_a_sweep_removes_what_a_crash_left_and_prints_it(
    seaweedfs: Endpoint, bucket_name: str
) -> None:
    environ = environment(seaweedfs)
    sweep = ["sweep", f"{bucket_name}/team", "--endpoint-url", seaweedfs.url]
    assert_refused(run_davbridge(*sweep, environ=environ), "doesn't exist: create it")
    client = build_client(settings_for(seaweedfs, bucket_name), pool_size=8)
    with fresh_bucket(client, bucket_name):
        with S3Store(client, bucket_name) as store:
            # Two parts, and then the end, without an abort.
            store.open_writer("team/left.bin", Attributes()).write(bytes(20 * 1024**2))
        time.sleep(1.1)  # times are in seconds
        for more, said in (
            ([], ""),
            (["--older-than", "0s", "--dry-run"], "would remove 'team/left.bin': 1"),
            (["--older-than", "0s"], "removed 'team/left.bin': 1"),
            (["--older-than", "0s"], ""),
        ):
            done = run_davbridge(*sweep, *more, environ=environ)
            assert (done.returncode, done.stderr) == (0, "")
            assert done.stdout.startswith(said)
            assert done.stdout.count("\n") == bool(said)
    client.close()


def test_a_password_from_standard_input_is_hashed() -> None:
    done = run_davbridge("password", given="open sesame\nmore\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    assert done.stdout.startswith("$argon2id$")
    assert verify(done.stdout.strip(), "open sesame")


@pytest.mark.parametrize("given", ["", "\n"])
def test_an_empty_password_is_refused(given: str) -> None:
    assert_refused(run_davbridge("password", given=given), "the password is empty")


def type_password(first: str, second: str) -> tuple[int, str, str]:
    """Exit code, stdout, and what a terminal shows while passwords are typed into it."""
    import fcntl
    import pty
    import termios

    terminal, end = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "davbridge", "password"],
        stdin=end,
        stdout=subprocess.PIPE,
        stderr=end,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    ) as process:
        os.close(end)
        shown = b""
        for prompt, answer in ((b"Password: ", first), (b"Once more: ", second)):
            while not shown.endswith(prompt):
                shown += os.read(terminal, 1024)
            os.write(terminal, answer.encode() + b"\n")
        printed, _ = process.communicate(timeout=TIMEOUT)
    try:
        while block := os.read(terminal, 1024):
            shown += block
    except OSError:
        pass  # Linux' way to say that nobody has the other end any more
    os.close(terminal)
    return process.returncode, printed, shown.decode()


@pytest.mark.skipif(ON_WINDOWS, reason="there are no pseudo-terminals")
def test_a_terminal_is_asked_twice_and_shows_nothing() -> None:
    code, printed, shown = type_password("open sesame", "open sesame")
    assert code == 0
    assert verify(printed.strip(), "open sesame")
    assert "sesame" not in shown


@pytest.mark.skipif(ON_WINDOWS, reason="there are no pseudo-terminals")
def test_two_passwords_that_differ_are_refused() -> None:
    code, printed, shown = type_password("open sesame", "open barley")
    assert (code, printed) == (2, "")
    assert "davbridge: the two passwords differ" in shown


def test_the_version_is_printed() -> None:
    done = run_davbridge("--version")
    assert (done.returncode, done.stdout) == (0, f"davbridge {__version__}\n")
