"""The servers that are compared, each as its makers would have it run, in a process of its own.

Owns their command lines. Must not know what they are asked.
"""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.bench.wire import Connection
from tests.support.endpoints import Endpoint

ROOT = Path(__file__).resolve().parent.parent.parent

START_SECONDS = 60.0
STOP_SECONDS = 45.0


class ServerError(Exception):
    """A server doesn't start, or isn't installed; ``str(error)`` says which."""


@dataclass(frozen=True)
class Place:
    """What a server is to serve, and where it may write."""

    endpoint: Endpoint
    bucket: str
    folder: Path

    @property
    def credentials(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": self.endpoint.access_key,
            "AWS_SECRET_ACCESS_KEY": self.endpoint.secret_key,
        }


@dataclass(frozen=True)
class Server:
    """A running one."""

    port: int
    pid: int
    log: Path

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    def connect(self) -> Connection:
        return Connection(self.port)

    def memory(self, what: str) -> int:
        """Bytes resident: ``VmRSS``, or ``VmHWM``, the most that it ever was.

        Of the process and the workers that it has started, if it has.
        """
        return sum(_status(pid, what) for pid in _family(self.pid))

    def cpu_seconds(self) -> float:
        """Processor time so far, its workers' included."""
        return sum(_cpu_seconds(pid) for pid in _family(self.pid))


Command = Callable[[Place], list[str]]


@dataclass(frozen=True)
class Peer:
    """One way to run one server."""

    name: str
    command: Command
    ready: str
    """A pattern for the line in its log that tells the port."""
    environment: Callable[[Place], Mapping[str, str]] = field(default=lambda place: {})

    def __str__(self) -> str:
        return self.name


def _davbridge(place: Place) -> list[str]:
    endpoint = place.endpoint
    command = [sys.executable, "-m", "davbridge", "serve", place.bucket, "--port", "0"]
    return [*command, "--endpoint-url", endpoint.url, "--region", endpoint.region, "--anonymous"]


def _rclone(*flags: str) -> Command:
    def command(place: Place) -> list[str]:
        program = shutil.which("rclone", path=_search_path())
        if program is None:
            raise ServerError("rclone isn't installed")
        store = [
            f"--s3-endpoint={place.endpoint.url}",
            f"--s3-region={place.endpoint.region}",
            "--s3-provider=SeaweedFS",
            "--s3-env-auth",
            f"--cache-dir={place.folder / 'rclone-cache'}",
        ]
        served = [program, "serve", "webdav", f":s3:{place.bucket}", "--addr=127.0.0.1:0"]
        return [*served, *store, *flags]

    return command


def _hello(*flags: str) -> Command:
    return lambda place: [sys.executable, "-m", "tests.bench.hello", *flags]


def _stock(place: Place) -> list[str]:
    share = place.folder / "share"
    share.mkdir()
    (share / "file.bin").write_bytes(b"x" * 1024)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "wsgidav.server.server_cli", "--no-config", "--auth=anonymous"]
    return [*command, f"--root={share}", "--host=127.0.0.1", f"--port={port}"]


def _aws(place: Place) -> Mapping[str, str]:
    return place.credentials


def _aws_for_rclone(place: Place) -> Mapping[str, str]:
    return {**place.credentials, "RCLONE_CONFIG": os.devnull}


TUNED = (
    "--vfs-cache-mode=off",
    "--use-server-modtime",
    "--checkers=32",
    "--transfers=32",
    "--fast-list",
    # Beyond what issue 4 names: a request less for each object written and each one read.
    "--s3-no-head",
    "--s3-no-head-object",
    "--s3-no-check-bucket",
    "--s3-upload-concurrency=8",
)
"""What rclone's documents offer to whoever wants it fast and can do without its safety."""

_RCLONE_READY = r"started on \[http://127\.0\.0\.1:(\d+)/"

DAVBRIDGE = Peer("davbridge", _davbridge, r"is ready: http://127\.0\.0\.1:(\d+)/", _aws)
RCLONE_OFF = Peer("rclone off", _rclone("--vfs-cache-mode=off"), _RCLONE_READY, _aws_for_rclone)
RCLONE_WRITES = Peer(
    "rclone writes", _rclone("--vfs-cache-mode=writes"), _RCLONE_READY, _aws_for_rclone
)
RCLONE_TUNED = Peer("rclone tuned", _rclone(*TUNED), _RCLONE_READY, _aws_for_rclone)
WSGIDAV = Peer("WsgiDAV", _stock, r"Serving on http://127\.0\.0\.1:(\d+)")
HELLO = Peer("hello", _hello(), r"is ready: http://127\.0\.0\.1:(\d+)/")
HELLO_PINNED = Peer("hello, one core", _hello("--pin"), HELLO.ready)

RCLONES = (RCLONE_OFF, RCLONE_WRITES, RCLONE_TUNED)


@contextmanager
def running(peer: Peer, place: Place) -> Iterator[Server]:
    """The server, from when it answers until it has ended."""
    place.folder.mkdir(parents=True, exist_ok=True)
    log = place.folder / f"{uuid.uuid4().hex[:6]}.log"
    with (
        log.open("wb") as out,
        subprocess.Popen(
            peer.command(place),
            cwd=ROOT,
            env={**_clean(), **peer.environment(place), "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        ) as process,
    ):
        try:
            yield Server(_port(peer, process, log), process.pid, log)
        finally:
            _end(process)


def _port(peer: Peer, process: "subprocess.Popen[bytes]", log: Path) -> int:
    """Waits until the server tells where it listens."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        told = re.search(peer.ready, log.read_text("utf-8", "replace"))
        if told:
            return int(told[1])
        time.sleep(0.02)
    last_words = log.read_text("utf-8", "replace").splitlines()[-1:]
    raise ServerError(f"{peer} didn't start: {' '.join(last_words)}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _clean() -> dict[str, str]:
    """The environment, without what would configure a server behind the benchmark's back."""
    ours = ("AWS_", "DAVBRIDGE_", "RCLONE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "PATH": _search_path(), "AWS_EC2_METADATA_DISABLED": "true"}


def _search_path() -> str:
    """Wheels install their programs beside the interpreter."""
    return os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children")
    with suppress(OSError):
        return [
            pid,
            *(each for child in children.read_text().split() for each in _family(int(child))),
        ]
    return [pid]


def _status(pid: int, what: str) -> int:
    found = re.search(rf"^{what}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.M)
    return int(found[1]) * 1024 if found else 0


def _cpu_seconds(pid: int) -> float:
    # The name, in brackets, may hold anything: what counts comes after it (proc(5)).
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
