"""Servers that run, each in a process of its own: their start and end, and what they cost.

Must not know which there are, nor what they are asked.
"""

import os
import re
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.bench.peers import Peer, Place, ServerError, search_path
from tests.bench.wire import Connection

ROOT = Path(__file__).resolve().parent.parent.parent

START_SECONDS = 60.0
STOP_SECONDS = 45.0


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
        if told and _listens(int(told[1])):  # WsgiDAV says so before it does
            return int(told[1])
        time.sleep(0.02)
    last_words = log.read_text("utf-8", "replace").splitlines()[-1:]
    raise ServerError(f"{peer} didn't start: {' '.join(last_words)}")


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionRefusedError:
        return False
    return True


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
    return {**kept, "PATH": search_path(), "AWS_EC2_METADATA_DISABLED": "true"}


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
